/** Checks of native functions' arguments, with Lua's coercions and the wording of Lua's own library. */

import { type Executor, LuaError, type LuaValue } from './executor.js';
import { numberToString, parseNumber } from './numbers.js';

/** The arguments of one call, read by position from 1. */
export class Arguments {
  constructor(
    private readonly ex: Executor,
    private readonly name: string,
    private readonly args: LuaValue[],
  ) {}

  /** How many arguments were given. */
  get count(): number {
    return this.args.length;
  }

  /** The argument as it is; undefined when absent or nil. */
  value(i: number): LuaValue {
    return this.args[i - 1];
  }

  /** Raises "bad argument #i to 'name' (message)". */
  fail(i: number, message: string): never {
    throw new LuaError(`bad argument #${i} to '${this.name}' (${message})`);
  }

  /** Raises when the argument was not even given (nil is a value). */
  any(i: number): LuaValue {
    if (i > this.args.length) this.fail(i, 'value expected');
    return this.args[i - 1];
  }

  /** A string; numbers become their decimal form. */
  string(i: number): string {
    const v = this.args[i - 1];
    if (typeof v === 'string') return v;
    if (typeof v === 'number') return numberToString(v);
    return this.mismatch(i, 'string');
  }

  /** A number; strings that hold a numeral are converted. */
  number(i: number): number {
    const v = this.args[i - 1];
    if (typeof v === 'number') return v;
    if (typeof v === 'string') {
      const n = parseNumber(v);
      if (n !== undefined) return n;
    }
    return this.mismatch(i, 'number');
  }

  /** A whole number to 2^53, or `fallback` when absent. */
  integer(i: number, fallback?: number): number {
    if (fallback !== undefined && this.args[i - 1] === undefined) return fallback;
    const n = this.number(i);
    if (!Number.isInteger(n)) this.fail(i, 'number has no integer representation');
    return n;
  }

  /** A table reference. */
  table(i: number): LuaValue {
    const v = this.args[i - 1];
    return this.ex.type(v) === 'table' ? v : this.mismatch(i, 'table');
  }

  /** A function, Lua or native. */
  function(i: number): LuaValue {
    const v = this.args[i - 1];
    return this.ex.type(v) === 'function' ? v : this.mismatch(i, 'function');
  }

  private mismatch(i: number, expected: string): never {
    const got = i > this.args.length ? 'no value' : this.ex.type(this.args[i - 1]);
    return this.fail(i, `${expected} expected, got ${got}`);
  }
}
