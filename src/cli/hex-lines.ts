/** Bytes as people keep them: a line of hexadecimal digits each, with spaces and `# comments` as they like. */

import { readFileSync, statSync } from 'node:fs';
import { MoonwireError } from '../errors.js';

/** Largest file of captured frames, in bytes. */
export const MAX_CAPTURE_BYTES = 16 * 1024 * 1024;

/** The digits of a line without spaces and comment; empty for a line that says nothing. */
export function hexDigits(line: string): string {
  const comment = line.indexOf('#');
  return (comment < 0 ? line : line.slice(0, comment)).replaceAll(/\s+/g, '');
}

/** The bytes of digits, two each in either case; undefined when they are none. */
export function bytesOfDigits(digits: string): Uint8Array | undefined {
  return /^(?:[0-9a-fA-F]{2})+$/.test(digits) ? Buffer.from(digits, 'hex') : undefined;
}

/**
 * The frames of a capture file, at least one. Throws MoonwireError: `not_found`, `too_large`, and
 * `invalid_argument` naming the line.
 */
export function readCapture(file: string): Uint8Array[] {
  const size = statSync(file, { throwIfNoEntry: false });
  if (!size?.isFile()) throw new MoonwireError('not_found', `cannot read ${file}: there is no such file`);
  if (size.size > MAX_CAPTURE_BYTES) {
    throw new MoonwireError(
      'too_large',
      `${file} has ${size.size} bytes, at most ${MAX_CAPTURE_BYTES} are allowed`,
    );
  }
  const frames: Uint8Array[] = [];
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    const digits = hexDigits(line);
    if (digits === '') continue;
    const bytes = bytesOfDigits(digits);
    if (!bytes) {
      throw new MoonwireError('invalid_argument', `${file}:${index + 1}: not a line of hexadecimal bytes`);
    }
    frames.push(bytes);
  }
  if (frames.length === 0)
    throw new MoonwireError('invalid_argument', `${file} has no line of hexadecimal bytes`);
  return frames;
}
