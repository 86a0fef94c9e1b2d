/** The `check` option of a framer: where a frame carries a checksum and what it covers. */
import type { Check } from './check.js';
import { findCheck } from './checksum.js';
import type { Options } from './options.js';

/** Tells whether a frame's checksum is right. */
export type FrameCheck = (frame: Uint8Array) => boolean;

/**
 * Compiles `check = {name, from = 1, to, at, endian = "big"}`. Positions are 1-based and inclusive, negative ones
 * count from the frame's end, in the frame as it is handed out. `at` is the position of the checksum's first byte;
 * without it the checksum stands at the end. `to` is the last byte it covers; without it the one before `at`.
 * A frame too short for these positions fails, and one in which nothing is covered: zeros would pass many checks.
 */
export function frameCheck(options: Options): FrameCheck {
  const check = findCheck(options.text('name'));
  const from = options.position('from', 1);
  const at = options.position('at', -check.size);
  const to = options.raw('to') === undefined ? undefined : options.position('to');
  const endian = options.oneOf('endian', ['big', 'little'], 'big');
  options.done();
  return (frame) => {
    const size = frame.length;
    const place = at > 0 ? at - 1 : size + at;
    const first = from > 0 ? from - 1 : size + from;
    const end = to === undefined ? place : to > 0 ? to : size + to + 1;
    if (first < 0 || end <= first || end > size || place < 0 || place + check.size > size) return false;
    return check.compute(frame, first, end) === readCheck(check, frame, place, endian === 'big');
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
