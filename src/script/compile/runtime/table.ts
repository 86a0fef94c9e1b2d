/**
 * A Lua table: values 1…n in an array; string keys as slots by a {@link Shape} while they come one after another as the
 * fields of records do; all keys but the array's in a {@link Dictionary} otherwise. Either way `next` walks them in the
 * order of their insertion. No key is ever a property of an object.
 */

import { LuaError, type LuaRef, type LuaValue } from '../../executor.js';
import { Dictionary, MAX_ENTRIES } from './dictionary.js';
import { Shape } from './shape.js';

/**
 * The array of a table that has no values. It is never written to. All arrays begin with this undefined, so that keys
 * and slots count from 1, and V8 keeps all of them as arrays of one kind.
 */
export const NOTHING: LuaValue[] = [undefined];

/** The shape of tables with a dictionary: no cached shape equals it, and it tells of no key. */
export const DICTIONARY = Shape.dictionary();

export class LuaTable implements LuaRef {
  metatable: LuaTable | undefined = undefined;
  private dictionary: Dictionary | undefined = undefined;

  /** `shape` tells the keys of `slots`, from 1; `items[1]`… are the values of 1…, the last of them not nil. */
  constructor(
    public shape: Shape,
    public slots: LuaValue[],
    public items: LuaValue[],
  ) {}

  get luaRef(): 'table' {
    return 'table';
  }

  /** A border: n where n is set and n + 1 is not. */
  get length(): number {
    return this.items.length - 1;
  }

  /** The value of a key; undefined when there is none. */
  get(key: LuaValue): LuaValue {
    if (typeof key === 'string') return this.getString(key);
    if (typeof key === 'number' && isItem(key, this.items.length)) return this.items[key];
    return this.dictionary?.get(key);
  }

  /** `get` for a key that is a string. */
  getString(key: string): LuaValue {
    return this.dictionary === undefined ? this.slots[this.shape.slot(key)] : this.dictionary.get(key);
  }

  /** Sets a key; undefined removes it. Raises for nil and NaN. */
  set(key: LuaValue, value: LuaValue): void {
    if (typeof key === 'string') this.setString(key, value);
    else if (typeof key === 'number') this.setNumber(key, value);
    else if (key === undefined) throw new LuaError('table index is nil');
    else this.setOther(key, value);
  }

  private setNumber(key: number, value: LuaValue): void {
    const { items } = this;
    const { length } = items;
    if (isItem(key, length)) {
      items[key] = value;
      if (value === undefined && key === length - 1) this.trim();
    } else if (key === length) {
      if (value !== undefined) this.append(value);
    } else if (Number.isNaN(key)) throw new LuaError('table index is NaN');
    else this.setOther(key, value);
  }

  private setString(key: string, value: LuaValue): void {
    if (this.dictionary === undefined) {
      const { shape } = this;
      const slot = shape.slot(key);
      if (slot === 0) {
        if (value === undefined) return;
        const wider = shape.with(key);
        if (wider !== undefined) {
          this.addSlot(wider, value);
          return;
        }
      } else if (value === undefined || this.slots[slot] !== undefined) {
        this.slots[slot] = value;
        return;
      }
    }
    this.setOther(key, value);
  }

  /** Adds the value of the one key that `wider` has more than this table. */
  addSlot(wider: Shape, value: LuaValue): void {
    if (this.slots === NOTHING) this.slots = [undefined, value];
    else this.slots.push(value);
    this.shape = wider;
  }

  private setOther(key: LuaValue, value: LuaValue): void {
    if (this.dictionary === undefined) {
      if (value === undefined) return;
      this.dictionary = new Dictionary([...this.shape.keys], this.slots.slice(1));
      this.shape = DICTIONARY;
      this.slots = NOTHING;
    }
    this.dictionary.set(key, value);
  }

  /** Sets `length + 1`, to anything but nil. */
  append(value: LuaValue): void {
    if (this.items.length > MAX_ENTRIES) throw new LuaError('table overflow');
    if (this.items === NOTHING) this.items = [undefined, value];
    else this.items.push(value);
    const { dictionary, items } = this;
    if (dictionary === undefined) return;
    // What waited behind the end of the array belongs to it now.
    for (;;) {
      const next = dictionary.get(items.length);
      if (next === undefined) return;
      dictionary.set(items.length, undefined);
      items.push(next);
    }
  }

  private trim(): void {
    const { items } = this;
    while (items.length > 1 && items[items.length - 1] === undefined) items.pop();
  }

  // -- Walking: a position is a place among the array's values, then those of the other keys. ---------------------

  /** Where the entry behind `key` may be, for {@link used}; undefined is the first. */
  after(key: LuaValue): number {
    if (key === undefined) return 0;
    const { items, dictionary, shape } = this;
    if (typeof key === 'number' && isItem(key, items.length)) return key;
    const place =
      dictionary !== undefined ? dictionary.place(key) : typeof key === 'string' ? shape.slot(key) - 1 : -1;
    if (place >= 0) return items.length + place;
    // It was in the array, whose end was removed meanwhile.
    if (typeof key === 'number' && key >= 1 && Number.isInteger(key)) return items.length - 1;
    throw new LuaError("invalid key to 'next'");
  }

  /** The first position from `at` on that holds something; -1 at the end. */
  used(at: number): number {
    const length = this.items.length - 1;
    const end = length + (this.dictionary === undefined ? this.slots.length - 1 : this.dictionary.size);
    for (let i = at; i < end; i++) if (this.valueAt(i) !== undefined) return i;
    return -1;
  }

  keyAt(position: number): LuaValue {
    const length = this.items.length - 1;
    if (position < length) return position + 1;
    return this.dictionary === undefined
      ? this.shape.keys[position - length]
      : this.dictionary.keyAt(position - length);
  }

  valueAt(position: number): LuaValue {
    const length = this.items.length - 1;
    if (position < length) return this.items[position + 1];
    return this.dictionary === undefined
      ? this.slots[position - length + 1]
      : this.dictionary.valueAt(position - length);
  }
}

/** Whether a number is one of 1…`length - 1`. */
function isItem(key: number, length: number): boolean {
  return key >= 1 && key < length && Number.isInteger(key);
}
