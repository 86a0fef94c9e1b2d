/** What can be watched of one client while it happens. A line of it as JSON is Moonwire's own capture format. */

/** One thing that happened. */
export interface TraceEvent {
  /** Unix seconds. */
  readonly time: number;
  /** The client's id. */
  readonly client: string;
  /**
   * `in` and `out`: bytes received and sent; `message`: what a frame decoded to; `discard`: received bytes that
   * belong to no frame; `error`: a frame that does not decode, or a script's error; `close`: the end.
   */
  readonly event: 'in' | 'out' | 'message' | 'discard' | 'error' | 'close';
  /** The bytes of `in`, `out`, `discard` and of an `error`'s frame. */
  readonly hex?: string;
  /** Of `message`: plain values. */
  readonly message?: unknown;
  /** Of `discard`, `error` and `close`: why. */
  readonly reason?: string;
}

/** Told of each event; must not fail, and must not wait. */
export type TraceListener = (event: TraceEvent) => void;

/** Bytes as events carry them. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
