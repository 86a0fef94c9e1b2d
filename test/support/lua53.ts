/** Debian's lua5.3 as the judge of the standard library: many calls are run in one process. */

import { execFileSync } from 'node:child_process';
import { LuaError, type LuaValue } from '../../src/script/executor.js';
import { FakeExecutor } from './executor.js';

/** An argument as Lua source and as our value. */
export interface Argument {
  readonly lua: string;
  readonly js: LuaValue;
}

/** A call of `library.name`. */
export interface Call {
  readonly name: string;
  readonly args: Argument[];
}

/** What a call gave: its results, or the message it raised. */
export type Outcome = { results: LuaValue[] } | { error: string };

/** A string argument, every byte as it is. */
export function text(bytes: string): Argument {
  let lua = '"';
  for (let i = 0; i < bytes.length; i++) {
    const code = bytes.charCodeAt(i);
    const plain = code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c;
    lua += plain ? bytes[i] : `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return { lua: `${lua}"`, js: bytes };
}

/** A number argument; whole ones are Lua integers. */
export function number(n: number): Argument {
  if (Number.isNaN(n)) return { lua: '(0/0)', js: n };
  if (!Number.isFinite(n)) return { lua: n > 0 ? '(1/0)' : '(-1/0)', js: n };
  if (Object.is(n, -0)) return { lua: '(-0.0)', js: n };
  return { lua: `(${Number.isSafeInteger(n) ? String(n) : n.toExponential()})`, js: n };
}

const PRELUDE = `
local function show(v)
  if type(v) == "string" then return "s" .. v:gsub(".", function(c) return ("%02x"):format(c:byte()) end) end
  if type(v) == "number" then return "n" .. ("%.17g"):format(v) end
  if type(v) == "nil" or type(v) == "boolean" then return tostring(v) end
  return "?" .. type(v)
end
local function P(...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = show((select(i, ...))) end
  return "R " .. table.concat(parts, " ")
end
local function R(fn)
  local ok, line = pcall(fn)
  if not ok then line = "E " .. show((tostring(line):gsub("^[^:]*:%d+: ", ""))) end
  print(line)
end
`;

/** Runs all calls in lua5.3. */
export function runLua(calls: Call[], environment: NodeJS.ProcessEnv = process.env): Outcome[] {
  const lines = calls.map(
    ({ name, args }) => `R(function() return P(${name}(${args.map((a) => a.lua)})) end)`,
  );
  const output = execFileSync('lua5.3', ['-'], {
    input: `${PRELUDE}${lines.join('\n')}\n`,
    encoding: 'latin1',
    maxBuffer: 256 * 1024 * 1024,
    env: environment,
  });
  return output.trimEnd().split('\n').map(readOutcome);
}

function readOutcome(line: string): Outcome {
  const [kind, ...values] = line.split(' ');
  const results = values.filter((value) => value !== '').map(readValue);
  return kind === 'E' ? { error: String(results[0]) } : { results };
}

function readValue(shown: string): LuaValue {
  if (shown[0] === 's') return Buffer.from(shown.slice(1), 'hex').toString('latin1');
  if (shown === 'nil') return undefined;
  if (shown === 'true' || shown === 'false') return shown === 'true';
  if (shown[0] !== 'n' || shown === 'nil')
    throw new Error(`lua5.3 gave a value that cannot be compared: ${shown}`);
  const digits = shown.slice(1);
  if (digits.endsWith('inf'))
    return digits.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return digits.endsWith('nan') ? Number.NaN : Number(digits);
}

/** Runs a call with our library. */
export function runOurs(library: Record<string, LuaValue>, { name, args }: Call): Outcome {
  const ex = new FakeExecutor();
  try {
    const results = ex.run(library[name.slice(name.indexOf('.') + 1)], ...args.map((a) => a.js));
    // -0 and 0 are one number to a script.
    return { results: results.map((v) => (v === 0 ? 0 : v)) };
  } catch (error) {
    if (!(error instanceof LuaError)) throw error;
    return { error: error.message };
  }
}
