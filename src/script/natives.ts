/**
 * Puts functions written in TypeScript into a VM: library natives as they are, and entries of the Lua API with
 * the argument checks and conversions that their data asks for.
 */

import { type ApiFunction, type ApiType, type ApiValue, Failure } from './api.js';
import { fromJs, textSlot, toJs, toOptions } from './convert.js';
import { LuaError, type LuaValue, type Native } from './executor.js';
import {
  BOOLEAN,
  bytesOf,
  type CFunction,
  FUNCTION,
  type LuaThread,
  api as lua,
  NIL,
  NUMBER,
  nilSlot,
  oneByte,
  push,
  raise,
  type Slot,
  STRING,
  stringBytes,
  TABLE,
  typeOf,
} from './fengari.js';
import { numberToString, parseNumber } from './numbers.js';
import type { Pushable } from './values.js';
import type { Vm } from './vm.js';

/** Runs `body` as a native function of `vm`: on its thread, with every exception turned into a Lua error. */
export function guard(vm: Vm, body: CFunction): CFunction {
  return (L) => {
    const outer = vm.thread;
    vm.thread = L;
    try {
      return body(L);
    } catch (thrown) {
      if (thrown instanceof LuaError) return raiseValue(vm, L, thrown);
      // Fengari unwinds by throwing plain objects; they are none of our business.
      if (!(thrown instanceof Error)) throw thrown;
      vm.log.error('a native function failed', { error: thrown.stack });
      return raise(L, `internal error: ${thrown.message}`, 1);
    } finally {
      vm.thread = outer;
    }
  };
}

function raiseValue(vm: Vm, L: LuaThread, error: LuaError): never {
  if (error.value === undefined) return raise(L, error.message, 1);
  push(L, vm.values.slot(error.value));
  return lua.error(L);
}

/** Most results one native call may return. */
const MAX_RESULTS = 15_000;

/** Wraps a library function. */
export function wrapNative(vm: Vm, native: Native): CFunction {
  return guard(vm, (L) => {
    const args: LuaValue[] = [];
    for (let i = L.ci.funcOff + 1; i < L.top; i++) args.push(vm.values.read(L.stack[i]!));
    const result = native(vm, args);
    if (!Array.isArray(result)) {
      push(L, vm.values.slot(result));
      return 1;
    }
    if (result.length > MAX_RESULTS || !lua.checkStack(L, result.length)) {
      throw new LuaError('too many results');
    }
    for (const value of result) push(L, vm.values.slot(value));
    return result.length;
  });
}

/** Wraps an entry of the Lua API; `hostOf` finds the object its `run` works on, given the first argument. */
export function wrapApi<Host>(
  vm: Vm,
  entry: ApiFunction<Host>,
  hostOf: (self: LuaValue) => Host | undefined,
): CFunction {
  const isMethod = entry.name.includes(':');
  const { params, returns } = entry;
  const reportsErrorOnly = entry.failure === 'error';

  const finish = (L: LuaThread, result: unknown): number => {
    if (result instanceof Failure) {
      if (!reportsErrorOnly) push(L, nilSlot());
      push(L, textSlot(result.message));
      return reportsErrorOnly ? 1 : 2;
    }
    if (returns.length === 0) return 0;
    if (returns.length === 1 && !returns[0]!.rest) {
      push(L, resultSlot(vm, L, returns[0]!.type, result));
      return 1;
    }
    const results = result as unknown[];
    if (!lua.checkStack(L, results.length)) throw new LuaError('too many results');
    results.forEach((value, i) => {
      push(L, resultSlot(vm, L, returns[Math.min(i, returns.length - 1)]!.type, value));
    });
    return results.length;
  };

  return guard(vm, (L) => {
    const first = L.ci.funcOff + 1 + (isMethod ? 1 : 0);
    const host = hostOf(isMethod ? vm.values.read(L.stack[first - 1] ?? nilSlot()) : undefined);
    if (isMethod && (host === undefined || first > L.top)) {
      throw new LuaError(`call it as ${entry.name}(…), with a colon`);
    }
    const args: unknown[] = [];
    for (let i = 0; i < params.length; i++) {
      const param = params[i]!;
      if (param.rest) {
        for (let at = first + i; at < L.top; at++) {
          args.push(argument(vm, entry.name, at - first + 1, L.stack[at], param));
        }
        break;
      }
      const slot = first + i < L.top ? L.stack[first + i] : undefined;
      const absent = slot === undefined || typeOf(slot) === NIL;
      if (absent && param.optional) args.push(undefined);
      else {
        const given = argument(vm, entry.name, i + 1, slot, param);
        if (given instanceof Failure) return finish(L, given);
        args.push(given);
      }
    }
    const waits = typeof entry.waits === 'function' ? entry.waits(...args) : entry.waits === true;
    if (waits && !vm.mayWait(L)) throw new LuaError(`${entry.name} waits, which is not allowed here`);
    const result = entry.run(host as Host, ...args);
    if (!(result instanceof Promise)) return finish(L, result);
    return vm.suspend(L, result, (thread, value) => finish(thread, value));
  });
}

