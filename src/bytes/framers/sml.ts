/**
 * The transport of Smart Message Language: SML 1.04 (BSI TR-03109-1, annex IV), 8 "SML binary transport protocol,
 * version 1".
 */
import type { ChunkQueue } from '../chunks.js';
import { crc } from '../crc.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

const ESCAPE = Uint8Array.of(0x1b, 0x1b, 0x1b, 0x1b);
const START = Uint8Array.of(...ESCAPE, 1, 1, 1, 1);
const END = 0x1a;
/** The end: the escape, 1a, the number of padding bytes, CRC, least significant byte first. */
const END_LENGTH = 8;
const MAX_PADDING = 3;
/** CRC-16/X-25 by the standard; meters of Holley use the other one. */
const CRCS = [crc('CRC-16/IBM-SDLC'), crc('CRC-16/KERMIT')];

/**
 * `sml{}`: what stands between the escape sequences of start and end, without padding, and with the doubled escape
 * sequences in it made single. The CRC is always checked. A new start within a frame gives up what came before it.
 */
export function sml(options: Options, defaults: FramerDefaults): FramerSpec {
  const fixed = { starts: [START], check: undefined };
  const common = commonOptions(options, defaults, START.length + END_LENGTH, fixed);
  options.done();
  const shape = { ...common, terminated: false, measure, unwrap };
  return new StreamSpec('sml', [shape], common.partial);
}

/**
 * An escape sequence that means nothing is data that ends in 1b before a real one: the next is sought one byte on.
 */
function measure(queue: ChunkQueue, from: number, state: Measure): number {
  let at = from + Math.max(START.length, state.scanned);
  for (;;) {
    const found = queue.indexOf(ESCAPE, at);
    if (found < 0 || found + END_LENGTH > queue.length) {
      state.scanned = (found < 0 ? Math.max(at, queue.length - ESCAPE.length + 1) : found) - from;
      return MORE;
    }
    const what = queue.at(found + ESCAPE.length);
    if (what === END) {
      const length = found + END_LENGTH - from;
      const wire = queue.peek(from, from + length);
      const padding = wire[length - 3]!;
      if (padding > MAX_PADDING || padding > found - from - START.length)
        return state.reject('malformed', length);
      const sent = wire[length - 2]! + wire[length - 1]! * 256;
      const right = CRCS.some((check) => check.compute(wire, 0, length - 2) === sent);
      return right ? length : state.reject('checksum', length);
    }
    if (queue.matches(START, found)) return state.reject('malformed', found - from);
    at = found + (queue.matches(ESCAPE, found + ESCAPE.length) ? 2 * ESCAPE.length : 1);
  }
}

function unwrap(wire: Uint8Array): Uint8Array {
  const padding = wire[wire.length - 3]!;
  const content = Buffer.from(wire.buffer, wire.byteOffset, wire.length - END_LENGTH - padding);
  const parts: Uint8Array[] = [];
  let taken = START.length;
  let at = content.indexOf(ESCAPE, taken);
  while (at >= 0) {
    const after = at + ESCAPE.length;
    if (content.indexOf(ESCAPE, after) === after) {
      parts.push(content.subarray(taken, after));
      taken = after + ESCAPE.length;
      at = content.indexOf(ESCAPE, taken);
    } else {
      at = content.indexOf(ESCAPE, at + 1);
    }
  }
  const rest = content.subarray(taken);
  return parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
}
