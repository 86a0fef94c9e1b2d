/** Lua's basic functions (manual §6.1) for compiled code. */

import { type Executor, isTrue, LuaError, type LuaValue } from '../../executor.js';
import { type Calls, type LuaFunction, many } from './calls.js';
import type { Steppers } from './environment.js';
import type { Meter } from './meter.js';
import { toNumber } from './operators.js';
import { Raised, where } from './place.js';
import { LuaTable } from './table.js';

/** How a thrown error is seen by a script: its value, with the place in front of a message of ours. */
export function errorValue(thrown: unknown): LuaValue {
  if (thrown instanceof Raised) return thrown.value;
  if (thrown instanceof LuaError) {
    return thrown.value === undefined ? where(thrown, 1) + thrown.message : thrown.value;
  }
  if (thrown instanceof RangeError) return `${where(thrown, 1)}stack overflow`;
  if (thrown instanceof Error) return thrown.message;
  throw thrown;
}

/** What an error that is caught counts as: V8 writes its stack down as text, where its place is read. */
const ERROR_STEPS = 500;

function badArgument(i: number, name: string, message: string): never {
  throw new LuaError(`bad argument #${i} to '${name}' (${message})`);
}

/** The functions by name, and those that loops recognise. */
export function baseFunctions(
  ex: Executor,
  calls: Calls,
  meter: Meter,
): { functions: Record<string, LuaFunction>; steppers: Steppers } {
  const table = (value: LuaValue, i: number, name: string, given: number): LuaTable => {
    if (value instanceof LuaTable) return value;
    return badArgument(i, name, `table expected, got ${given < i ? 'no value' : calls.typeName(value)}`);
  };
  const any = (args: LuaValue[], name: string): LuaValue => {
    if (args.length === 0) badArgument(1, name, 'value expected');
    return args[0];
  };

  const next: LuaFunction = (...args) => {
    const list = table(args[0], 1, 'next', args.length);
    const position = list.used(list.after(args[1]));
    return position < 0 ? undefined : [list.keyAt(position), list.valueAt(position)];
  };
  const step: LuaFunction = (list, i) => {
    const at = (i as number) + 1;
    const value = calls.index(list, at, undefined);
    return value === undefined ? undefined : [at, value];
  };

  const caught = (thrown: unknown): LuaValue => {
    // Nothing outlives the budget.
    if (meter.exceeded !== undefined) throw thrown;
    meter.charge(ERROR_STEPS);
    return errorValue(thrown);
  };
  function luaPcall(...args: LuaValue[]): LuaValue[] {
    if (args.length === 0) badArgument(1, 'pcall', 'value expected');
    try {
      const called = calls.callable(args[0], undefined);
      // Spreading costs more than all the rest.
      const result = args.length === 1 ? called() : called(...args.slice(1));
      return Array.isArray(result) ? [true, ...result] : [true, result];
    } catch (thrown) {
      return [false, caught(thrown)];
    }
  }
  function luaXPcall(...args: LuaValue[]): LuaValue[] {
    if (args.length < 2) badArgument(2, 'xpcall', 'value expected');
    try {
      return [true, ...many(calls.callable(args[0], undefined)(...args.slice(2)))];
    } catch (thrown) {
      return [false, ...many(calls.callable(args[1], undefined)(caught(thrown)))];
    }
  }

  const functions: Record<string, LuaFunction> = {
    next,
    pcall: luaPcall,
    xpcall: luaXPcall,
    assert(...args) {
      if (isTrue(any(args, 'assert'))) return args;
      if (args.length === 1) throw new Raised('assertion failed!', 'assertion failed!');
      throw new Raised(ex.tostring(args[1]), args[1]);
    },
    error(...args) {
      const [value, given = 1] = args;
      const level = toNumber(given) ?? 1;
      const raised = new LuaError('');
      if (typeof value === 'string' && level > 0) {
        const text = where(raised, level) + value;
        throw new Raised(text, text);
      }
      throw new Raised(ex.tostring(value), value);
    },
    getmetatable(...args) {
      const value = any(args, 'getmetatable');
      if (typeof value === 'string') return false;
      const metatable = calls.metatable(value);
      return metatable?.getString('__metatable') ?? metatable;
    },
    setmetatable(...args) {
      const list = table(args[0], 1, 'setmetatable', args.length);
      const metatable = args[1];
      if (metatable !== undefined && !(metatable instanceof LuaTable)) {
        badArgument(2, 'setmetatable', 'nil or table expected');
      }
      if (list.metatable?.getString('__metatable') !== undefined)
        throw new LuaError('cannot change a protected metatable');
      list.metatable = metatable;
      return list;
    },
    ipairs(...args) {
      if (args.length === 0) badArgument(1, 'ipairs', 'table expected, got no value');
      return [step as unknown as LuaValue, args[0], 0];
    },
    pairs(...args) {
      const handler = calls.metamethod(args[0], '__pairs');
      if (handler !== undefined) {
        const results = many(calls.callable(handler, undefined)(args[0]));
        return [results[0], results[1], results[2]];
      }
      return [next as unknown as LuaValue, table(args[0], 1, 'pairs', args.length), undefined];
    },
    rawequal: (a, b) => a === b,
    rawget: (...args) => table(args[0], 1, 'rawget', args.length).get(args[1]),
    rawset(...args) {
      const list = table(args[0], 1, 'rawset', args.length);
      list.set(args[1], args[2]);
      return list;
    },
    rawlen: (value) =>
      typeof value === 'string'
        ? value.length
        : value instanceof LuaTable
          ? value.length
          : badArgument(1, 'rawlen', 'table or string expected'),
    select(...args) {
      const count = args.length - 1;
      if (args[0] === '#') return count;
      const n = toNumber(args[0]);
      if (n === undefined) {
        return badArgument(
          1,
          'select',
          `number expected, got ${args.length === 0 ? 'no value' : calls.type(args[0])}`,
        );
      }
      if (n === 0 || n < -count) badArgument(1, 'select', 'index out of range');
      return args.slice(n < 0 ? count + n + 1 : n);
    },
    tostring: (...args) => ex.tostring(any(args, 'tostring')),
    type: (...args) => calls.type(any(args, 'type')),
  };
  return { functions, steppers: { next: next as unknown as LuaValue, ipairs: step as unknown as LuaValue } };
}
