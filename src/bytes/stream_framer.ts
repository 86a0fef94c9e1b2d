/**
 * The framer behind every framing except `gap`: finds where a frame begins, asks its shape how long it is, checks
 * it, and searches on behind what turns out to be none.
 */
import { ChunkQueue } from './chunks.js';
import type { FrameShape } from './frame_shape.js';
import { Measure, MORE, REJECT } from './frame_shape.js';
import type { DiscardReason, Framer, FramerSpec, FramerState, OnDiscard } from './framer.js';

/**
 * What searching behind bad frames may cost: bytes looked at in vain for each byte received. Within it every byte
 * is tried as a start; a peer that sends bad frames inside bad frames beyond it loses them whole.
 */
const SEARCH_COST = 256;

/** A framing of one shape, or of several of which the first whose start matches is taken. */
export class StreamSpec implements FramerSpec {
  readonly max: number;
  /** `first[b]`: a frame may begin with byte `b`. All, when one of the shapes has no start. */
  readonly first = new Uint8Array(256);

  constructor(
    readonly kind: string,
    readonly shapes: readonly FrameShape[],
    readonly partial: number | undefined,
  ) {
    this.max = Math.max(...shapes.map((shape) => shape.max));
    for (const { starts } of shapes) {
      if (starts.length === 0) this.first.fill(1);
      for (const start of starts) this.first[start[0]!] = 1;
    }
  }

  create(onDiscard?: OnDiscard): Framer {
    return new StreamFramer(this, onDiscard);
  }
}

class StreamFramer implements Framer {
  private readonly queue = new ChunkQueue();
  private state = new Measure();
  private taken = 0;
  /** The shape whose terminator may have begun the next frame. */
  private chained: FrameShape | undefined;
  private credit = 0;

  /** Leading bytes of the queue that are given up but not yet reported, why, and the length of the bad frame they began with. */
  private lost = 0;
  private lostReason: DiscardReason = 'noise';
  private lostExtent = 0;

  constructor(
    private readonly spec: StreamSpec,
    private readonly onDiscard: OnDiscard | undefined,
  ) {}

  get pending(): number {
    return this.queue.length;
  }

  get position(): number {
    return this.taken;
  }

  push(bytes: Uint8Array): void {
    this.credit = Math.min(this.credit + bytes.length * SEARCH_COST, this.spec.max * SEARCH_COST);
    this.state.ended = false;
    this.queue.push(bytes);
  }

  next(): Uint8Array | undefined {
    const { queue } = this;
    for (let shape = this.locate(); shape; shape = this.locate()) {
      const length = shape.measure(queue, this.lost, this.state);
      if (length === MORE) {
        const held = queue.length - this.lost;
        if (held < shape.max) break;
        this.chained = undefined;
        this.fail(shape, 'oversize', held);
      } else if (length === REJECT) {
        this.reject(shape);
      } else {
        const frame = this.cut(shape, this.lost, length);
        this.chained = shape.chained ? shape : undefined;
        if (typeof frame === 'string') this.fail(shape, frame, length);
        else {
          this.report();
          this.consume(length);
          return frame;
        }
      }
    }
    this.report();
    queue.settle();
    return undefined;
  }

  expire(): void {
    this.state.ended = true;
    const shape = this.locate();
    const length = shape?.measure(this.queue, this.lost, this.state);
    if (!shape) {
      // At most the beginning of a start is held.
      this.lose(this.queue.length - this.lost, 'timeout', 0);
    } else if (length === REJECT) {
      this.reject(shape);
    } else if (length === MORE) {
      this.state = new Measure();
      this.chained = undefined;
      this.lose(restartable(shape) ? 1 : this.queue.length - this.lost, 'timeout', 0);
      if (this.locate()) this.salvage();
    }
    this.report();
    this.queue.settle();
  }

  clear(): number {
    const held = this.queue.length;
    this.queue.clear();
    this.state = new Measure();
    this.chained = undefined;
    this.taken += held;
    return held;
  }

  release(): Uint8Array {
    const held = this.queue.peek(0, this.queue.length);
    this.clear();
    return held;
  }

  save(): FramerState {
    const { queue, chained, spec } = this;
    return {
      bytes: queue.peek(0, queue.length),
      chained: chained && spec.shapes.indexOf(chained),
    };
  }

  restore({ bytes, chained }: FramerState): void {
    this.push(bytes);
    this.chained = chained === undefined ? undefined : this.spec.shapes[chained];
  }

