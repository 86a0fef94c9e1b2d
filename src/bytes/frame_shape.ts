/**
 * What one framing looks like on the wire. A shape knows how long the frame at a place is and what of it is handed
 * out; searching, limits, checks, resynchronising and counting are `StreamFramer`'s, the same for all shapes.
 */
import type { ChunkQueue } from './chunks.js';
import { type FrameCheck, frameCheck } from './frame_check.js';
import type { DiscardReason } from './framer.js';
import type { Options } from './options.js';

/** `measure` needs more bytes. */
export const MORE = 0;
/** `measure` found that this is no frame; `Measure` says how much goes and why. */
export const REJECT = -1;

/** The memory of one connection between calls of `measure`, and the details of a rejection. */
export class Measure {
  /** Bytes of the frame that have been looked at; 0 for each new frame. */
  scanned = 0;
  /** The frame passed its limit and its terminator is still to come. */
  skipping = false;
  /** Silence followed the bytes held: for frames whose length nothing else tells. */
  ended = false;
  /** How many bytes a rejection drops. */
  count = 0;
  /** Why; undefined for filling that belongs to the framing and is no loss. */
  reason: DiscardReason | undefined;

  /** Drops `count` bytes; returns REJECT. */
  reject(reason: DiscardReason, count = 1): number {
    this.reason = reason;
    this.count = count;
    return REJECT;
  }

  /** Passes over `count` bytes between frames; returns REJECT. */
  fill(count: number): number {
    this.reason = undefined;
    this.count = count;
    return REJECT;
  }
}

/** One framing, compiled from its options. It holds no state: that is in `Measure`. */
export interface FrameShape extends CommonOptions {
  /** A frame ends with a terminator: what precedes the next one is a frame's rest and no place to look for frames. */
  readonly terminated: boolean;
  /** The terminator of a frame may also begin the next one. */
  readonly chained?: boolean;
  /**
   * The length on the wire of the frame at `from`, where `starts` matched; MORE or REJECT. Must judge by a declared
   * length before its bytes are there. Never holds back more than `max` bytes on its own account.
   */
  measure(queue: ChunkQueue, from: number, state: Measure): number;
  /** A frame's wire bytes decoded; undefined when they break the format. Absent: they are the frame. */
  unwrap?(wire: Uint8Array): Uint8Array | undefined;
  /** Bytes at the end of a decoded frame that are not handed out once the check has seen them. */
  readonly trailer?: number;
}

/** The options every framing takes. */
export interface CommonOptions {
  /** Largest frame in bytes, on the wire. */
  readonly max: number;
  /** What a frame begins with: one of these; none: it may begin anywhere. */
  readonly starts: readonly Uint8Array[];
  readonly check: FrameCheck | undefined;
  /** Seconds an incomplete frame may wait; undefined: the owner decides. */
  readonly partial: number | undefined;
}

/** What the owner of a framer fills in where options say nothing. */
export interface FramerDefaults {
  /** Largest frame: the server's `frameBytes`. */
  readonly max?: number;
}

/** Largest frame when neither options nor owner say. */
export const DEFAULT_MAX = 65_536;
/** No framer accepts frames larger than this. */
export const MAX_FRAME = 16 * 1024 * 1024;
/** The longest `partial`: a day. */
const MAX_PARTIAL = 86_400;

/**
 * Reads `max`, `start`, `check` and `partial`. What a framing fixes itself is in `fixed` and no option then; `least`
 * is the smallest `max` that leaves room for a frame.
 */
export function commonOptions(
  options: Options,
  defaults: FramerDefaults,
  least = 1,
  fixed: Partial<Pick<CommonOptions, 'starts' | 'check'>> = {},
): CommonOptions {
  return {
    max: options.integer('max', least, MAX_FRAME, Math.max(least, defaults.max ?? DEFAULT_MAX)),
    starts: fixed.starts ?? options.bytesList('start'),
    check: 'check' in fixed ? fixed.check : checkOption(options),
    partial: partialOption(options),
  };
}

/** Reads `check`. */
export function checkOption(options: Options): FrameCheck | undefined {
  return options.raw('check') === undefined ? undefined : frameCheck(options.nested('check'));
}

/** Reads `partial`, in seconds. */
export function partialOption(options: Options): number | undefined {
  return options.raw('partial') === undefined ? undefined : options.positive('partial', MAX_PARTIAL);
}
