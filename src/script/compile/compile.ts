/** Lua source to a function. */

import { generate } from './generate/statements.js';
import type { LuaFunction } from './runtime/calls.js';
import type { Environment } from './runtime/environment.js';
import { SCRIPT } from './runtime/place.js';
import type { LuaTable } from './runtime/table.js';
import { checkGlobals } from './syntax/globals.js';
import { parse } from './syntax/parser.js';

/**
 * Compiles a chunk. `source` is a one-byte string, `name` the file as errors show it. `globals`: all that a module may
 * use, and none of it may it change. Throws SyntaxProblem where the source is wrong or needs what is not compiled,
 * EvalError where the host forbids code from strings.
 */
export function compileChunk(
  source: string,
  name: string,
  environment: Environment,
  globals?: LuaTable,
): LuaFunction {
  const tree = parse(source, name);
  if (globals !== undefined) checkGlobals(tree.block, name, globals);
  const code = generate(tree, name);
  // encodeURI leaves parentheses, which end a name in V8's stack.
  const url = SCRIPT + encodeURI(name).replace(/[()]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const compiled = new Function(...Object.keys(environment), `${code}\n//# sourceURL=${url}`);
  return compiled(...Object.values(environment)) as LuaFunction;
}
