/** DLMS/COSEM frames as meters push them: ISO/IEC 13239 HDLC with frame format type 3 (IEC 62056-46, 6.4). */
import type { ChunkQueue } from '../chunks.js';
import { frameCheck } from '../frame_check.js';
import { commonOptions, type FramerDefaults, type FrameShape, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';
import { unstuff } from './hdlc.js';

const FLAG = 0x7e;
const ESCAPE = 0x7d;
/** The frame format: type 3 in four bits, segmentation in one, length in eleven. */
const TYPE = 0xf0;
const TYPE_3 = 0xa0;
const LENGTH_HIGH = 0x07;
/** Format, two addresses and control of one byte each, frame check sequence. */
const LEAST = 7;
const FCS = 'CRC-16/IBM-SDLC';
const FCS_LENGTH = 2;
/** The LLC header of what a server sends to a client (IEC 62056-46, 6.3.2). */
const LLC = Uint8Array.of(0xe6, 0xe7, 0x00);

/**
 * `dlms_hdlc{}`: what stands between two flags, from the frame format to the last byte before the frame check
 * sequence, which is checked. Many meters do not stuff octets, so the length in the frame format is trusted where a
 * flag stands behind it; otherwise the frame is unstuffed. One flag may end a frame and begin the next. Information
 * fields without HDLC around them (e6 e7 00 …) last until silence.
 */
export function dlmsHdlc(options: Options, defaults: FramerDefaults): FramerSpec {
  const check = frameCheck(new Options(options.place, { name: FCS, endian: 'little' }));
  const common = commonOptions(options, defaults, LEAST + 2, { starts: [Uint8Array.of(FLAG)], check });
  options.done();
  const frame: FrameShape = {
    ...common,
    terminated: false,
    chained: true,
    measure: measureFrame,
    unwrap,
    trailer: FCS_LENGTH,
  };
  const bare: FrameShape = {
    ...common,
    starts: [LLC],
    check: undefined,
    terminated: false,
    measure: measureBare,
  };
  return new StreamSpec('dlms_hdlc', [frame, bare], common.partial);
}

function lengthOf(high: number, low: number): number {
  return (high & LENGTH_HIGH) * 256 + low;
}

function measureFrame(queue: ChunkQueue, from: number, state: Measure): number {
  const opened = queue.at(from) === FLAG ? 1 : 0;
  const start = from + opened;
  if (start === queue.length) return MORE;
  if (opened && queue.at(start) === FLAG) return state.fill(1);
  if ((queue.at(start) & TYPE) !== TYPE_3) {
    const flag = queue.indexOfByte(FLAG, start);
    return state.reject('noise', (flag < 0 ? queue.length : flag) - from);
  }
  if (start + 1 === queue.length) return MORE;
  const length = lengthOf(queue.at(start), queue.at(start + 1));
  if (length < LEAST) return state.reject('malformed');
  const end = start + length;
  if (end >= queue.length) return MORE;
  if (queue.at(end) === FLAG) return end + 1 - from;
  // A stuffed frame is longer than it says, by its escapes.
  if (!queue.peek(start, end).includes(ESCAPE)) return state.reject('malformed');
  const flag = queue.indexOfByte(FLAG, end);
  if (flag >= 0) return flag + 1 - from;
  return queue.length - start > 2 * length ? state.reject('malformed') : MORE;
}

function unwrap(wire: Uint8Array): Uint8Array | undefined {
  const start = wire[0] === FLAG ? 1 : 0;
  const length = lengthOf(wire[start]!, wire[start + 1]!);
  const content = wire.subarray(start, wire.length - 1);
  if (content.length === length) return content;
  const plain = unstuff(content);
  return plain?.length === length ? plain : undefined;
}

/** Where an HDLC frame begins within it, it was no information field but the rest of a bad frame. */
function measureBare(queue: ChunkQueue, from: number, state: Measure): number {
  for (let at = from + Math.max(LLC.length, state.scanned); ; at++) {
    at = queue.indexOfByte(FLAG, at);
    if (at < 0 || at + 1 === queue.length) {
      state.scanned = (at < 0 ? queue.length : at) - from;
      return state.ended ? queue.length - from : MORE;
    }
    if ((queue.at(at + 1) & TYPE) === TYPE_3) return state.reject('malformed', at - from);
  }
}
