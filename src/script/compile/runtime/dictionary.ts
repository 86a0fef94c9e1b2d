/**
 * Keys of any kind with their values, in the order of their insertion, found by a Map once there are more than a few. A
 * removed entry keeps its place until the dictionary grows, so that `next` goes on from it, as Lua's dead keys do.
 */

import { LuaError, type LuaValue } from '../../executor.js';

/** Up to this many entries are compared one by one, which is faster than a Map. */
const FEW = 8;

/** Most entries of one table. */
export const MAX_ENTRIES = 2 ** 24;

export class Dictionary {
  private places: Map<LuaValue, number> | undefined = undefined;
  private removed = 0;

  /** `keys` are distinct; both lists are taken over. Values may be nil. */
  constructor(
    private keys: LuaValue[],
    private values: LuaValue[],
  ) {}

  /** How many places there are, those of removed entries included. */
  get size(): number {
    return this.keys.length;
  }

  keyAt(place: number): LuaValue {
    return this.keys[place];
  }

  valueAt(place: number): LuaValue {
    return this.values[place];
  }

  /** Where a key stands; -1 when nowhere. */
  place(key: LuaValue): number {
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

  get(key: LuaValue): LuaValue {
    const place = this.place(key);
    return place < 0 ? undefined : this.values[place];
  }

  /** Sets a key that is neither nil nor NaN; undefined removes it. */
  set(key: LuaValue, value: LuaValue): void {
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
}
