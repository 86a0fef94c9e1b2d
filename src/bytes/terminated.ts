/** The shape of frames that end with a terminator which cannot occur inside them. */
import type { ChunkQueue } from './chunks.js';
import { type CommonOptions, type FrameShape, type Measure, MORE } from './frame_shape.js';

export class Terminated implements FrameShape {
  readonly max: number;
  readonly starts: CommonOptions['starts'];
  readonly check: CommonOptions['check'];
  readonly partial: CommonOptions['partial'];
  readonly terminated = true;

  /** `leads[b]`: a terminator may begin with byte `b`. */
  private readonly leads = new Uint8Array(256);

  /**
   * `empty`: a terminator alone is a frame too; otherwise it is passed over. `rest`: so is what silence followed
   * instead of a terminator. `quote`: between two of these bytes a terminator is none.
   */
  constructor(
    common: CommonOptions,
    private readonly ends: readonly Uint8Array[],
    private readonly empty: boolean,
    readonly unwrap?: FrameShape['unwrap'],
    private readonly rest = false,
    private readonly quote?: number,
  ) {
    for (const [lead] of ends) this.leads[lead!] = 1;
    this.max = common.max;
    this.starts = common.starts;
    this.check = common.check;
    this.partial = common.partial;
  }

  measure(queue: ChunkQueue, from: number, state: Measure): number {
    const { max, starts } = this;
    const end = this.find(queue, from, state);
    if (end) {
      const length = end.at + end.mark.length - from;
      if (state.skipping) {
        state.skipping = false;
        return state.reject('oversize', length);
      }
      return length === end.mark.length && !this.empty ? state.fill(length) : length;
    }
    const held = queue.length - from;
    if (this.rest && state.ended && !state.skipping && held <= max) return held;
    // Where a start tells frames apart, the search for the next one takes over at `max`; otherwise only the
    // terminator does, and nothing is kept until it comes.
    if (starts.length === 0 && (state.skipping ? state.scanned > 0 : held >= max)) {
      state.skipping = true;
      return state.reject('oversize', state.scanned);
    }
    return MORE;
  }

  /** The first terminator behind what has been looked at; without one, notes how far that was. */
  private find(
    queue: ChunkQueue,
    from: number,
    state: Measure,
  ): { at: number; mark: Uint8Array } | undefined {
    if (this.ends.length > 1 || this.quote !== undefined) return this.walk(queue, from, state);
    const mark = this.ends[0]!;
    const at = queue.indexOf(mark, from + state.scanned);
    if (at >= 0) return { at, mark };
    // All but what may be the beginning of the terminator.
    state.scanned = Math.max(0, queue.length - from - mark.length + 1);
    return undefined;
  }

  private walk(
    queue: ChunkQueue,
    from: number,
    state: Measure,
  ): { at: number; mark: Uint8Array } | undefined {
    const { ends, leads, quote } = this;
    let at = from + state.scanned;
    for (; at < queue.length; at++) {
      const byte = queue.at(at);
      if (byte === quote) {
        const closing = queue.indexOfByte(byte, at + 1);
        if (closing < 0) break;
        at = closing;
      } else if (leads[byte] === 1) {
        const mark = ends.find((end) => queue.matches(end, at));
        if (mark && at + mark.length > queue.length) break;
        if (mark) return { at, mark };
      }
    }
    state.scanned = at - from;
    return undefined;
  }
}
