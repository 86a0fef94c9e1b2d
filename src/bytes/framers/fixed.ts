/** Frames of one size, or of a few. */
import type { ChunkQueue } from '../chunks.js';
import { commonOptions, type FramerDefaults, MAX_FRAME, MORE } from '../frame_shape.js';
import type { FramerSpec } from '../framer.js';
import { invalid, type Options } from '../options.js';
import { StreamSpec } from '../stream_framer.js';

/**
 * `fixed{size}`: every frame has `size` bytes, at most `max`. `size` may be a list, for devices whose frames vary with
 * their model and do not tell: a frame then has the size at which what was received ends, or the first at which
 * another one's `start` follows, or the smallest.
 */
export function fixed(options: Options, defaults: FramerDefaults): FramerSpec {
  const sizes = options.integers('size', 1, MAX_FRAME, 8).toSorted((a, b) => a - b);
  const common = commonOptions(options, defaults);
  options.done();
  const smallest = sizes[0]!;
  const largest = sizes.at(-1)!;
  if (largest > common.max) throw invalid(options.place, `size ${largest} is above max ${common.max}`);

  function measure(queue: ChunkQueue, from: number): number {
    const held = queue.length - from;
    if (held < smallest) return MORE;
    if (sizes.includes(held)) return held;
    const follows = (size: number) =>
      size < held && common.starts.some((start) => queue.matches(start, from + size));
    return sizes.find(follows) ?? smallest;
  }
  return new StreamSpec('fixed', [{ ...common, terminated: false, measure }], common.partial);
}
