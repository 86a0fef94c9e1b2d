/** Telegrams of the P1 port: Dutch Smart Meter Requirements 5.0.2, P1 companion standard, 6.2. */
import type { ChunkQueue } from '../chunks.js';
import { crc } from '../crc.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { CR, headerAt, LF, SLASH } from './telegram.js';

const END = 0x21;
const CRC = crc('CRC-16/ARC');
const CRC_DIGITS = 4;

/**
 * `dsmr_p1{}`: telegrams from "/" to the end of the line that begins with "!". The CRC, up to four hexadecimal
 * digits behind "!", is checked where it is there; versions 2 and 3 have none. The header of another telegram within
 * a telegram gives up what came before it. Silence stands for a last line end that does not come.
 */
export function dsmrP1(options: Options, defaults: FramerDefaults): FramerSpec {
  const fixed = { starts: [Uint8Array.of(SLASH)], check: undefined };
  const common = commonOptions(options, defaults, 2, fixed);
  options.done();
  return new StreamSpec('dsmr_p1', [{ ...common, terminated: false, measure }], common.partial);
}

function measure(queue: ChunkQueue, from: number, state: Measure): number {
  let at = from + Math.max(1, state.scanned);
  for (;;) {
    const end = queue.indexOfByte(END, at);
    const slash = queue.indexOfByte(SLASH, at);
    if (end >= 0 && (slash < 0 || end < slash) && !beginsLine(queue, end)) {
      at = end + 1;
      continue;
    }
    if (slash < 0 || (end >= 0 && end < slash)) {
      state.scanned = (end < 0 ? queue.length : end) - from;
      return end < 0 ? MORE : measureEnd(queue, from, end, state);
    }
    const header = headerAt(queue, slash);
    if (header) return state.reject('malformed', slash - from);
    if (header === undefined) {
      state.scanned = slash - from;
      return MORE;
    }
    at = slash + 1;
  }
}

function beginsLine(queue: ChunkQueue, at: number): boolean {
  const before = queue.at(at - 1);
  return before === LF || before === CR;
}

/** The telegram's length, judged by what follows its "!". */
function measureEnd(queue: ChunkQueue, from: number, end: number, state: Measure): number {
  let at = end + 1;
  let sent = 0;
  while (at < queue.length && at <= end + CRC_DIGITS) {
    const digit = Number.parseInt(String.fromCharCode(queue.at(at)), 16);
    if (Number.isNaN(digit)) break;
    sent = sent * 16 + digit;
    at++;
  }
  const digits = at - end - 1;
  if (at < queue.length && queue.at(at) === CR) at++;
  if (at < queue.length && queue.at(at) === LF) at++;
  else if (at === queue.length && !state.ended) return MORE;
  else if (at < queue.length && digits < CRC_DIGITS) return state.reject('malformed', at - from);
  const wire = queue.peek(from, end + 1);
  const right = digits === 0 || CRC.compute(wire, 0, wire.length) === sent;
  return right ? at - from : state.reject('checksum', at - from);
}
