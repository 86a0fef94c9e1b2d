/**
 * A Lua table: values 1…n in an array, all others as parallel lists of keys and values in the order of their
 * insertion, found by a Map once there are more than a few. A removed entry keeps its place until the table grows, so
 * that `next` goes on from it, as Lua's dead keys do. No key is ever a property of an object.
 */

import { LuaError, type LuaRef, type LuaValue } from '../../executor.js';

/** Up to this many entries are compared one by one, which is faster than a Map. */
const FEW = 8;

/** Most entries of one table. */
const MAX_ENTRIES = 2 ** 24;

export class LuaTable implements LuaRef {
  readonly luaRef = 'table';
  metatable: LuaTable | undefined = undefined;
  private places: Map<LuaValue, number> | undefined = undefined;
  private removed = 0;

  /** `keys` are distinct and neither nil, NaN nor 1…; both lists are taken over. Values may be nil. */
  constructor(
    readonly array: LuaValue[],
    private keys: LuaValue[],
    private values: LuaValue[],
  ) {}

  private place(key: LuaValue): number {
    const { places, keys } = this;
    if (places !== undefined) return places.get(key) ?? -1;
    if (keys.length > FEW) return this.buildPlaces().get(key) ?? -1;
    for (let i = 0; i < keys.length; i++) if (keys[i] === key) return i;
    return -1;
  }

  private buildPlaces(): Map<LuaValue, number> {
    const places = new Map<LuaValue, number>();
    for (let i = 0; i < this.keys.length; i++) places.set(this.keys[i], i);
    this.places = places;
    return places;
  }

  /** The value of a key; undefined when there is none. */
  get(key: LuaValue): LuaValue {
    if (typeof key === 'number') {
      const { array } = this;
      if (key >= 1 && key <= array.length && Number.isInteger(key)) return array[key - 1];
    }
    const place = this.place(key);
    return place < 0 ? undefined : this.values[place];
  }

  /** `get` for a key that is a string. */
  getString(key: string): LuaValue {
    const { places, keys } = this;
    if (places === undefined && keys.length <= FEW) {
      for (let i = 0; i < keys.length; i++) if (keys[i] === key) return this.values[i];
      return undefined;
    }
    const place = this.place(key);
    return place < 0 ? undefined : this.values[place];
  }

  /** Sets a key; undefined removes it. Raises for nil and NaN. */
  set(key: LuaValue, value: LuaValue): void {
    if (typeof key === 'number') {
      const { array } = this;
      const { length } = array;
      if (key >= 1 && key <= length && Number.isInteger(key)) {
        array[key - 1] = value;
        if (value === undefined && key === length) this.trim();
        return;
      }
      if (key === length + 1) {
        if (value !== undefined) this.append(value);
        return;
      }
      if (Number.isNaN(key)) throw new LuaError('table index is NaN');
    } else if (key === undefined) throw new LuaError('table index is nil');
    this.setEntry(key, value);
  }

  private append(value: LuaValue): void {
    const { array } = this;
    if (array.length >= MAX_ENTRIES) throw new LuaError('table overflow');
    array.push(value);
    if (this.keys.length === 0) return;
    // What waited behind the end of the array belongs to it now.
    for (;;) {
      const place = this.place(array.length + 1);
      const next = place < 0 ? undefined : this.values[place];
      if (next === undefined) return;
      this.values[place] = undefined;
      this.removed++;
      array.push(next);
    }
  }

  private trim(): void {
    const { array } = this;
    while (array.length > 0 && array[array.length - 1] === undefined) array.pop();
  }

  private setEntry(key: LuaValue, value: LuaValue): void {
    const place = this.place(key);
    if (place >= 0 && this.values[place] !== undefined) {
      this.values[place] = value;
      if (value === undefined) this.removed++;
      return;
    }
    if (value === undefined) return;
    // A key that comes back is a new one.
    if (place >= 0) this.keys[place] = undefined;
    if (this.removed > FEW && this.removed > this.keys.length / 2) this.compact();
    if (this.keys.length >= MAX_ENTRIES) throw new LuaError('table overflow');
    this.places?.set(key, this.keys.length);
    this.keys.push(key);
    this.values.push(value);
  }

  private compact(): void {
    const { keys, values } = this;
    this.keys = keys.filter((_, i) => values[i] !== undefined);
    this.values = values.filter((value) => value !== undefined);
    this.places = undefined;
    this.removed = 0;
  }

  /** A border: n where n is set and n + 1 is not. */
  get length(): number {
    return this.array.length;
  }

  /** Where the entry behind `key` may be, for {@link keyAt} and {@link valueAt}; undefined is the first. */
  after(key: LuaValue): number {
    const { length } = this.array;
    if (key === undefined) return 0;
    if (typeof key === 'number' && key >= 1 && key <= length && Number.isInteger(key)) return key;
    const place = this.place(key);
    if (place >= 0) return length + place + 1;
    // It was in the array, whose end was removed meanwhile.
    if (typeof key === 'number' && key >= 1 && Number.isInteger(key)) return length;
    throw new LuaError("invalid key to 'next'");
  }

  /** The first position from `at` on that holds something; -1 at the end. */
  used(at: number): number {
    const { array, values } = this;
    const { length } = array;
    let i = at;
    for (; i < length; i++) if (array[i] !== undefined) return i;
    const end = length + values.length;
    for (; i < end; i++) if (values[i - length] !== undefined) return i;
    return -1;
  }

  keyAt(position: number): LuaValue {
    const { length } = this.array;
    return position < length ? position + 1 : this.keys[position - length];
  }

  valueAt(position: number): LuaValue {
    const { length } = this.array;
    return position < length ? this.array[position] : this.values[position - length];
  }
}
