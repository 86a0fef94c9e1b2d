/**
 * A framer cuts a byte stream into frames. It is a synchronous object that is pushed bytes and asked for
 * frames; it holds the incomplete rest and owns no socket and no timer.
 *
 * Frames are pulled one at a time, so that its owner can finish one message before it takes the next, and
 * bytes that were not asked for yet can still be dropped (`clear`).
 */

/** Why bytes did not become part of a frame; the strings are metric labels. */
export type DiscardReason =
  /** No frame begins here: noise before a start byte. */
  | 'noise'
  /** A frame whose check did not match. */
  | 'checksum'
  /** A frame that declares or reaches more than `max` bytes. */
  | 'oversize'
  /** A frame that contradicts its own format: a length below its header, a bad escape, a missing end. */
  | 'malformed'
  /** The rest of a frame did not come within `partial` seconds. */
  | 'timeout';

/** Told of every byte that is dropped. `bytes` is only valid during the call. */
export type OnDiscard = (bytes: Uint8Array, reason: DiscardReason) => void;

/** Cuts one byte stream; made by a {@link FramerSpec} for each connection when its first bytes arrive. */
export interface Framer {
  /** Appends received bytes. Takes ownership of `bytes`: the caller must not change them afterwards. */
  push(bytes: Uint8Array): void;
  /**
   * The next complete frame, or undefined when more bytes are needed. The frame may share memory with what was
   * pushed. Bytes that belong to no frame are reported to `OnDiscard` and skipped.
   */
  next(): Uint8Array | undefined;
  /**
   * The incomplete frame has waited long enough: gives it up (reason `timeout`) and lets `next` look for another
   * one from the byte after its start. A framer whose frames end with silence makes what it holds a frame.
   */
  expire(): void;
  /** Drops everything held and returns how many bytes that were. */
  clear(): number;
  /** Hands out everything held, as it came: for the framer that takes its place. */
  release(): Uint8Array;
  /** What it holds, for a framer of another process; it stays as it is. */
  save(): FramerState;
  /** Goes on where another one of the same framing left off; called before anything is pushed. */
  restore(state: FramerState): void;
  /** Bytes held: pushed, neither handed out nor dropped. Bounded by `max` plus the last push. */
  readonly pending: number;
  /** Bytes handed out or dropped so far: the stream position at which the incomplete frame begins. */
  readonly position: number;
}

/** What a framer holds, as plain data. */
export interface FramerState {
  /** The bytes. They share memory with the framer's. */
  readonly bytes: Uint8Array;
  /** Of a framing with shared terminators: which of its shapes has one that may have begun the next frame. */
  readonly chained?: number | undefined;
  /** Of frames told apart by silence: the lengths of those that are complete, and whether the rest passed `max`. */
  readonly ended?: readonly number[];
  readonly skipping?: boolean;
}

/** A framing compiled once from its options; shared by all connections of a server. */
export interface FramerSpec {
  /** The framing's name, as in `mix.frame.<kind>`. */
  readonly kind: string;
  /** What it was made of: a framer of the same declaration can go on where another stopped. */
  readonly declaration?: string;
  /** Largest frame in bytes, as on the wire. */
  readonly max: number;
  /** Seconds an incomplete frame may wait before its owner calls `expire`; undefined: the owner's default. */
  readonly partial: number | undefined;
  /** A framer for one connection. */
  create(onDiscard?: OnDiscard): Framer;
}
