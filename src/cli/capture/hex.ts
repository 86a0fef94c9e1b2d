/**
 * Captures as people write them, a line a piece: an optional time, an optional direction (`<` from the device, as
 * without one; `>` to the device), then hexadecimal digits, and `#` before a comment. All lines are one connection.
 *
 *     2024-05-01T12:00:00.250Z < 78780d01 # login
 *     1714564800.5 > 78780501
 */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MoonwireError } from '../../errors.js';
import { bytesOfDigits, hexDigits } from '../hex-lines.js';
import type { CaptureEvent } from './event.js';

/** Longest line, in characters: 512 KiB as digits. */
const MAX_LINE = 1024 * 1024;
/** A time cannot be taken for digits: it has a point, or the form of a date. */
const LINE = /^\s*(?:(\d+\.\d+|\d{4}-\d\d-\d\dT[\d:.]+Z?)\s+)?([<>])?(.*)$/;

/** The pieces of a file of hex lines. Throws MoonwireError naming the line that is none. */
export async function* hexEvents(file: string): AsyncGenerator<CaptureEvent> {
  const connection = '1';
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    number++;
    const bad = (problem: string) => new MoonwireError('invalid_argument', `${file}:${number}: ${problem}`);
    if (line.length > MAX_LINE) throw bad(`longer than ${MAX_LINE} characters`);
    const [, stamp, direction, rest] = LINE.exec(line)!;
    const digits = hexDigits(rest!);
    if (digits === '' && stamp === undefined && direction === undefined) continue;
    const bytes = bytesOfDigits(digits);
    const time = stamp === undefined ? undefined : secondsOf(stamp);
    if (!bytes || Number.isNaN(time)) throw bad('not a line of [time] [< or >] hexadecimal bytes');
    yield { connection, kind: 'data', fromDevice: direction !== '>', time, bytes, count: bytes.length };
  }
  yield { connection, kind: 'end', fromDevice: true, bytes: new Uint8Array(0), count: 0 };
}

function secondsOf(stamp: string): number {
  return stamp.includes('T') ? Date.parse(stamp) / 1000 : Number(stamp);
}
