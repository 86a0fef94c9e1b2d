/** Changes of bytes that tend to hurt: numbers at their bounds, lengths that lie, parts that come twice or from elsewhere. */

import type { Random } from '../support/random.js';

const BOUNDS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const WIDTHS = [1, 2, 4] as const;
/** Inputs do not grow without end. */
const MOST_BYTES = 4096;
const DIGITS = /\d+/g;
const NUMBERS = [
  '0',
  '-1',
  '99999999999999999999',
  '1e999',
  '4294967296',
  '00',
  '',
  '.',
  '-',
  '180.1',
  'NaN',
];

type Change = (bytes: Buffer, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const CHANGES: readonly Change[] = [
  // One bit, or one byte.
  (bytes, { below }) => {
    bytes[below(bytes.length)]! ^= 1 << below(8);
    return bytes;
  },
  (bytes, { below }) => {
    bytes[below(bytes.length)] = below(256);
    return bytes;
  },
  // A number at a bound, in either order of bytes.
  (bytes, { below, pick }) => {
    const width = pick(WIDTHS);
    if (bytes.length < width) return bytes;
    const value = pick(BOUNDS) % 256 ** width;
    const at = below(bytes.length - width + 1);
    if (below(2) === 0) bytes.writeUIntBE(value, at, width);
    else bytes.writeUIntLE(value, at, width);
    return bytes;
  },
  // Cut off, or a part left out.
  (bytes, { below }) => bytes.subarray(0, below(bytes.length)),
  (bytes, { below }) => {
    const at = below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))]);
  },
  // A part twice, or many times.
  (bytes, { below }) => {
    const from = below(bytes.length);
    const part = bytes.subarray(from, from + 1 + below(16));
    const times = below(8) === 0 ? 50 : 1;
    return Buffer.concat([bytes.subarray(0, from), ...Array(times).fill(part), bytes.subarray(from)]);
  },
  // Noise put in.
  (bytes, { below, bytes: noise }) => {
    const at = below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), noise(1 + below(8)), bytes.subarray(at)]);
  },
  // The end of another one.
  (bytes, { below, pick }, others) => {
    const other = pick(others);
    return Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length + 1))]);
  },
  // A number in text.
  (bytes, { below, pick }) => {
    const text = bytes.toString('latin1');
    const found = [...text.matchAll(DIGITS)];
    if (found.length === 0) return bytes;
    const { 0: digits, index } = found[below(found.length)]!;
    return Buffer.from(text.slice(0, index) + pick(NUMBERS) + text.slice(index + digits.length), 'latin1');
  },
];

/** A copy with one to four changes. `others`: inputs of the same kind. */
export function changed(input: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(input);
  for (let n = 1 + random.below(4); n > 0 && bytes.length > 0; n--) {
    bytes = random.pick(CHANGES)(Buffer.from(bytes), random, others);
  }
  return bytes.subarray(0, MOST_BYTES);
}
