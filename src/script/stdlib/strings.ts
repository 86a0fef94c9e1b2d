/** What the parts of the string library share: positions, bounded results, charged searching. */

import { type Executor, LuaError, MAX_STRING } from '../executor.js';

/** Bytes that are copied or scanned natively for one counted step. */
const BYTES_PER_STEP = 16;
/** From this length on V8's search can take time that grows with the product of both lengths. */
const LONG_NEEDLE = 250;

/** Charges work on `bytes` bytes that a script chose the number of. */
export function chargeBytes(ex: Executor, bytes: number): void {
  if (bytes >= BYTES_PER_STEP) ex.charge(Math.floor(bytes / BYTES_PER_STEP));
}

/** Raises unless a string of `length` bytes may be built. */
export function checkSize(length: number): void {
  if (length > MAX_STRING) throw new LuaError('resulting string too large');
}

/** A position counted from the end when negative, as an absolute one; 0 when it lies before the start. */
export function fromStart(position: number, length: number): number {
  if (position >= 0) return position;
  return -position > length ? 0 : length + position + 1;
}

/** `indexOf` in time that the budget bounds: returns a 0-based offset or -1. */
export function indexOf(ex: Executor, text: string, needle: string, from: number): number {
  const head = needle.length > LONG_NEEDLE ? needle.slice(0, LONG_NEEDLE) : needle;
  for (let at = from; ; at++) {
    const found = text.indexOf(head, at);
    chargeBytes(ex, (found < 0 ? text.length : found) - at);
    if (found < 0 || head === needle) return found;
    chargeBytes(ex, needle.length);
    // Several times as fast as startsWith.
    if (text.slice(found, found + needle.length) === needle) return found;
    at = found;
  }
}
