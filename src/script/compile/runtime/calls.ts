/** Indexing, calling and metatables. A compiled function takes its arguments as they are and returns one value, or an
 * array for any other number of values. */

import { HostObject, LuaError, type LuaValue, luaType } from '../../executor.js';
import type { Names } from './operators.js';
import { Shape } from './shape.js';
import { LuaTable, NOTHING } from './table.js';

/** A function as compiled code calls it. */
export type LuaFunction = (...args: LuaValue[]) => LuaValue | LuaValue[];

/** Most steps from one `__index` or `__newindex` to the next. */
const MAX_CHAIN = 2000;

/** The first of a call's results. */
export function one(result: LuaValue | LuaValue[]): LuaValue {
  return Array.isArray(result) ? result[0] : result;
}

/** All of a call's results. */
export function many(result: LuaValue | LuaValue[]): LuaValue[] {
  return Array.isArray(result) ? result : [result];
}

export class Calls {
  /** The shape of a table without keys. */
  readonly root = Shape.root();
  /** The functions of `string`, which every string has as methods. */
  readonly strings = this.table();
  private readonly kinds = new Map<string, LuaTable>();

  /** A new table. */
  table(): LuaTable {
    return new LuaTable(this.root, NOTHING, NOTHING);
  }

  /** The metatable of a kind of objects of the host; its `__index` holds the methods. */
  kind(name: string): LuaTable {
    let metatable = this.kinds.get(name);
    if (!metatable) {
      metatable = this.table();
      metatable.set('__index', this.table());
      metatable.set('__name', name);
      metatable.set('__metatable', false);
      this.kinds.set(name, metatable);
    }
    return metatable;
  }

  metatable(value: LuaValue): LuaTable | undefined {
    if (value instanceof LuaTable) return value.metatable;
    return value instanceof HostObject ? this.kind(value.kind) : undefined;
  }

  metamethod(value: LuaValue, event: string): LuaValue {
    return this.metatable(value)?.getString(event);
  }

  /** A value's type, or what its metatable calls it. */
  typeName(value: LuaValue): string {
    const name = this.metamethod(value, '__name');
    return typeof name === 'string' ? name : this.type(value);
  }

  type(value: LuaValue): string {
    return luaType(value);
  }

  first(fn: LuaValue, a?: LuaValue, b?: LuaValue): LuaValue {
    return one(this.callable(fn, undefined)(a, b));
  }

  /** `object[key]` where it is no table's own field. */
  index(object: LuaValue, key: LuaValue, name: Names): LuaValue {
    let holder = object;
    for (let i = 0; i < MAX_CHAIN; i++) {
      if (typeof holder === 'string') return this.strings.get(key);
      if (holder instanceof LuaTable) {
        const value = holder.get(key);
        if (value !== undefined || holder.metatable === undefined) return value;
      }
      const handler = this.metamethod(holder, '__index');
      if (handler === undefined) {
        if (holder instanceof LuaTable) return undefined;
        throw this.cannot('index', holder, name);
      }
      if (typeof handler === 'function') return this.first(handler, holder, key);
      holder = handler;
    }
    throw new LuaError("'__index' chain too long; possibly a loop");
  }

  setIndex(object: LuaValue, key: LuaValue, value: LuaValue, name: Names): void {
    let holder = object;
    for (let i = 0; i < MAX_CHAIN; i++) {
      const handler: LuaValue = this.metamethod(holder, '__newindex');
      if (holder instanceof LuaTable && (handler === undefined || holder.get(key) !== undefined)) {
        holder.set(key, value);
        return;
      }
      if (handler === undefined) throw this.cannot('index', holder, name);
      if (typeof handler === 'function') {
        (handler as unknown as LuaFunction)(holder, key, value);
        return;
      }
      holder = handler;
    }
    throw new LuaError("'__newindex' chain too long; possibly a loop");
  }

  /** What to call for a value: itself, or its `__call` with the value in front; else a function that raises. */
  callable(fn: LuaValue, name: Names): LuaFunction {
    if (typeof fn === 'function') return fn as unknown as LuaFunction;
    const handler = this.metamethod(fn, '__call');
    if (typeof handler === 'function') {
      return (...args) => (handler as unknown as LuaFunction)(fn, ...args);
    }
    return () => {
      throw this.cannot('call', fn, name);
    };
  }

  private cannot(what: string, value: LuaValue, name: Names): LuaError {
    return new LuaError(
      `attempt to ${what} a ${this.typeName(value)} value${name === undefined ? '' : ` (${name})`}`,
    );
  }
}