  /**
   * The shape of the frame that may begin at the first byte not lost; bytes before it become lost. Undefined when
   * none begins in what is held, except perhaps with its last bytes, which stay.
   */
  private locate(): FrameShape | undefined {
    const { queue } = this;
    const from = this.lost;
    for (let at = from; at < queue.length; at++) {
      if (this.spec.first[queue.at(at)] === 0 && !this.chained) continue;
      const shape = this.shapeAt(at);
      if (shape === undefined) continue;
      if (at > from) this.lose(at - from, 'noise', 0);
      return shape === 'part' ? undefined : shape;
    }
    if (queue.length > from) this.lose(queue.length - from, 'noise', 0);
    return undefined;
  }

  /** The first shape whose start stands at `at`; 'part' when the bytes held end within a start. */
  private shapeAt(at: number): FrameShape | 'part' | undefined {
    const held = this.queue.length - at;
    for (const shape of this.spec.shapes) {
      if (shape.starts.length === 0) return shape;
      for (const start of shape.starts) {
        if (this.queue.matches(start, at)) return held < start.length ? 'part' : shape;
      }
    }
    return this.chained;
  }

  /** The frame of `length` wire bytes at `at`, or why it is none. */
  private cut(shape: FrameShape, at: number, length: number): Uint8Array | DiscardReason {
    if (length > shape.max) return 'oversize';
    const wire = this.queue.peek(at, at + length);
    const frame = shape.unwrap ? shape.unwrap(wire) : wire;
    if (frame === undefined) return 'malformed';
    if (shape.check && !shape.check(frame)) return 'checksum';
    return shape.trailer ? frame.subarray(0, frame.length - shape.trailer) : frame;
  }

  /** Does what the shape's `measure` said by REJECT. */
  private reject(shape: FrameShape): void {
    const { count, reason } = this.state;
    if (reason !== undefined) {
      this.lose(count, reason, count);
    } else {
      this.report();
      this.consume(count);
      this.chained = shape.chained ? shape : undefined;
    }
  }

  /** Gives up the frame of `length` bytes that begins here: its first byte, or all where no other can be inside. */
  private fail(shape: FrameShape, reason: DiscardReason, length: number): void {
    this.credit -= length;
    this.lose(restartable(shape) && this.credit > 0 ? 1 : length, reason, length);
  }

  /**
   * Gives up `count` bytes of a bad frame of `extent` bytes. They join what was lost just before where that was a
   * part of the same bad frame or lost for the same reason byte by byte, and noise joins whatever it follows; bad
   * frames that follow each other are reported one by one.
   */
  private lose(count: number, reason: DiscardReason, extent: number): void {
    this.state.scanned = 0;
    const joins =
      reason === 'noise' || this.lost < this.lostExtent || (reason === this.lostReason && extent <= 1);
    if (this.lost > 0 && !joins) this.report();
    if (this.lost === 0) {
      this.lostReason = reason;
      this.lostExtent = extent;
    }
    this.lost += count;
  }

  /** Reports the lost bytes and drops them. */
  private report(): void {
    const { lost } = this;
    if (lost === 0) return;
    this.lost = 0;
    this.onDiscard?.(this.queue.peek(0, lost), this.lostReason);
    this.taken += lost;
    this.queue.skip(lost);
  }

  private consume(length: number): void {
    this.queue.skip(length);
    this.taken += length;
    this.state.scanned = 0;
  }

  /**
   * After a timeout: false starts must not make a good frame behind them wait for a timeout each, so the first
   * complete frame held is looked for, and what precedes it is lost. When there is none, waiting begins anew.
   */
  private salvage(): void {
    const { queue } = this;
    const state = new Measure();
    for (let at = this.lost; at < queue.length && this.credit > 0; at++) {
      if (this.spec.first[queue.at(at)] === 0) continue;
      const shape = this.shapeAt(at);
      if (shape === undefined || shape === 'part') continue;
      state.scanned = 0;
      const length = shape.measure(queue, at, state);
      this.credit--;
      if (length <= 0) continue;
      if (typeof this.cut(shape, at, length) !== 'string') {
        this.lose(at - this.lost, 'timeout', 0);
        return;
      }
      this.credit -= length;
    }
  }
}

/** Whether another frame may begin within a bad one. */
function restartable(shape: FrameShape): boolean {
  return !shape.terminated || (shape.starts.length > 0 && !shape.chained);
}
