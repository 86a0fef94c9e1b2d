/** What the generated code of a structure calls: everything that is not worth generating. */
import { isUtf8 } from 'node:buffer';
import type { Check } from '../bytes/check.js';
import { MoonwireError } from '../errors.js';
import { fromBigInt, toBigInt } from './integers.js';
import type { Bits } from './struct_spec.js';

/** Bytes that do not decode, or a value that does not encode; `field` is the path of the field. */
export function fault(
  field: string,
  problem: string,
  code: 'decode_error' | 'invalid_argument' = 'decode_error',
) {
  return new MoonwireError(code, `${field}: ${problem}`);
}

/** Too few bytes. */
export function missing(field: string, needs: number, has: number): MoonwireError {
  return fault(field, `needs ${needs} byte${needs === 1 ? '' : 's'}, ${Math.max(0, has)} left`);
}

/** Sets a property that a plain assignment would not make (`__proto__`). */
export function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

/** A 56- or 64-bit integer from its upper and lower halves: a number where it is exact, else a decimal string. */
export function int64(high: number, low: number, signed: boolean): number | string {
  const top = signed ? high | 0 : high;
  if (top < 0x200000 && top >= -0x200000) return top * 4294967296 + low;
  return fromBigInt(BigInt(top) * 4294967296n + BigInt(low));
}

export function float(bytes: Uint8Array, at: number, size: 4 | 8, big: boolean): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  return size === 4 ? view.getFloat32(0, !big) : view.getFloat64(0, !big);
}

/** Packed decimal, two digits a byte; undefined when a half byte is no digit. */
export function bcd(bytes: Uint8Array, at: number, size: number): string | undefined {
  let digits = '';
  for (let i = at; i < at + size; i++) {
    const byte = bytes[i]!;
    if (byte >> 4 > 9 || (byte & 15) > 9) return undefined;
    digits += String.fromCharCode(48 + (byte >> 4), 48 + (byte & 15));
  }
  return digits;
}

/** A part of `bytes` without the bytes of `trim` at its end. */
export function part(bytes: Uint8Array, from: number, to: number, trim?: Uint8Array): Uint8Array {
  let end = to;
  if (trim) while (end > from && trim.includes(bytes[end - 1]!)) end--;
  return bytes.subarray(from, end);
}

/** Text where the bytes are UTF-8, otherwise the bytes. */
export function text(bytes: Uint8Array): string | Uint8Array {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : bytes;
}

/** Where a checksum stands and what it covers; positions as in `string.sub`, within the structure. */
export interface CheckPlace {
  readonly check: Check;
  readonly from: number;
  readonly to: number | undefined;
  readonly big: boolean;
}

/** The range that a checksum at `at` covers in a structure from `start` to `end`; undefined outside of it. */
function covered(place: CheckPlace, start: number, end: number, at: number): [number, number] | undefined {
  const first = place.from > 0 ? start + place.from - 1 : end + place.from;
  const last = place.to === undefined ? at : place.to > 0 ? start + place.to : end + place.to + 1;
  return first >= start && last >= first && last <= end ? [first, last] : undefined;
}

/** Compares a checksum; returns what is wrong. */
export function verify(
  place: CheckPlace,
  field: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  at: number,
): MoonwireError | undefined {
  const range = covered(place, start, end, at);
  if (!range) return fault(field, 'covers positions outside the structure');
  const { check, big } = place;
  const expected = BigInt(check.compute(bytes, range[0], range[1]));
  let found = 0n;
  for (let i = 0; i < check.size; i++) {
    found = (found << 8n) | BigInt(bytes[at + (big ? i : check.size - 1 - i)]!);
  }
  if (found === expected) return undefined;
  return fault(field, `is 0x${found.toString(16)}, should be 0x${expected.toString(16)}`);
}

/** Where the bytes of an encoded structure are put together. Its methods throw what `fault` makes. */
export class Writer {
  private bytes = new Uint8Array(64);
  /** Bytes written. */
  length = 0;

