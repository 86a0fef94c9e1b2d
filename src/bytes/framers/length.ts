/** Frames that carry their length. */
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, MAX_FRAME, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/** The longest number in decimal digits. */
const MAX_DIGITS = 8;

/**
 * `length{at, size = 1|2|3|4, endian = "big", add = 0, mask}`: the field of `size` bytes at position `at` holds the
 * length; frame length = value + add. `mask` selects the bits of the field that hold it (HDLC's frame format
 * 3: 0x7ff). With `size = "decimal"` the field is a number of up to 8 decimal digits in text, up to the first byte
 * that is none, and the frame is as long as what stands up to there + value + add. A length that does not cover its
 * own field is `malformed`, as is a number that is none; one above `max` is `oversize`: neither waits for its bytes.
 * With `rest`, what has waited `partial` for the end of its declared length is tried as a frame, for devices that
 * count more than they send: the check tells a whole one.
 */
export function length(options: Options, defaults: FramerDefaults): FramerSpec {
  const at = options.integer('at', 1, MAX_FRAME) - 1;
  const size = options.oneOf('size', [1, 2, 3, 4, 'decimal']);
  const add = options.integer('add', -MAX_FRAME, MAX_FRAME, 0);
  const field = size === 'decimal' ? decimalField(at, add) : binaryField(at, size, add, options);
  const rest = options.boolean('rest', false);
  const common = commonOptions(options, defaults, at + (size === 'decimal' ? 1 : size));
  options.done();
  const { max } = common;
  const shape = {
    ...common,
    terminated: false,
    measure(queue: ChunkQueue, from: number, state: Measure) {
      const total = field(queue, from);
      if (total === MORE) return MORE;
      if (total < 0) return state.reject('malformed');
      if (total > max) return state.reject('oversize');
      const held = queue.length - from;
      if (held >= total) return total;
      return rest && state.ended ? held : MORE;
    },
  };
  return new StreamSpec('length', [shape], common.partial);
}

/** The length of the frame at `from`, MORE, or MALFORMED. */
type Field = (queue: ChunkQueue, from: number) => number;
const MALFORMED = -1;

function binaryField(at: number, size: number, add: number, options: Options): Field {
  const big = options.oneOf('endian', ['big', 'little'], 'big') === 'big';
  const mask = options.integer('mask', 1, 2 ** 32 - 1, 2 ** 32 - 1);
  const header = at + size;
  return (queue, from) => {
    if (queue.length - from < header) return MORE;
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + queue.at(from + at + (big ? i : size - 1 - i));
    const total = ((value & mask) >>> 0) + add;
    return total < header ? MALFORMED : total;
  };
}

function decimalField(at: number, add: number): Field {
  return (queue, from) => {
    let value = 0;
    for (let header = at; from + header < queue.length; header++) {
      const digit = queue.at(from + header) - 0x30;
      const digits = header - at;
      if (digit < 0 || digit > 9) return digits === 0 || value + add < 0 ? MALFORMED : header + value + add;
      if (digits === MAX_DIGITS) return MALFORMED;
      value = value * 10 + digit;
    }
    return MORE;
  };
}
