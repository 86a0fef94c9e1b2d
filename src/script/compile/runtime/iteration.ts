/** The generic `for`: one object a loop, so that walking a table makes nothing a step. */

import type { LuaValue } from '../../executor.js';
import { type Calls, type LuaFunction, many } from './calls.js';
import { LuaTable } from './table.js';

/** `next()` tells whether there is another step; `a` and `b` are then its first values, `rest()` all of them. */
export interface Iteration {
  a: LuaValue;
  b: LuaValue;
  next(): boolean;
  rest(): LuaValue[];
}

/** Over `next`. */
export class TableIteration implements Iteration {
  a: LuaValue = undefined;
  b: LuaValue = undefined;

  constructor(private readonly table: LuaTable) {}

  next(): boolean {
    const { table } = this;
    // Entries may have gone, and the array have become shorter, since the last step.
    const position = table.used(table.after(this.a));
    if (position < 0) return false;
    this.a = table.keyAt(position);
    this.b = table.valueAt(position);
    return true;
  }

  rest(): LuaValue[] {
    return [this.a, this.b];
  }
}

/** Over what `ipairs` returns. */
export class ListIteration implements Iteration {
  a: LuaValue = 0;
  b: LuaValue = undefined;
  private i = 0;

  constructor(
    private readonly list: LuaValue,
    private readonly calls: Calls,
  ) {}

  next(): boolean {
    const { list } = this;
    this.i++;
    let value = list instanceof LuaTable ? list.get(this.i) : undefined;
    if (value === undefined && !(list instanceof LuaTable && list.metatable === undefined)) {
      value = this.calls.index(list, this.i, undefined);
    }
    this.a = this.i;
    this.b = value;
    return value !== undefined;
  }

  rest(): LuaValue[] {
    return [this.a, this.b];
  }
}

/** Over any function. */
export class CallIteration implements Iteration {
  a: LuaValue;
  b: LuaValue = undefined;
  private result: LuaValue | LuaValue[] = undefined;

  constructor(
    private readonly fn: LuaFunction,
    private readonly state: LuaValue,
    control: LuaValue,
  ) {
    this.a = control;
  }

  next(): boolean {
    const result = this.fn(this.state, this.a);
    this.result = result;
    if (Array.isArray(result)) {
      this.a = result[0];
      this.b = result[1];
    } else {
      this.a = result;
      this.b = undefined;
    }
    return this.a !== undefined;
  }

  rest(): LuaValue[] {
    return many(this.result);
  }
}