  /** Room for `size` more bytes, which are zero; returns where they begin. */
  room(size: number, field: string): number {
    const at = this.length;
    const length = at + size;
    if (length > MAX_ENCODED) throw fault(field, `makes more than ${MAX_ENCODED} bytes`, 'invalid_argument');
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.length = length;
    return at;
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** An integer of `size` bytes, after division by `scale` and rounding. */
  integer(field: string, value: unknown, size: number, signed: boolean, big: boolean, scale?: number): void {
    const raw =
      scale === undefined ? value : typeof value === 'number' ? Math.round(value / scale) : undefined;
    // From 7 bytes up a value may be beyond 2^53.
    const whole = size >= 7 ? toBigInt(raw) : raw;
    const min = signed ? -(2 ** (size * 8 - 1)) : 0;
    const end = signed ? -min : 2 ** (size * 8);
    const fits = typeof whole === 'bigint' || Number.isInteger(whole);
    if (!fits || (whole as number) < min || (whole as number) >= end) {
      const range =
        scale === undefined
          ? `a whole number from ${BigInt(min)} to ${BigInt(end) - 1n}`
          : `a number from ${min * scale} to ${(end - 1) * scale}`;
      throw fault(field, `must be ${range}, not ${shown(value)}`, 'invalid_argument');
    }
    const at = this.room(size, field);
    if (typeof whole === 'bigint') this.word(at, whole, size, big);
    else if (size <= 4) this.low(at, whole as number, size, big);
    else {
      const high = Math.floor((whole as number) / 4294967296);
      this.low(big ? at + size - 4 : at, (whole as number) - high * 4294967296, 4, big);
      this.low(big ? at : at + 4, high, size - 4, big);
    }
  }

  /** The low `size` bytes of an integer of up to 32 bits. */
  private low(at: number, value: number, size: number, big: boolean): void {
    for (let i = 0; i < size; i++) this.bytes[at + (big ? size - 1 - i : i)] = value >>> (8 * i);
  }

  /** The low `size` bytes of an integer of any width. */
  private word(at: number, value: bigint, size: number, big: boolean): void {
    let rest = value;
    for (let i = 0; i < size; i++) {
      this.bytes[at + (big ? size - 1 - i : i)] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }

  bits(field: string, value: unknown, size: number, big: boolean, bits: readonly Bits[]): void {
    if (typeof value !== 'object' || value === null)
      throw fault(field, 'must be a table of its bits', 'invalid_argument');
    let word = 0;
    for (const { name, low, high, flag } of bits) {
      const given = own(value, name) ?? 0;
      const max = 2 ** (high - low + 1) - 1;
      const number = typeof given === 'boolean' ? Number(given) : given;
      if (!Number.isInteger(number) || (number as number) < 0 || (number as number) > max) {
        const range = flag ? 'true, false, 0 or 1' : `a whole number from 0 to ${max}`;
        throw fault(`${field}.${name}`, `must be ${range}, not ${shown(given)}`, 'invalid_argument');
      }
      word |= (number as number) << low;
    }
    this.low(this.room(size, field), word, size, big);
  }

  float(field: string, value: unknown, size: 4 | 8, big: boolean, scale = 1): void {
    if (typeof value !== 'number')
      throw fault(field, `must be a number, not ${shown(value)}`, 'invalid_argument');
    const at = this.room(size, field);
    const view = new DataView(this.bytes.buffer, at, size);
    if (size === 4) view.setFloat32(0, value / scale, !big);
    else view.setFloat64(0, value / scale, !big);
  }

  bcd(field: string, value: unknown, size: number): void {
    const digits = typeof value === 'number' ? String(value) : value;
    if (typeof digits !== 'string' || !/^\d+$/.test(digits) || digits.length > size * 2) {
      throw fault(field, `must be 1 to ${size * 2} decimal digits, not ${shown(value)}`, 'invalid_argument');
    }
    const at = this.room(size, field);
    this.bytes.set(Buffer.from(digits.padStart(size * 2, '0'), 'hex'), at);
  }

  /** Bytes of a fixed size, filled up with the first of `trim` where it is given; or, without size, as they are. */
  put(field: string, value: unknown, size: number | undefined, trim: Uint8Array | undefined): void {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    if (!(bytes instanceof Uint8Array))
      throw fault(field, `must be a string, not ${shown(value)}`, 'invalid_argument');
    const room = size ?? bytes.length;
    if (bytes.length > room || (bytes.length < room && !trim)) {
      const needs = `${trim ? 'up to' : 'exactly'} ${room} bytes`;
      throw fault(field, `must have ${needs}, not ${bytes.length}`, 'invalid_argument');
    }
    const at = this.room(room, field);
    this.bytes.set(bytes, at);
    if (trim) this.bytes.fill(trim[0]!, at + bytes.length, at + room);
  }

  check(place: CheckPlace, field: string, start: number, at: number): void {
    const range = covered(place, start, this.length, at);
    if (!range) throw fault(field, 'covers positions outside the structure', 'invalid_argument');
    this.word(at, BigInt(place.check.compute(this.bytes, range[0], range[1])), place.check.size, place.big);
  }

  /** The items of an array, as many as `count` says where it says so. */
  items(field: string, value: unknown, count: number | undefined): readonly unknown[] {
    if (!Array.isArray(value)) throw fault(field, `must be a list, not ${shown(value)}`, 'invalid_argument');
    if (count !== undefined && value.length !== count) {
      throw fault(field, `must have ${count} items, not ${value.length}`, 'invalid_argument');
    }
    return value;
  }
}

/** Largest encoded structure. */
const MAX_ENCODED = 16 * 1024 * 1024;

/** A property of its own; a value that is no object has none. */
export function own(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? (object as Record<string, unknown>)[name]
    : undefined;
}

/** The length in bytes or items of a value whose size another field carries; undefined when it has none. */
export function lengthOf(value: unknown): number | undefined {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return Array.isArray(value) || value instanceof Uint8Array ? value.length : undefined;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  return typeof value === 'object' ? 'a table' : JSON.stringify(value)?.slice(0, 60);
}
