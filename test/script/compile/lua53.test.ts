import { execFileSync } from 'node:child_process';
import t from 'tap';
import { compiledVm } from '../../support/compiled.js';
import { missing } from '../../support/need.js';
import { random } from '../../support/random.js';
import { CASES } from './cases.js';
import { randomProgram } from './programs.js';

const skip = missing('lua5.3', 'lua5.3');

/** What a program prints, and the error it ends with. */
function inLua(program: string): string {
  const guarded = `local ok, err = pcall(function(...) ${program}\nend)\nif not ok then print("E", err) end`;
  return execFileSync('lua5.3', ['-'], {
    timeout: 30_000,
    killSignal: 'SIGKILL',
    input: guarded,
    encoding: 'latin1',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function compiled(program: string): string {
  const lines: string[] = [];
  const vm = compiledVm((line) => lines.push(`${line}\n`));
  try {
    vm.execute(Buffer.from(program, 'latin1'), 'stdin');
  } catch (error) {
    lines.push(`E\t${(error as Error).message}\n`);
  }
  return lines.join('');
}

t.test('what Lua 5.3 prints, compiled code prints', { skip }, async (t) => {
  for (const program of CASES) t.equal(compiled(program), inLua(program), program.slice(0, 100));
});

/** Which variable was at fault depends on Lua's registers; the cases above look at that. */
const withoutNames = (text: string) =>
  text.replace(/ \((?:local|upvalue|global|field|method|constant) '[^']*'\)/g, '');

t.test('random programs', { skip }, async (t) => {
  const rng = random(t);
  const until = Date.now() + Number(process.env.FUZZ_MS ?? 2000);
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const programs = Array.from({ length: 20 }, () => randomProgram(rng));
    const outputs = programs.map(compiled);
    const judged = inLua(
      programs
        .map(
          (p) => `do local ok, err = pcall(function(...) ${p} end)
      if not ok then print("E", (err:gsub("^stdin:%d+: ", ""))) end print("--") end`,
        )
        .join('\n'),
    ).split('--\n');
    programs.forEach((program, i) => {
      const [ours, wanted] = [outputs[i]!, judged[i]!].map((text) =>
        withoutNames(text).replace(/stdin:\d+: /g, ''),
      );
      if (ours !== wanted) t.equal(ours, wanted, program);
    });
  }
  t.ok(tried > 0, `${tried * 20} programs`);
});
