/** Frames whose length is a variable-length integer: MQTT (2.2.3 of its standard), delimited Protobuf messages. */
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, MAX_FRAME, type Measure, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import type { Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/** Bytes of the number: enough for 2^28 - 1. */
const MAX_SIZE = 4;

/**
 * `varint{at = 1}`: from position `at` on stands how many bytes follow it, seven bits a byte, the least significant
 * first, the top bit set in all bytes but the last. A number of more than four bytes is `malformed`, one that makes
 * the frame longer than `max` is `oversize`.
 */
export function varint(options: Options, defaults: FramerDefaults): FramerSpec {
  const at = options.integer('at', 1, MAX_FRAME, 1) - 1;
  const common = commonOptions(options, defaults, at + 1);
  options.done();
  const { max } = common;
  const shape = {
    ...common,
    terminated: false,
    measure(queue: ChunkQueue, from: number, state: Measure) {
      const held = queue.length - from;
      let value = 0;
      for (let i = 0; i < MAX_SIZE; i++) {
        if (held <= at + i) return MORE;
        const byte = queue.at(from + at + i);
        value |= (byte & 0x7f) << (7 * i);
        if (byte >= 0x80) continue;
        const total = at + i + 1 + value;
        if (total > max) return state.reject('oversize');
        return held >= total ? total : MORE;
      }
      return state.reject('malformed');
    },
  };
  return new StreamSpec('varint', [shape], common.partial);
}
