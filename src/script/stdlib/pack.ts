/**
 * `string.pack`, `unpack` and `packsize` of Lua 5.3 (manual §6.4.2). Native order is little endian; `l j` have 8
 * bytes, `i` 4. Integers are unpacked as numbers to 2^53 and as decimal strings beyond, and packed from both.
 */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, type Native } from '../executor.js';
import { BoundedCache } from './bounded-cache.js';
import { floatAt, floatBytes, integerAt, integerBytes } from './number-bytes.js';
import { type PackItem, parsePackFormat } from './pack-format.js';
import { chargeBytes, checkSize, fromStart } from './strings.js';
import { fromDecimal, fromNumber, type WideInteger } from './wide-integer.js';

/** Most values that one `unpack` returns. */
const MAX_RESULTS = 15_000;

type IntegerItem = Extract<PackItem, { kind: 'int' | 'uint' }>;

/** The three functions, sharing one cache of parsed formats. */
export function packFunctions(): Record<'pack' | 'unpack' | 'packsize', Native> {
  const formats = new BoundedCache<PackItem[]>(parsePackFormat);
  return {
    pack(ex, values) {
      const args = new Arguments(ex, 'pack', values);
      let packed = '';
      let argument = 1;
      for (const item of formats.get(ex, args.string(1))) {
        if (item.kind === 'raise') return raise(args, item);
        packed += '\0'.repeat(padding(packed.length, item.align));
        if (item.kind === 'pad') packed += '\0'.repeat(item.size);
        else packed += packItem(args, ++argument, item);
        checkSize(packed.length);
      }
      chargeBytes(ex, packed.length);
      return packed;
    },

    unpack(ex, values) {
      const args = new Arguments(ex, 'unpack', values);
      const items = formats.get(ex, args.string(1));
      const data = args.string(2);
      const start = fromStart(args.integer(3, 1), data.length);
      if (start < 1 || start > data.length + 1) args.fail(3, 'initial position out of string');
      let at = start - 1;
      const results: LuaValue[] = [];
      for (const item of items) {
        if (item.kind === 'raise') return raise(args, item);
        at += padding(at, item.align);
        if (at + item.size > data.length) args.fail(2, 'data string too short');
        if (results.length >= MAX_RESULTS) throw new LuaError('too many results');
        at = unpackItem(ex, args, item, data, at, results);
      }
      results.push(at + 1);
      return results;
    },

    packsize(ex, values) {
      const args = new Arguments(ex, 'packsize', values);
      let size = 0;
      for (const item of formats.get(ex, args.string(1))) {
        if (item.kind === 'raise') return raise(args, item);
        if (item.kind === 'string' || item.kind === 'zero-ended') args.fail(1, 'variable-length format');
        size += padding(size, item.align) + item.size;
        if (!Number.isSafeInteger(size)) args.fail(1, 'format result too large');
      }
      return size;
    },
  };
}

function raise(args: Arguments, { message, argument }: Extract<PackItem, { kind: 'raise' }>): never {
  if (argument) args.fail(1, message);
  throw new LuaError(message);
}

/** Bytes from `offset` to the next multiple of `align`. */
function padding(offset: number, align: number): number {
  return align <= 1 ? 0 : (align - (offset % align)) % align;
}

function packItem(args: Arguments, i: number, item: Exclude<PackItem, { kind: 'raise' | 'pad' }>): string {
  switch (item.kind) {
    case 'int':
    case 'uint':
      return integerBytes(checkedInteger(args, i, item), item.size, item.little, item.kind === 'int');
    case 'float':
      return floatBytes(args.number(i), item.size, item.little);
    case 'string': {
      const text = args.string(i);
      if (item.size < 6 && text.length >= 2 ** (8 * item.size)) {
        args.fail(i, 'string length does not fit in given size');
      }
      return integerBytes({ high: 0, low: text.length }, item.size, item.little) + text;
    }
    case 'chars': {
      const text = args.string(i);
      if (text.length > item.size) args.fail(i, 'string longer than given size');
      checkSize(item.size);
      return text.padEnd(item.size, '\0');
    }
    case 'zero-ended': {
      const text = args.string(i);
      if (text.includes('\0')) args.fail(i, 'string contains zeros');
      return `${text}\0`;
    }
  }
}

/** The argument, a whole number or a decimal string, within the range of its option. */
function checkedInteger(args: Arguments, i: number, item: IntegerItem): WideInteger {
  const value = args.value(i);
  let wide = typeof value === 'string' ? fromDecimal(value) : null;
  if (wide === null) {
    wide = fromNumber(args.integer(i));
    if (!wide) return args.fail(i, 'number has no integer representation');
  }
  if (wide && inRange(wide, item)) return wide;
  return args.fail(i, item.kind === 'int' ? 'integer overflow' : 'unsigned overflow');
}

/** Lua checks unsigned options of 8 bytes and more as signed 64-bit values, so negative ones wrap. */
function inRange({ high, low }: WideInteger, { kind, size }: IntegerItem): boolean {
  if (size >= 8) return kind === 'uint' || high < 0x8000;
  const bits = 8 * size - (kind === 'int' ? 1 : 0);
  // Above 2^48 the range ends at a multiple of it, so the high part alone decides.
  if (bits >= 48) return high < 2 ** (bits - 48) && high >= (kind === 'int' ? -(2 ** (bits - 48)) : 0);
  const n = high * 2 ** 48 + low;
  return n < 2 ** bits && n >= (kind === 'int' ? -(2 ** bits) : 0);
}

/** Reads one item at offset `at`, appends what it stands for, and returns the offset behind it. */
function unpackItem(
  ex: Executor,
  args: Arguments,
  item: Exclude<PackItem, { kind: 'raise' }>,
  data: string,
  at: number,
  results: LuaValue[],
): number {
  const end = at + item.size;
  switch (item.kind) {
    case 'int':
    case 'uint':
      results.push(integerAt(data, at, item.size, item.little, item.kind === 'int'));
      return end;
    case 'float':
      results.push(floatAt(data, at, item.size, item.little));
      return end;
    case 'string': {
      const length = integerAt(data, at, item.size, item.little, false);
      if (typeof length !== 'number' || end + length > data.length) args.fail(2, 'data string too short');
      results.push(data.slice(end, end + (length as number)));
      return end + (length as number);
    }
    case 'chars':
      results.push(data.slice(at, end));
      return end;
    case 'zero-ended': {
      const zero = data.indexOf('\0', at);
      chargeBytes(ex, (zero < 0 ? data.length : zero) - at);
      if (zero < 0) args.fail(2, "unfinished string for format 'z'");
      results.push(data.slice(at, zero));
      return zero + 1;
    }
    case 'pad':
      return end;
  }
}
