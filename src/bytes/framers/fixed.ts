/** Frames of one size. */
import { commonOptions, type FramerDefaults, MAX_FRAME, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { invalid, type Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/** `fixed{size}`: every frame has `size` bytes, at most `max`. */
export function fixed(options: Options, defaults: FramerDefaults): FramerSpec {
  const size = options.integer('size', 1, MAX_FRAME);
  const common = commonOptions(options, defaults);
  options.done();
  if (size > common.max) throw invalid(options.place, `size ${size} is above max ${common.max}`);
  const shape = {
    ...common,
    terminated: false,
    measure: (queue: { length: number }, from: number) => (queue.length - from >= size ? size : MORE),
  };
  return new StreamSpec('fixed', [shape], common.partial);
}
