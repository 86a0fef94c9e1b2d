/** The `check` option of a framer: where a frame carries a checksum and what it covers. */
import type { Check } from './check.js';
import { findCheck } from './checksum.js';
import type { Options } from './options.js';

/** Tells whether a frame's checksum is right. */
export type FrameCheck = (frame: Uint8Array) => boolean;

/**
 * Compiles `check = {name, from = 1, to, at, endian = "big", hex = false, mark}`. Positions are 1-based and inclusive, negative ones
 * count from the frame's end, in the frame as it is handed out. `at` is the position of the checksum's first byte;
 * without it the checksum stands at the end. `to` is the last byte it covers; without it the one before `at`.
 * Where there is no checksum, `{name = "bcd", from, to}` takes a frame whose bytes from..to are packed decimals.
 * With `hex` the checksum stands there in hexadecimal digits, two a byte, of either case. `mark`: bytes that must
 * stand right before it, such as an asterisk, where the sum alone is weak.
 * A frame too short for these positions fails, and one in which nothing is covered: zeros would pass many checks.
 */
export function frameCheck(options: Options): FrameCheck {
  const name = options.text('name');
  const from = options.position('from', 1);
  if (name === 'bcd') return packedDecimals(from, options);
  const check = findCheck(name);
  const hex = options.boolean('hex', false);
  const width = hex ? 2 * check.size : check.size;
  const at = options.position('at', -width);
  const to = options.raw('to') === undefined ? undefined : options.position('to');
  const mark = options.raw('mark') === undefined ? undefined : options.bytes('mark');
  const endian = options.oneOf('endian', ['big', 'little'], 'big');
  options.done();
  return (frame) => {
    const size = frame.length;
    const place = at > 0 ? at - 1 : size + at;
    const first = from > 0 ? from - 1 : size + from;
    const end = to === undefined ? place : to > 0 ? to : size + to + 1;
    if (first < 0 || end <= first || end > size || place < 0 || place + width > size) return false;
    if (mark?.some((byte, i) => frame[place - mark.length + i] !== byte)) return false;
    const found = hex ? unhex(frame, place, check.size) : frame;
    if (!found) return false;
    return check.compute(frame, first, end) === readCheck(check, found, hex ? 0 : place, endian === 'big');
  };
}

function packedDecimals(from: number, options: Options): FrameCheck {
  const to = options.position('to', -1);
  options.done();
  return (frame) => {
    const size = frame.length;
    const first = from > 0 ? from - 1 : size + from;
    const end = to > 0 ? to : size + to + 1;
    if (first < 0 || end <= first || end > size) return false;
    for (let i = first; i < end; i++) if (frame[i]! > 0x99 || (frame[i]! & 15) > 9) return false;
    return true;
  };
}

/** The checksum that stands at `at`, in the type `compute` gives. */
function readCheck(check: Check, bytes: Uint8Array, at: number, big: boolean): number | bigint {
  const { size } = check;
  if (size <= 4) {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + bytes[at + (big ? i : size - 1 - i)]!;
    return value;
  }
  let value = 0n;
  for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(bytes[at + (big ? i : size - 1 - i)]!);
  return value;
}

/** `size` bytes from the digits at `at`; undefined when some are none. */
function unhex(bytes: Uint8Array, at: number, size: number): Uint8Array | undefined {
  const decoded = Buffer.from(Buffer.from(bytes.subarray(at, at + 2 * size)).toString('latin1'), 'hex');
  return decoded.length === size ? decoded : undefined;
}
