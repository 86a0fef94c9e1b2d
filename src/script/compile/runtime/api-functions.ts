/** Entries of the Lua API as functions of compiled code, with the checks that their data asks for. */

import { type ApiFunction, type ApiType, type ApiValue, Failure } from '../../api.js';
import { Arguments } from '../../arguments.js';
import { type Executor, LuaError, type LuaValue } from '../../executor.js';
import { oneByte } from '../../fengari.js';
import { chargeBytes } from '../../stdlib/strings.js';
import type { LuaFunction } from './calls.js';
import { fromJs, toJs, utf8 } from './convert.js';
import type { LuaTable } from './table.js';

/** `hostOf` finds what an entry's `run` works on, given the first argument. */
export function apiFunction<Host>(
  ex: Executor,
  entry: ApiFunction<Host>,
  hostOf: (self: LuaValue) => Host | undefined,
): LuaFunction {
  const isMethod = entry.name.includes(':');
  const { params, returns } = entry;

  const finish = (result: unknown): LuaValue | LuaValue[] => {
    if (result instanceof Failure) {
      const message = utf8(result.message);
      return entry.failure === 'error' ? message : [undefined, message];
    }
    if (returns.length === 0) return [];
    if (returns.length === 1 && !returns[0]!.rest) return resultValue(ex, returns[0]!.type, result);
    return (result as unknown[]).map((value, i) =>
      resultValue(ex, returns[Math.min(i, returns.length - 1)]!.type, value),
    );
  };

  return function luaNative(...given: LuaValue[]) {
    const host = hostOf(given[0]);
    if (isMethod && host === undefined) throw new LuaError(`call it as ${entry.name}(…), with a colon`);
    const actual = isMethod ? given.slice(1) : given;
    const checked = new Arguments(ex, entry.name, actual);
    const args: unknown[] = [];
    for (let i = 0; i < params.length; i++) {
      const param = params[i]!;
      if (param.rest) {
        for (let at = i; at < actual.length; at++)
          args.push(argument(ex, checked, at + 1, actual[at], param));
        break;
      }
      if (param.optional && actual[i] === undefined) args.push(undefined);
      else {
        const value = argument(ex, checked, i + 1, actual[i], param);
        if (value instanceof Failure) return finish(value);
        args.push(value);
      }
    }
    const waits = typeof entry.waits === 'function' ? entry.waits(...args) : entry.waits === true;
    if (waits) throw new LuaError(`${entry.name} waits, which is not allowed here`);
    return finish(entry.run(host as Host, ...args));
  };
}

function argument(ex: Executor, checked: Arguments, i: number, value: LuaValue, param: ApiValue): unknown {
  if (typeof value === 'string') chargeBytes(ex, value.length);
  switch (param.type) {
    case 'bytes':
      return Buffer.from(checked.string(i), 'latin1');
    case 'string':
      return checked.string(i);
    case 'text':
      return Buffer.from(checked.string(i), 'latin1').toString('utf8');
    case 'number':
      return checked.number(i);
    case 'integer':
      return checked.integer(i);
    case 'boolean':
      if (typeof value === 'boolean') return value;
      return checked.fail(i, `boolean expected, got ${i > checked.count ? 'no value' : ex.type(value)}`);
    case 'value':
      try {
        return toJs(value);
      } catch (error) {
        if (param.refusable && error instanceof LuaError)
          return new Failure(`invalid_argument: ${error.message}`);
        throw error;
      }
    case 'options':
      return toJs(checked.table(i), true);
    case 'function':
      return checked.function(i);
    case 'raw':
      return value;
  }
}

function resultValue(ex: Executor, type: ApiType, value: unknown): LuaValue {
  if (value instanceof Uint8Array) return oneByte(value);
  if (type === 'value') return fromJs(value, () => ex.table({}) as LuaTable);
  if (type === 'text' && typeof value === 'string') return utf8(value);
  return (value ?? undefined) as LuaValue;
}
