/** The smallest thing that can run natives: for testing the standard library without a Lua VM. */

import {
  type Executor,
  HostObject,
  LuaError,
  type LuaRef,
  type LuaValue,
  type Native,
} from '../../src/script/executor.js';
import { numberToString } from '../../src/script/numbers.js';

/** A table whose keys are compared as JavaScript does. */
export class FakeTable implements LuaRef {
  readonly luaRef = 'table';
  constructor(readonly fields: Map<LuaValue, LuaValue>) {}
}

/** Counts steps and stops at `budget`. */
export class FakeExecutor implements Executor {
  steps = 0;

  constructor(readonly budget = Number.POSITIVE_INFINITY) {}

  charge(steps: number): void {
    this.steps += steps;
    if (this.steps > this.budget) throw new LuaError('budget exceeded');
  }

  call(fn: LuaValue, args: LuaValue[]): LuaValue[] {
    if (typeof fn !== 'function') throw new LuaError(`attempt to call a ${this.type(fn)} value`);
    const result = fn(this, args);
    return Array.isArray(result) ? result : [result];
  }

  index(table: LuaValue, key: LuaValue): LuaValue {
    if (!(table instanceof FakeTable)) throw new LuaError(`attempt to index a ${this.type(table)} value`);
    return table.fields.get(key);
  }

  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void {
    if (!(table instanceof FakeTable)) throw new LuaError(`attempt to index a ${this.type(table)} value`);
    if (value === undefined) table.fields.delete(key);
    else table.fields.set(key, value);
  }

  length(value: LuaValue): number {
    if (typeof value === 'string') return value.length;
    let n = 0;
    while (this.index(value, n + 1) !== undefined) n++;
    return n;
  }

  lessThan(a: LuaValue, b: LuaValue): boolean {
    if (typeof a === 'number' && typeof b === 'number') return a < b;
    if (typeof a === 'string' && typeof b === 'string') return a < b;
    throw new LuaError(`attempt to compare ${this.type(a)} with ${this.type(b)}`);
  }

  table(fields: Record<string, LuaValue>): FakeTable {
    return new FakeTable(new Map(Object.entries(fields)));
  }

  tostring(value: LuaValue): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return numberToString(value);
    return typeof value === 'object' || typeof value === 'function'
      ? `${this.type(value)}: 0x1`
      : value === undefined
        ? 'nil'
        : String(value);
  }

  type(value: LuaValue): string {
    if (value === undefined) return 'nil';
    if (value instanceof HostObject) return 'userdata';
    if (typeof value === 'object') return value.luaRef;
    return typeof value;
  }

  /** Calls a native of a library and returns all its results; trailing missing arguments are simply left out. */
  run(fn: LuaValue | Native, ...args: LuaValue[]): LuaValue[] {
    return this.call(fn, args);
  }
}
