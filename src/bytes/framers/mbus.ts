/** M-Bus frames: EN 13757-2, 5.7 (formats of IEC 60870-5-1 class FT 1.2). */
import { sum8 } from '../checksum.js';
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

const ACKNOWLEDGEMENT = 0xe5;
const SHORT = 0x10;
const LONG = 0x68;
const STOP = 0x16;
/** 10 C A checksum 16. */
const SHORT_LENGTH = 5;
/** 68 L L 68, and checksum 16 behind L bytes. */
const HEADER_LENGTH = 4;
const AROUND_LENGTH = HEADER_LENGTH + 2;
/** C, A and CI: a control frame. */
const LEAST = 3;
const LONGEST = 255 + AROUND_LENGTH;

/**
 * `mbus{}`: single characters (e5), short frames, and control and long frames, which are told apart by their length
 * only. Frames come whole as on the wire; start, both lengths, checksum and stop are checked.
 *
 * Any byte of a damaged frame may look like the single character. So a frame in its place whose checksum alone is
 * wrong is dropped whole, and an e5 that is followed by anything but the start of another frame is noise.
 */
export function mbus(options: Options, defaults: FramerDefaults): FramerSpec {
  const starts = [ACKNOWLEDGEMENT, SHORT, LONG].map((byte) => Uint8Array.of(byte));
  const limits = { max: Math.min(defaults.max ?? LONGEST, LONGEST) };
  const common = commonOptions(options, limits, AROUND_LENGTH + LEAST, { starts, check: undefined });
  options.done();
  const { max } = common;

  function measure(queue: ChunkQueue, from: number, state: Measure): number {
    const held = queue.length - from;
    const start = queue.at(from);
    if (start === ACKNOWLEDGEMENT) {
      const next = held > 1 ? queue.at(from + 1) : ACKNOWLEDGEMENT;
      return next === ACKNOWLEDGEMENT || next === SHORT || next === LONG ? 1 : state.reject('noise');
    }
    if (start === SHORT) {
      return held < SHORT_LENGTH ? MORE : closed(queue, from, 1, SHORT_LENGTH, state);
    }
    if (held < 2) return MORE;
    const size = queue.at(from + 1);
    if (size < LEAST) return state.reject('malformed');
    if (size + AROUND_LENGTH > max) return state.reject('oversize');
    if (held > 2 && queue.at(from + 2) !== size) return state.reject('malformed');
    if (held > 3 && queue.at(from + 3) !== LONG) return state.reject('malformed');
    const length = size + AROUND_LENGTH;
    return held < length ? MORE : closed(queue, from, HEADER_LENGTH, length, state);
  }

  const shape = { ...common, terminated: false, measure };
  return new StreamSpec('mbus', [shape], common.partial);
}

/** `length`, when stop and checksum are right; the checksum covers the bytes from `first` on. */
function closed(queue: ChunkQueue, from: number, first: number, length: number, state: Measure): number {
  if (queue.at(from + length - 1) !== STOP) return state.reject('malformed');
  const wire = queue.peek(from, from + length);
  return sum8(wire, first, length - 2) === wire[length - 2] ? length : state.reject('checksum', length);
}
