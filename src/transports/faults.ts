/**
 * A connection that behaves badly on purpose: what is written through it leaves late, in pieces, run together,
 * altered or not at all. What comes back is not touched. For simulated devices and for tests.
 */

import type { Connection } from './connection.js';
import { Endpoint } from './endpoint.js';

/** What to do to writes, in this order: lose, alter, run together, cut, delay. All zero: nothing. */
export interface FaultOptions {
  /** Probability, 0 to 1, that a write is lost. */
  drop: number;
  /** Probability, 0 to 1, that one byte of a write gets another value. */
  corrupt: number;
  /** Writes that leave together as one, 0 to {@link MAX_MERGE}; fewer when none comes for {@link HOLD_MS}. */
  merge: number;
  /** Each write is cut into pieces of 1 to so many bytes that leave {@link PIECE_GAP_MS} apart; 0 leaves it whole. */
  split: number;
  /** Milliseconds, 0 to {@link MAX_DELAY_MS}, that each write waits; the order stays. */
  delayMs: number;
}

/** The kinds of fault. */
export type Fault = 'drop' | 'corrupt' | 'merge' | 'split' | 'delay';

export const NO_FAULTS: FaultOptions = { drop: 0, corrupt: 0, merge: 0, split: 0, delayMs: 0 };
export const MAX_MERGE = 1000;
export const MAX_DELAY_MS = 60_000;
/** Milliseconds after the last write when held ones leave although fewer than `merge` have come. */
export const HOLD_MS = 2000;
/** Milliseconds between two pieces, so that a stream's reader sees them apart. */
export const PIECE_GAP_MS = 5;
/** Merged writes stay within what one datagram can carry. */
const MAX_MERGED_BYTES = 65_507;

/** Is told what passes the connection. */
export interface FaultObserver {
  /** Bytes went to the transport, with their faults. */
  sent?(bytes: Uint8Array): void;
  /** Bytes came from the peer. */
  received?(bytes: Uint8Array): void;
  /** A write was given a fault. */
  fault?(kind: Fault): void;
  /** The connection is over; `byOwner` when it was ended from this side. Called before the owner's `close`. */
  closed?(byOwner: boolean, error: Error | undefined): void;
}

/** Numbers from 0 up to, not including, 1: the same for the same seed (mulberry32). `seed`: 0 to 2^32 - 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts faults round a connection that has no owner yet. */
export function withFaults(
  connection: Connection,
  options: FaultOptions,
  random: () => number,
  observer: FaultObserver = {},
): Connection {
  return new FaultyConnection(connection, options, random, observer);
}

class FaultyConnection extends Endpoint {
  /** Writes that wait for others to leave with, and their bytes. */
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  private holdTimer: NodeJS.Timeout | undefined;
  /** What leaves next, each at its time on the monotonic clock. */
  private queue: { bytes: Uint8Array; at: number }[] = [];
  private queuedBytes = 0;
  private queueTimer: NodeJS.Timeout | undefined;
  private byOwner = false;

  constructor(
    private readonly inner: Connection,
    private readonly options: FaultOptions,
    private readonly random: () => number,
    private readonly observer: FaultObserver,
  ) {
    super();
  }

  get transport(): string {
    return this.inner.transport;
  }

  get remote(): string {
    return this.inner.remote;
  }

  get local(): string {
    return this.inner.local;
  }

  get datagram(): boolean {
    return this.inner.datagram;
  }

  get pendingBytes(): number {
    return this.heldBytes + this.queuedBytes + this.inner.pendingBytes;
  }

  write(bytes: Uint8Array): void {
    if (this.closed) return;
    const { drop, corrupt, merge } = this.options;
    if (this.happens(drop, 'drop')) return;
    const altered = bytes.length > 0 && this.happens(corrupt, 'corrupt') ? this.corrupted(bytes) : bytes;
    if (merge > 1) this.hold(altered);
    else this.enqueue(altered);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  protected start(): void {
    this.inner.attach({
      data: (bytes) => {
        if (this.closed) return;
        this.observer.received?.(bytes);
        this.handler!.data(bytes);
      },
      drain: () => {
        if (this.pendingBytes === 0) this.handler!.drain?.();
      },
      close: (error) => {
        this.clear();
        if (error) this.blame(error);
        this.observer.closed?.(this.byOwner, error);
        this.finish();
      },
    });
  }

  protected flushAndClose(): void {
    this.byOwner = true;
    this.release();
    if (this.queue.length === 0) this.inner.end();
  }

  protected abort(): void {
    this.byOwner = true;
    this.clear();
    this.inner.destroy();
  }

  private clear(): void {
    clearTimeout(this.holdTimer);
    clearTimeout(this.queueTimer);
    this.held = [];
    this.heldBytes = 0;
    this.queue = [];
    this.queuedBytes = 0;
  }

  private happens(probability: number, kind: Fault): boolean {
    // No number is drawn for a fault that is off, so that a seed gives the same run whatever else there is.
    if (probability === 0 || this.random() >= probability) return false;
    this.observer.fault?.(kind);
    return true;
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }

  private corrupted(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes);
    const at = this.below(copy.length);
    copy[at] = copy[at]! ^ (1 + this.below(255));
    return copy;
  }

  private hold(bytes: Uint8Array): void {
    if (this.heldBytes + bytes.length > MAX_MERGED_BYTES) this.release();
    this.held.push(bytes);
    this.heldBytes += bytes.length;
    clearTimeout(this.holdTimer);
    if (this.held.length >= this.options.merge) this.release();
    else this.holdTimer = setTimeout(() => this.release(), HOLD_MS);
  }

  private release(): void {
    clearTimeout(this.holdTimer);
    const { held } = this;
    if (held.length === 0) return;
    this.held = [];
    this.heldBytes = 0;
    if (held.length > 1) this.observer.fault?.('merge');
    this.enqueue(held.length > 1 ? Buffer.concat(held) : held[0]!);
  }

  private enqueue(bytes: Uint8Array): void {
    const { split, delayMs } = this.options;
    const due = performance.now() + delayMs;
    if (delayMs > 0) this.observer.fault?.('delay');
    const pieces = split > 0 && bytes.length > 1 ? this.pieces(bytes, split) : [bytes];
    if (pieces.length > 1) this.observer.fault?.('split');
    for (const piece of pieces) {
      const last = this.queue.at(-1);
      // Every piece but the first of a run keeps its distance to the one before it.
      const at = split > 0 && last ? Math.max(due, last.at + PIECE_GAP_MS) : due;
      this.queue.push({ bytes: piece, at });
      this.queuedBytes += piece.length;
    }
    if (!this.queueTimer) this.leave();
  }

  private pieces(bytes: Uint8Array, most: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let from = 0; from < bytes.length; from += pieces.at(-1)!.length) {
      pieces.push(bytes.subarray(from, from + 1 + this.below(most)));
    }
    return pieces;
  }

  /** Sends what is due, and comes back for the rest. */
  private leave(): void {
    this.queueTimer = undefined;
    const now = performance.now();
    let due = 0;
    for (; due < this.queue.length && this.queue[due]!.at <= now; due++) {
      const { bytes } = this.queue[due]!;
      this.queuedBytes -= bytes.length;
      this.inner.write(bytes);
      this.observer.sent?.(bytes);
    }
    this.queue.splice(0, due);
    const next = this.queue[0];
    if (next) this.queueTimer = setTimeout(() => this.leave(), Math.max(1, next.at - now));
    else if (this.closed) this.inner.end();
  }
}
