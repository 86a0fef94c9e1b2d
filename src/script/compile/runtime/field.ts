/** Fields by a name that stands in the source: each such place remembers the shape it met last and the slot there. */

import type { LuaValue } from '../../executor.js';
import type { Calls } from './calls.js';
import type { Names } from './operators.js';
import { Shape } from './shape.js';
import { DICTIONARY, LuaTable } from './table.js';

/** A place's memory before it has met a table. */
const NEVER = Shape.dictionary();

/** A place that reads the field `key`. Compiled code itself compares `shape` and looks into `slot`. */
export class Reading {
  /** The shape met last. */
  shape = NEVER;
  /** The field's slot in tables of that shape; 0 where they have none. */
  slot = 0;
  /** The same of the table that a metatable's `__index` named last. */
  base = NEVER;
  baseSlot = 0;

  constructor(readonly key: string) {}
}

/** A place that writes the field `key`. */
export class Writing {
  /** The shape of the table after it was last written to. */
  shape = NEVER;
  slot = 0;
  /** Its shape before, if the field was new. */
  before = NEVER;

  constructor(readonly key: string) {}
}

/** Reads and writes where a place meets what it does not remember. */
export class Fields {
  constructor(private readonly calls: Calls) {}

  get(object: LuaValue, place: Reading, name: Names): LuaValue {
    if (object instanceof LuaTable) {
      const value = own(object, place);
      const { metatable } = object;
      if (value !== undefined || metatable === undefined || !metatable.shape.indexes) return value;
      const base = metatable.getString('__index');
      if (base instanceof LuaTable && base.metatable === undefined) return inherited(base, place);
    } else if (typeof object === 'string') return own(this.calls.strings, place);
    return this.calls.index(object, place.key, name);
  }

  set(object: LuaValue, place: Writing, value: LuaValue, name: Names): void {
    if (object instanceof LuaTable && value !== undefined) {
      const { shape, metatable } = object;
      if (shape === place.shape && object.slots[place.slot] !== undefined) {
        object.slots[place.slot] = value;
        return;
      }
      if (metatable === undefined || !metatable.shape.newIndexes) {
        if (shape === place.before) object.addSlot(place.shape, value);
        else {
          object.set(place.key, value);
          remember(place, shape, object.shape);
        }
        return;
      }
    }
    this.calls.setIndex(object, place.key, value, name);
  }
}

function own(table: LuaTable, place: Reading): LuaValue {
  const { shape } = table;
  if (shape !== place.shape) {
    if (shape === DICTIONARY) return table.getString(place.key);
    place.shape = shape;
    place.slot = shape.slot(place.key);
  }
  return table.slots[place.slot];
}

function inherited(base: LuaTable, place: Reading): LuaValue {
  const { shape } = base;
  if (shape !== place.base) {
    if (shape === DICTIONARY) return base.getString(place.key);
    place.base = shape;
    place.baseSlot = shape.slot(place.key);
  }
  return base.slots[place.baseSlot];
}

/** After a field was set: a table that looks as this one did before will look as it does now. */
function remember(place: Writing, before: Shape, after: Shape): void {
  if (after === DICTIONARY) return;
  place.shape = after;
  place.slot = after.slot(place.key);
  place.before = before === after ? NEVER : before;
}
