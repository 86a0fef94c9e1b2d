/**
 * Carries data from one VM to another, of whichever kind they are: tables are copied, and what is the same table within
 * a value is the same one in its copy. Functions, coroutines and tables with a metatable belong to their VM and stay
 * behind.
 */

import { HostObject, type LuaRef, type LuaValue } from './executor.js';

/** What is needed of a VM. */
export interface CarryHost {
  /** The fields of a table; undefined for one with a metatable. */
  entries(table: LuaRef): [key: LuaValue, value: LuaValue][] | undefined;
  /** An empty table. */
  newTable(): LuaRef;
  /** Sets a field of a table without metatable. */
  setField(table: LuaRef, key: LuaValue, value: LuaValue): void;
  /** What is the same for two references to one table. */
  tableIdentity(table: LuaRef): unknown;
}

/** How values pass. */
export interface Carriage {
  readonly from: CarryHost;
  readonly to: CarryHost;
  /** What an object of ours is in the other VM; undefined for one that means nothing there. */
  object(object: HostObject): HostObject | undefined;
}

/** Deepest nesting of tables that is carried, and most fields. */
const MAX_DEPTH = 64;
const MAX_FIELDS = 100_000;
/** Places that are told of what stayed behind. */
const MAX_TOLD = 20;

/**
 * Carries a value. `name`: how what stays behind is told, as `session`, in `lost`: "session.timer: a function".
 */
export function carry(value: LuaValue, carriage: Carriage, name: string, lost: string[]): LuaValue {
  return new Carrier(carriage, lost).value(value, name, 0);
}

class Carrier {
  private readonly tables = new Map<unknown, LuaRef>();
  private fields = 0;

  constructor(
    private readonly carriage: Carriage,
    private readonly lost: string[],
  ) {}

  value(value: LuaValue, place: string, depth: number): LuaValue {
    if (typeof value === 'function') return this.leave(place, 'function');
    if (typeof value !== 'object') return value;
    if (value instanceof HostObject) return this.carriage.object(value) ?? this.leave(place, value.kind);
    if (value.luaRef !== 'table') return this.leave(place, value.luaRef);
    return this.table(value, place, depth);
  }

  private table(table: LuaRef, place: string, depth: number): LuaValue {
    const { from, to } = this.carriage;
    const identity = from.tableIdentity(table);
    const known = this.tables.get(identity);
    if (known) return known;
    const entries = from.entries(table);
    if (entries === undefined) return this.leave(place, 'table with a metatable');
    if (depth >= MAX_DEPTH) return this.leave(place, `table nested deeper than ${MAX_DEPTH}`);
    this.fields += entries.length;
    if (this.fields > MAX_FIELDS) return this.leave(place, `table beyond ${MAX_FIELDS} fields`);
    const copy = to.newTable();
    this.tables.set(identity, copy);
    for (const [key, item] of entries) {
      const at = typeof key === 'string' ? `${place}.${key}` : `${place}[${String(key)}]`;
      const copiedKey = this.value(key, `a key of ${place}`, depth + 1);
      if (copiedKey === undefined) continue;
      const copied = this.value(item, at, depth + 1);
      if (copied !== undefined) to.setField(copy, copiedKey, copied);
    }
    return copy;
  }

  private leave(place: string, what: string): undefined {
    if (this.lost.length < MAX_TOLD) this.lost.push(`${place}: a ${what}`);
    return undefined;
  }
}
