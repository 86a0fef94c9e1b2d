/** Frames told apart by silence, as serial converters and many simple devices send them. */
import { ChunkQueue } from '../chunks.js';
import { type CommonOptions, commonOptions, type FramerDefaults } from '../frame_shape.js';
import type { DiscardReason, Framer, FramerSpec, FramerState, OnDiscard } from '../framer.js';
import type { Options } from '../options.js';

/**
 * `gap{ms}`: what arrives without a pause of `ms` milliseconds (1 to 60,000) is one frame; the pause is the
 * `partial` after which the owner calls `expire`. A burst above `max` is dropped up to its end, one without its
 * `start` or with a wrong check is dropped whole.
 */
export function gap(options: Options, defaults: FramerDefaults): FramerSpec {
  const ms = options.positive('ms', 60_000);
  const common = commonOptions(options, defaults);
  options.done();
  return {
    kind: 'gap',
    max: common.max,
    partial: ms / 1000,
    create: (onDiscard) => new GapFramer(common, onDiscard),
  };
}

class GapFramer implements Framer {
  private readonly queue = new ChunkQueue();
  private taken = 0;
  /** Lengths of the complete frames at the queue's front, and their sum. */
  private ended: number[] = [];
  private complete = 0;
  /** The burst under way passed `max`. */
  private skipping = false;

  constructor(
    private readonly options: CommonOptions,
    private readonly onDiscard: OnDiscard | undefined,
  ) {}

  get pending(): number {
    return this.queue.length;
  }

  get position(): number {
    return this.taken;
  }

  push(bytes: Uint8Array): void {
    this.queue.push(bytes);
  }

  next(): Uint8Array | undefined {
    while (this.ended.length > 0) {
      const length = this.ended.shift()!;
      this.complete -= length;
      const frame = this.queue.shift(length);
      this.taken += length;
      const reason = this.faultOf(frame);
      if (reason === undefined) return frame;
      this.onDiscard?.(frame, reason);
    }
    const open = this.queue.length;
    if (open > 0 && (this.skipping || open > this.options.max)) {
      this.skipping = true;
      this.taken += open;
      this.onDiscard?.(this.queue.shift(open), 'oversize');
    }
    this.queue.settle();
    return undefined;
  }

  private faultOf(frame: Uint8Array): DiscardReason | undefined {
    const { max, starts, check } = this.options;
    if (frame.length > max) return 'oversize';
    const begins = (start: Uint8Array) => start.every((byte, i) => frame[i] === byte);
    if (starts.length > 0 && !starts.some(begins)) return 'noise';
    return check && !check(frame) ? 'checksum' : undefined;
  }

  expire(): void {
    const open = this.queue.length - this.complete;
    if (this.skipping) {
      this.taken += open;
      if (open > 0) this.onDiscard?.(this.queue.shift(open), 'oversize');
    } else if (open > 0) {
      this.ended.push(open);
      this.complete += open;
    }
    this.skipping = false;
  }

  clear(): number {
    const held = this.queue.length;
    this.queue.clear();
    this.taken += held;
    this.ended = [];
    this.complete = 0;
    this.skipping = false;
    return held;
  }

  release(): Uint8Array {
    const held = this.queue.peek(0, this.queue.length);
    this.clear();
    return held;
  }

  save(): FramerState {
    const { queue, ended, skipping } = this;
    return { bytes: queue.peek(0, queue.length), ended: [...ended], skipping };
  }

  restore({ bytes, ended = [], skipping = false }: FramerState): void {
    this.push(bytes);
    this.ended = [...ended];
    this.complete = ended.reduce((sum, length) => sum + length, 0);
    this.skipping = skipping;
  }
}