/** Bytes of a string argument that count as one step: natives work through what they are given. */
const BYTES_PER_STEP = 16;

function argument(vm: Vm, name: string, i: number, slot: Slot | undefined, param: ApiValue): unknown {
  const { type } = param;
  if (slot !== undefined && typeOf(slot) === STRING) vm.charge(stringBytes(slot).length / BYTES_PER_STEP);
  const actual = slot === undefined ? NIL : typeOf(slot);
  switch (type) {
    case 'bytes':
      if (actual === STRING) return stringBytes(slot!);
      if (actual === NUMBER) return bytesOf(numberToString(slot!.value as number));
      break;
    case 'string':
      if (actual === STRING) return oneByte(stringBytes(slot!));
      if (actual === NUMBER) return numberToString(slot!.value as number);
      break;
    case 'text':
      if (actual === STRING) return Buffer.from(stringBytes(slot!)).toString('utf8');
      if (actual === NUMBER) return numberToString(slot!.value as number);
      break;
    case 'number':
    case 'integer': {
      const n =
        actual === NUMBER
          ? (slot!.value as number)
          : actual === STRING
            ? parseNumber(oneByte(stringBytes(slot!)))
            : undefined;
      if (n === undefined) break;
      if (type === 'integer' && !Number.isInteger(n)) {
        throw new LuaError(`bad argument #${i} to '${name}' (number has no integer representation)`);
      }
      return n;
    }
    case 'boolean':
      if (actual === BOOLEAN) return slot!.value;
      break;
    case 'value':
      return slot === undefined ? undefined : convert(slot, param);
    case 'options':
      if (actual === TABLE) return toOptions(slot!);
      break;
    case 'function':
      if (actual === FUNCTION) return vm.values.read(slot!);
      break;
    case 'raw':
      return slot === undefined ? undefined : vm.values.read(slot);
    default:
      return type satisfies never;
  }
  const expected = type === 'bytes' || type === 'text' ? 'string' : type === 'options' ? 'table' : type;
  const got = slot === undefined ? 'no value' : vm.type(vm.values.read(slot));
  throw new LuaError(`bad argument #${i} to '${name}' (${expected} expected, got ${got})`);
}

function convert(slot: Slot, param: ApiValue): unknown {
  try {
    return toJs(slot);
  } catch (error) {
    if (param.refusable && error instanceof LuaError)
      return new Failure(`invalid_argument: ${error.message}`);
    throw error;
  }
}

function resultSlot(vm: Vm, L: LuaThread, type: ApiType, value: unknown): Slot {
  if (type === 'value') return fromJs(L, value);
  if (type === 'text' && typeof value === 'string') return textSlot(value);
  return vm.values.slot(value as Pushable);
}
