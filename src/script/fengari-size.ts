/**
 * What a VM keeps, estimated by walking through it: Lua values do not tell their size, and V8 does not tell whose an
 * object is. Only reads, takes little memory itself, and takes about 0.1 µs for each value.
 */

import {
  type LuaTable,
  type LuaThread,
  type Slot,
  STRING,
  TABLE,
  THREAD,
  typeOf,
  USERDATA,
} from './fengari.js';

/** About how many bytes V8 takes for these, on 64-bit machines. */
const TABLE_BYTES = 480;
const ENTRY_BYTES = 190;
const SLOT_BYTES = 40;
const PLACE_BYTES = 8;
const STRING_BYTES = 220;
const OBJECT_BYTES = 120;
const THREAD_BYTES = 600;
const INSTRUCTION_BYTES = 100;

/** The walk ends after so many values, so that it ends soon: what is larger is not told apart. */
const MOST_VALUES = 2_000_000;
/** Places for marks at first. */
const MARKS = 2 ** 14;

/** A function made by Lua code. */
interface Closure {
  readonly id: number;
  readonly p: Prototype;
  readonly upvals: readonly Slot[];
}

/** The code of functions. */
interface Prototype {
  readonly id: number;
  readonly k: readonly Slot[];
  readonly p: readonly Prototype[];
  readonly code: readonly unknown[];
}

/** Whatever has a number in its VM. */
interface Numbered {
  readonly id: number;
}

/** A set of numbers, outside of V8's heap, which is short when this is wanted. */
class Marks {
  private places = new Uint32Array(MARKS);
  private count = 0;

  /** Adds a number; false when it is there already. */
  add(number: number): boolean {
    const mark = number >>> 0 || 1;
    const at = this.placeOf(mark);
    if (this.places[at] === mark) return false;
    this.places[at] = mark;
    if (++this.count * 2 > this.places.length) this.grow();
    return true;
  }

  private placeOf(mark: number): number {
    const { places } = this;
    const last = places.length - 1;
    let at = Math.imul(mark, 0x9e3779b1) & last;
    while (places[at] !== 0 && places[at] !== mark) at = (at + 1) & last;
    return at;
  }

  private grow(): void {
    const { places } = this;
    this.places = new Uint32Array(places.length * 2);
    for (const mark of places) if (mark !== 0) this.places[this.placeOf(mark)] = mark;
  }
}

/** Walks through one VM. */
class Walk {
  bytes = 0;
  private values = 0;
  private readonly objects = new Marks();
  private readonly names = new Marks();
  private readonly left: Slot[] = [];

  /** Looks at a value, and at all that it leads to. */
  from(slot: Slot): void {
    this.see(slot);
    for (let next = this.left.pop(); next && this.values < MOST_VALUES; next = this.left.pop())
      this.enter(next);
  }

  private see(slot: Slot): void {
    this.values++;
    const type = typeOf(slot);
    if (type === STRING) this.bytes += stringBytes(slot);
    else if (type >= TABLE && slot.value !== null && typeof slot.value === 'object') {
      if (this.objects.add((slot.value as Numbered).id)) this.left.push(slot);
    }
  }

  private enter(slot: Slot): void {
    switch (typeOf(slot)) {
      case TABLE:
        this.table(slot.value as LuaTable);
        return;
      case THREAD:
        this.thread(slot.value as LuaThread);
        return;
      case USERDATA:
        this.bytes += OBJECT_BYTES;
        return;
      default:
        this.function(slot.value as Partial<Closure>);
    }
  }

  private table({ f, metatable }: LuaTable): void {
    this.bytes += TABLE_BYTES;
    if (metatable !== null) this.see({ type: TABLE, value: metatable } as Slot);
    for (let entry = f; entry; entry = entry.n) {
      this.bytes += ENTRY_BYTES;
      this.key(entry.key);
      this.see(entry.value);
    }
  }

  /** Names of fields are one string in all tables of a kind, so each is counted once. */
  private key(slot: Slot): void {
    if (typeOf(slot) !== STRING) this.see(slot);
    else if (this.names.add(hashOf(slot))) this.bytes += stringBytes(slot);
  }

  thread(thread: LuaThread): void {
    this.bytes += THREAD_BYTES + PLACE_BYTES * thread.stack.length + SLOT_BYTES * thread.top;
    for (let i = 0; i < thread.top; i++) {
      const slot = thread.stack[i];
      if (slot) this.see(slot);
    }
  }

  private function({ p, upvals }: Partial<Closure>): void {
    this.bytes += OBJECT_BYTES;
    if (p) this.prototype(p);
    for (const slot of upvals ?? []) this.see(slot);
  }

  private prototype(prototype: Prototype): void {
    if (!this.objects.add(prototype.id)) return;
    this.bytes += INSTRUCTION_BYTES * prototype.code.length;
    for (const slot of prototype.k) this.see(slot);
    for (const inner of prototype.p) this.prototype(inner);
  }
}

function stringBytes({ value }: Slot): number {
  return STRING_BYTES + (value as { realstring: Uint8Array }).realstring.length;
}

/** FNV-1a of a string's bytes, of long ones of the first. */
function hashOf({ value }: Slot): number {
  const { realstring } = value as { realstring: Uint8Array };
  const length = Math.min(realstring.length, 64);
  let hash = 0x811c9dc5 ^ realstring.length;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ realstring[i]!, 0x01000193);
  return hash;
}

/** About how many bytes all take that is reached from the main thread of a VM, and from these values of it. */
export function sizeOf(main: LuaThread, values: Iterable<Slot>): number {
  const walk = new Walk();
  walk.from(main.l_G.l_registry);
  walk.thread(main);
  for (const slot of values) walk.from(slot);
  return walk.bytes;
}
