/** The shape of frames that end with a terminator which cannot occur inside them. */
import type { ChunkQueue } from './chunks.js';
import { type CommonOptions, type FrameShape, type Measure, MORE } from './frame_shape.js';

export class Terminated implements FrameShape {
  readonly max: number;
  readonly starts: CommonOptions['starts'];
  readonly check: CommonOptions['check'];
  readonly partial: CommonOptions['partial'];
  readonly terminated = true;

  /**
   * `empty`: a terminator alone is a frame too; otherwise it is passed over. `rest`: so is what silence followed
   * instead of a terminator.
   */
  constructor(
    common: CommonOptions,
    private readonly ends: Uint8Array,
    private readonly empty: boolean,
    readonly unwrap?: FrameShape['unwrap'],
    private readonly rest = false,
  ) {
    this.max = common.max;
    this.starts = common.starts;
    this.check = common.check;
    this.partial = common.partial;
  }

  measure(queue: ChunkQueue, from: number, state: Measure): number {
    const { ends, max, starts } = this;
    const at = queue.indexOf(ends, from + state.scanned);
    if (at >= 0) {
      const length = at + ends.length - from;
      if (state.skipping) {
        state.skipping = false;
        return state.reject('oversize', length);
      }
      return length === ends.length && !this.empty ? state.fill(length) : length;
    }
    const held = queue.length - from;
    if (this.rest && state.ended && !state.skipping && held <= max) return held;
    // All but what may be the beginning of the terminator.
    state.scanned = Math.max(0, held - ends.length + 1);
    // Where a start tells frames apart, the search for the next one takes over at `max`; otherwise only the
    // terminator does, and nothing is kept until it comes.
    if (starts.length === 0 && (state.skipping ? state.scanned > 0 : held >= max)) {
      state.skipping = true;
      return state.reject('oversize', state.scanned);
    }
    return MORE;
  }
}
