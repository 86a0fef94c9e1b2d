/** Debian's lua5.3 beside compiled code: what a program prints in each, and the error it ends with. */

import { execFileSync } from 'node:child_process';
import { compiledVm } from '../../support/compiled.js';
import type { Random } from '../../support/random.js';
import { randomProgram } from './programs.js';

/** The chunk's name, in both. */
const NAME = 'stdin';
const PROGRAMS_A_BATCH = 20;

/** Runs `source` in lua5.3 as it is. */
function run(source: string): string {
  return execFileSync('lua5.3', ['-'], {
    input: source,
    encoding: 'latin1',
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 30_000,
  });
}

export function inLua(program: string): string {
  return run(`local ok, err = pcall(function(...) ${program}\nend)\nif not ok then print("E", err) end`);
}

export function compiled(program: string): string {
  const lines: string[] = [];
  const vm = compiledVm((line) => lines.push(`${line}\n`));
  try {
    vm.execute(Buffer.from(program, 'latin1'), NAME);
  } catch (error) {
    lines.push(`E\t${(error as Error).message}\n`);
  }
  return lines.join('');
}

/** Makes lua5.3 print floats that are whole, and NaN, as numbers look here. */
const PRINT_AS_HERE = `do
local tostring_, print_ = tostring, print
function tostring(v) return v ~= v and "nan" or tostring_(type(v) == "number" and math.tointeger(v) or v) end
function print(...)
  local shown = table.pack(...)
  for i = 1, shown.n do shown[i] = tostring(shown[i]) end
  print_(table.concat(shown, "\\t"))
end
end`;

/** A program, and what it printed in each. */
export interface Verdict {
  readonly program: string;
  readonly ours: string;
  readonly wanted: string;
}

/** Runs a batch of random programs. Returns how many, and those that differ. */
export function judgeBatch(rng: Random, numerals: boolean): { tried: number; different: Verdict[] } {
  const programs = Array.from({ length: PROGRAMS_A_BATCH }, () => randomProgram(rng, numerals));
  const guarded = programs.map(
    (program) => `do local ok, err = pcall(function(...) ${program} end)
if not ok then print("E", err) end print("--") end`,
  );
  const judged = run([numerals ? PRINT_AS_HERE : '', ...guarded].join('\n')).split('--\n');
  const verdicts = programs.map((program, i) => ({
    program,
    ours: comparable(compiled(program)),
    wanted: comparable(judged[i]!),
  }));
  return { tried: programs.length, different: verdicts.filter(({ ours, wanted }) => ours !== wanted) };
}

/** Which line of the batch it was, and which variable was at fault (it depends on Lua's registers), is left out. */
function comparable(text: string): string {
  return text
    .replaceAll(/\bstdin:\d+: /g, '')
    .replaceAll(/ \((?:local|upvalue|global|field|method|constant) '[^']*'\)/g, '');
}
