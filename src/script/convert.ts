/**
 * Deep conversion between Lua values and plain JavaScript, in one place. Bytes stay bytes: a Lua string is text
 * where it is valid UTF-8 and a Uint8Array otherwise, and both come back as the same bytes. Cycles are refused.
 */

import { isUtf8 } from 'node:buffer';
import { HostObject, LuaError } from './executor.js';
import {
  BOOLEAN,
  booleanSlot,
  bytesSlot,
  type LuaTable,
  type LuaThread,
  NIL,
  NUMBER,
  newTable,
  nilSlot,
  numberSlot,
  oneByte,
  rawSet,
  type Slot,
  STRING,
  stringBytes,
  TABLE,
  tableOf,
  tableSlot,
  typeOf,
  USERDATA,
  userdataOf,
} from './fengari.js';
import { numberToString } from './numbers.js';

/** Deepest nesting that is converted, either way. */
export const MAX_DEPTH = 64;
/** Most values in one conversion. */
export const MAX_VALUES = 1_000_000;

/**
 * A slot as plain JavaScript: nil is undefined, a table with the keys 1…n is an array (so an empty table is an
 * empty array), any other table an object whose keys are strings. Functions, threads and objects are refused.
 */
export function toJs(slot: Slot): unknown {
  return new Reader(false).value(slot, 0);
}

/**
 * A slot as the options of a native function: as {@link toJs}, but strings stay one-byte strings, keys too, and
 * an object of ours (a framer, a struct) becomes what it holds.
 */
export function toOptions(slot: Slot): unknown {
  return new Reader(true).value(slot, 0);
}

/** Text of a Lua string, or its bytes when they are not UTF-8. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : bytes;
}

class Reader {
  private readonly open = new Set<LuaTable>();
  private count = 0;

  constructor(private readonly forOptions: boolean) {}

  value(slot: Slot, depth: number): unknown {
    if (++this.count > MAX_VALUES) throw new LuaError(`more than ${MAX_VALUES} values`);
    switch (typeOf(slot)) {
      case NIL:
        return undefined;
      case BOOLEAN:
      case NUMBER:
        return slot.value;
      case STRING:
        return this.forOptions ? oneByte(stringBytes(slot)) : textOrBytes(stringBytes(slot));
      case USERDATA:
        if (this.forOptions) return (userdataOf(slot) as HostObject).data;
        break;
      case TABLE:
        return this.table(tableOf(slot), depth);
      default:
    }
    throw new LuaError(`a ${slot.luaRef} cannot be converted`);
  }

  private table(table: LuaTable, depth: number): unknown {
    if (this.open.has(table)) throw new LuaError('a table that contains itself cannot be converted');
    if (depth >= MAX_DEPTH) throw new LuaError(`tables are nested deeper than ${MAX_DEPTH}`);
    this.open.add(table);
    const result = isSequence(table) ? this.array(table, depth + 1) : this.object(table, depth + 1);
    this.open.delete(table);
    return result;
  }

  private array(table: LuaTable, depth: number): unknown[] {
    const array = new Array<unknown>(table.strong.size);
    for (let entry = table.f; entry; entry = entry.n) {
      array[(entry.key.value as number) - 1] = this.value(entry.value, depth);
    }
    return array;
  }

  private object(table: LuaTable, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let entry = table.f; entry; entry = entry.n) {
      const key = this.key(entry.key);
      const value = this.value(entry.value, depth);
      if (key === '__proto__') {
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      } else {
        object[key] = value;
      }
    }
    return object;
  }

  private key(key: Slot): string {
    switch (typeOf(key)) {
      case STRING:
        return this.forOptions ? oneByte(stringBytes(key)) : Buffer.from(stringBytes(key)).toString('utf8');
      case NUMBER:
        return numberToString(key.value as number);
      case BOOLEAN:
        return String(key.value);
      default:
        throw new LuaError(`a ${key.luaRef} cannot be a key`);
    }
  }
}

/** Whether the keys are exactly 1…n, in any order. */
function isSequence(table: LuaTable): boolean {
  const size = table.strong.size;
  for (let entry = table.f; entry; entry = entry.n) {
    const key = entry.key.value;
    if (typeOf(entry.key) !== NUMBER || !Number.isInteger(key)) return false;
    if ((key as number) < 1 || (key as number) > size) return false;
  }
  return true;
}

/**
 * A slot from plain JavaScript: strings become UTF-8 bytes, arrays sequences, Maps and plain objects tables,
 * null and undefined nil, bigints numbers where exact and decimal strings beyond, dates Unix seconds.
 */
export function fromJs(L: LuaThread, value: unknown): Slot {
  return new Writer(L).slot(value, 0);
}

class Writer {
  private count = 0;

  constructor(private readonly L: LuaThread) {}

  slot(value: unknown, depth: number): Slot {
    if (++this.count > MAX_VALUES) throw new LuaError(`more than ${MAX_VALUES} values`);
    switch (typeof value) {
      case 'string':
        return textSlot(value);
      case 'number':
        return numberSlot(value);
      case 'boolean':
        return booleanSlot(value);
      case 'undefined':
        return nilSlot();
      case 'bigint': {
        const exact = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
        return exact ? numberSlot(Number(value)) : textSlot(value.toString());
      }
      case 'object':
        return value === null ? nilSlot() : this.object(value, depth);
      default:
        throw new LuaError(`a ${typeof value} cannot be converted`);
    }
  }

  private object(value: object, depth: number): Slot {
    if (value instanceof Uint8Array) return bytesSlot(new Uint8Array(value));
    if (value instanceof Date) return numberSlot(value.getTime() / 1000);
    if (value instanceof HostObject) throw new LuaError(`a ${value.kind} cannot be converted`);
    if (depth >= MAX_DEPTH) throw new LuaError(`values are nested deeper than ${MAX_DEPTH}`);
    const table = newTable(this.L);
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) this.set(table, numberSlot(i + 1), value[i], depth + 1);
    } else if (value instanceof Map) {
      for (const [key, item] of value) this.set(table, this.slot(key, depth + 1), item, depth + 1);
    } else {
      for (const key of Object.keys(value)) {
        this.set(table, textSlot(key), (value as Record<string, unknown>)[key], depth + 1);
      }
    }
    return tableSlot(table);
  }

  private set(table: LuaTable, key: Slot, value: unknown, depth: number): void {
    const slot = this.slot(value, depth);
    if (typeOf(slot) !== NIL && typeOf(key) !== NIL) rawSet(this.L, table, key, slot);
  }
}

/** A slot for text, as UTF-8. */
export function textSlot(text: string): Slot {
  return bytesSlot(new Uint8Array(Buffer.from(text, 'utf8')));
}
