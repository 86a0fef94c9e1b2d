/** The bytes of numbers in one-byte strings, for every function that packs and unpacks. */

import { LuaError } from '../executor.js';
import { toScript, type WideInteger } from './wide-integer.js';

/** The lowest `size` bytes of an integer; behind the eighth a `signed` negative one goes on with ones. */
export function integerBytes(
  { high, low }: WideInteger,
  size: number,
  little: boolean,
  signed = false,
): string {
  if (size === 1) return String.fromCharCode(low & 0xff);
  if (size === 2) return little ? pair(low, low >>> 8) : pair(low >>> 8, low);
  if (size === 4) {
    return little
      ? pair(low, low >>> 8) + pair(low >>> 16, low >>> 24)
      : pair(low >>> 24, low >>> 16) + pair(low >>> 8, low);
  }
  const upper = Math.floor(low / 2 ** 24);
  const bytes = new Array<number>(size);
  for (let k = 0; k < size; k++) {
    let byte: number;
    if (k < 3) byte = low >>> (8 * k);
    else if (k < 6) byte = upper >>> (8 * (k - 3));
    else if (k < 8) byte = high >> (8 * (k - 6));
    else byte = high < 0 && signed ? 0xff : 0;
    bytes[little ? k : size - 1 - k] = byte & 0xff;
  }
  return String.fromCharCode(...bytes);
}

/** An IEEE 754 number of 4 or 8 bytes. */
export function floatBytes(n: number, size: 4 | 8, little: boolean): string {
  const buffer = Buffer.allocUnsafe(size);
  if (size === 4) little ? buffer.writeFloatLE(n) : buffer.writeFloatBE(n);
  else little ? buffer.writeDoubleLE(n) : buffer.writeDoubleBE(n);
  return buffer.toString('latin1');
}

/** Reads an integer of `size` bytes at offset `at`; above 8 bytes it must still fit 64 bits. */
export function integerAt(
  data: string,
  at: number,
  size: number,
  little: boolean,
  signed: boolean,
): number | string {
  const first = little ? at : at + size - 1;
  const step = little ? 1 : -1;
  const top = Math.min(size, 6);
  let low = 0;
  for (let k = top - 1; k >= 0; k--) low = low * 256 + data.charCodeAt(first + k * step);
  if (size <= 6) return signed && low >= 2 ** (8 * size - 1) ? low - 2 ** (8 * size) : low;

  let high = data.charCodeAt(first + 6 * step);
  if (size > 7) high += 256 * data.charCodeAt(first + 7 * step);
  const highBits = size === 7 ? 8 : 16;
  if (signed && high >= 2 ** (highBits - 1)) high -= 2 ** highBits;
  for (let k = 8; k < size; k++) {
    if (data.charCodeAt(first + k * step) !== (high < 0 ? 0xff : 0)) {
      throw new LuaError(`${size}-byte integer does not fit into Lua Integer`);
    }
  }
  return toScript({ high, low });
}

/** Reads an IEEE 754 number at offset `at`. */
export function floatAt(data: string, at: number, size: 4 | 8, little: boolean): number {
  if (size === 4) {
    const bits = bits32(data, at, little);
    return floatOf(bits < 0, (bits >>> 23) & 0xff, bits & 0x7fffff, 23, 127);
  }
  const high = bits32(data, little ? at + 4 : at, little);
  const low = bits32(data, little ? at : at + 4, little) >>> 0;
  return floatOf(high < 0, (high >>> 20) & 0x7ff, (high & 0xfffff) * 2 ** 32 + low, 52, 1023);
}

/** The number of a sign, a biased exponent and a fraction of so many bits; arithmetic is faster than a buffer. */
function floatOf(negative: boolean, exponent: number, fraction: number, bits: number, bias: number): number {
  let magnitude: number;
  if (exponent === 2 * bias + 1) magnitude = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  else if (exponent === 0) magnitude = fraction * 2 ** (1 - bias - bits);
  else magnitude = (1 + fraction * 2 ** -bits) * 2 ** (exponent - bias);
  return negative ? -magnitude : magnitude;
}

function bits32(data: string, at: number, little: boolean): number {
  const a = data.charCodeAt(at);
  const b = data.charCodeAt(at + 1);
  const c = data.charCodeAt(at + 2);
  const d = data.charCodeAt(at + 3);
  return little ? a | (b << 8) | (c << 16) | (d << 24) : (a << 24) | (b << 16) | (c << 8) | d;
}

function pair(first: number, second: number): string {
  return String.fromCharCode(first & 0xff, second & 0xff);
}
