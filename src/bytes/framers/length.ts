/** Frames that carry their length. */
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, MAX_FRAME, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/**
 * `length{at, size = 1|2|3|4, endian = "big", add = 0, mask}`: the field of `size` bytes at position `at` holds the
 * length; frame length = value + add. `mask` selects the bits of the field that hold it (HDLC's frame format
 * 3: 0x7ff). A length that does not cover its own field is `malformed`, one above `max` is `oversize`: neither
 * waits for its bytes.
 */
export function length(options: Options, defaults: FramerDefaults): FramerSpec {
  const at = options.integer('at', 1, MAX_FRAME) - 1;
  const size = options.oneOf('size', [1, 2, 3, 4]);
  const big = options.oneOf('endian', ['big', 'little'], 'big') === 'big';
  const add = options.integer('add', -MAX_FRAME, MAX_FRAME, 0);
  const mask = options.integer('mask', 1, 2 ** 32 - 1, 2 ** 32 - 1);
  const header = at + size;
  const common = commonOptions(options, defaults, header);
  options.done();
  const { max } = common;
  const shape = {
    ...common,
    terminated: false,
    measure(queue: ChunkQueue, from: number, state: Measure) {
      if (queue.length - from < header) return MORE;
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + queue.at(from + at + (big ? i : size - 1 - i));
      const total = ((value & mask) >>> 0) + add;
      if (total < header) return state.reject('malformed');
      if (total > max) return state.reject('oversize');
      return queue.length - from >= total ? total : MORE;
    },
  };
  return new StreamSpec('length', [shape], common.partial);
}
