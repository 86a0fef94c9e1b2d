/** Deep conversion between compiled code's values and plain JavaScript, by the rules of `../../convert.ts`. */

import { MAX_DEPTH, MAX_VALUES, textOrBytes } from '../../convert.js';
import { HostObject, LuaError, type LuaValue } from '../../executor.js';
import { oneByte } from '../../fengari.js';
import { numberToString } from '../../numbers.js';
import { LuaTable } from './table.js';

const ASCII = /^[\0-\x7f]*$/;

/** A value as plain JavaScript. `forOptions`: strings stay one-byte strings, objects of ours become what they hold. */
export function toJs(value: LuaValue, forOptions = false): unknown {
  const open = new Set<LuaTable>();
  let count = 0;

  const read = (v: LuaValue, depth: number): unknown => {
    if (++count > MAX_VALUES) throw new LuaError(`more than ${MAX_VALUES} values`);
    if (typeof v === 'string') return forOptions ? v : textOf(v);
    if (v === undefined || typeof v === 'number' || typeof v === 'boolean') return v;
    if (v instanceof LuaTable) {
      if (open.has(v)) throw new LuaError('a table that contains itself cannot be converted');
      if (depth >= MAX_DEPTH) throw new LuaError(`tables are nested deeper than ${MAX_DEPTH}`);
      open.add(v);
      const result = table(v, depth + 1);
      open.delete(v);
      return result;
    }
    if (v instanceof HostObject && forOptions) return v.data;
    const type = typeof v === 'function' ? 'function' : v instanceof HostObject ? 'userdata' : v.luaRef;
    throw new LuaError(`a ${type} cannot be converted`);
  };
  const table = (t: LuaTable, depth: number): unknown => {
    const entries: [LuaValue, LuaValue][] = [];
    for (let at = t.used(0); at >= 0; at = t.used(at + 1)) entries.push([t.keyAt(at), t.valueAt(at)]);
    const isSequence = entries.every(
      ([key]) => typeof key === 'number' && Number.isInteger(key) && key >= 1 && key <= entries.length,
    );
    if (isSequence) {
      const array = new Array<unknown>(entries.length);
      for (const [key, v] of entries) array[(key as number) - 1] = read(v, depth);
      return array;
    }
    // Defined, not assigned: a key may be `__proto__`.
    return Object.fromEntries(entries.map(([key, v]) => [keyText(key, forOptions), read(v, depth)]));
  };
  return read(value, 0);
}

/** Text where the bytes are some, as nearly all are; else the bytes. */
function textOf(value: string): string | Uint8Array {
  return ASCII.test(value) ? value : textOrBytes(new Uint8Array(Buffer.from(value, 'latin1')));
}

function keyText(key: LuaValue, forOptions: boolean): string {
  if (typeof key === 'string') return forOptions ? key : Buffer.from(key, 'latin1').toString('utf8');
  if (typeof key === 'number') return numberToString(key);
  if (typeof key === 'boolean') return String(key);
  throw new LuaError('a key of that type cannot be converted');
}

/** A value from plain JavaScript: text as UTF-8 bytes. `newTable` makes an empty table. */
export function fromJs(value: unknown, newTable: () => LuaTable): LuaValue {
  let count = 0;
  const write = (v: unknown, depth: number): LuaValue => {
    if (++count > MAX_VALUES) throw new LuaError(`more than ${MAX_VALUES} values`);
    if (v === null || v === undefined) return undefined;
    if (typeof v === 'string') return utf8(v);
    if (typeof v === 'number' || typeof v === 'boolean') return v;
    if (typeof v === 'bigint') {
      const exact = v >= Number.MIN_SAFE_INTEGER && v <= Number.MAX_SAFE_INTEGER;
      return exact ? Number(v) : v.toString();
    }
    if (typeof v !== 'object') throw new LuaError(`a ${typeof v} cannot be converted`);
    if (v instanceof Uint8Array) return oneByte(v);
    if (v instanceof Date) return v.getTime() / 1000;
    if (v instanceof HostObject) throw new LuaError(`a ${v.kind} cannot be converted`);
    if (depth >= MAX_DEPTH) throw new LuaError(`values are nested deeper than ${MAX_DEPTH}`);
    const table = newTable();
    const entries: Iterable<[unknown, unknown]> = Array.isArray(v)
      ? v.map((item, i) => [i + 1, item])
      : v instanceof Map
        ? v
        : Object.entries(v);
    for (const [k, item] of entries) {
      const key = write(k, depth + 1);
      if (key !== undefined) table.set(key, write(item, depth + 1));
    }
    return table;
  };
  return write(value, 0);
}

/** Text as the one-byte string of its UTF-8 bytes. */
export function utf8(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
