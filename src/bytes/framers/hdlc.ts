/** HDLC framing by octet stuffing (RFC 1662, 4). */
import type { ChunkQueue } from '../chunks.js';
import { crc } from '../crc.js';
import { frameCheck } from '../frame_check.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

const FLAG = 0x7e;
const ESCAPE = 0x7d;
const FLIP = 0x20;

/**
 * `hdlc{crc}`: what stands between two flags, unstuffed. `crc` names the CRC at a frame's end, least significant
 * byte first (PPP and most meters: "CRC-16/IBM-SDLC"); it is checked and cut off. Without it nothing is checked.
 * One flag may end a frame and begin the next; flags in a row are passed over; an abort (7d 7e) drops the frame.
 */
export function hdlc(options: Options, defaults: FramerDefaults): FramerSpec {
  const name = options.text('crc', '');
  const fcs = name === '' ? undefined : crc(name);
  const check = fcs && frameCheck(new Options(options.place, { name, endian: 'little' }));
  const common = commonOptions(options, defaults, 3, { starts: [Uint8Array.of(FLAG)], check });
  options.done();
  const shape = { ...common, terminated: true, chained: true, measure, unwrap, trailer: fcs?.size ?? 0 };
  return new StreamSpec('hdlc', [shape], common.partial);
}

/** The frame includes its closing flag, and its opening one unless that closed the frame before. */
function measure(queue: ChunkQueue, from: number, state: Measure): number {
  const opened = queue.at(from) === FLAG ? 1 : 0;
  const end = queue.indexOfByte(FLAG, from + Math.max(opened, state.scanned));
  if (end < 0) {
    state.scanned = queue.length - from;
    return MORE;
  }
  return end === from + 1 && opened ? state.fill(1) : end - from + 1;
}

function unwrap(wire: Uint8Array): Uint8Array | undefined {
  return unstuff(wire.subarray(wire[0] === FLAG ? 1 : 0, wire.length - 1));
}

/** The bytes between two flags without their escapes; undefined when they end within one. */
export function unstuff(content: Uint8Array): Uint8Array | undefined {
  const size = content.length;
  let read = content.indexOf(ESCAPE);
  if (read < 0) return content;
  const payload = new Uint8Array(content);
  let written = read;
  while (read < size) {
    let byte = content[read++]!;
    if (byte === ESCAPE) {
      if (read === size) return undefined;
      byte = content[read++]! ^ FLIP;
    }
    payload[written++] = byte;
  }
  return payload.subarray(0, written);
}
