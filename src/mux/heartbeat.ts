/**
 * Heartbeats over a typed stream (README §9): they measure the round trip and notice a peer that is gone.
 */
import type { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { MuxError } from './errors.js';
import { checkedNumber } from './range.js';
import type { MuxStream } from './stream.js';
import type { TypedSession } from './typed.js';

/** The type of heartbeat streams. */
export const HEARTBEAT_TYPE = 0xffffffff;
const BEAT_BYTES = 4;

/** Settings of a heartbeat. */
export interface HeartbeatOptions {
  /** Milliseconds between beats, 10 … 2^30; 10,000 unless given. */
  intervalMs?: number;
  /** Milliseconds beyond the interval that an echo may take, 10 … 2^30; 15,000 unless given. */
  toleranceMs?: number;
  /** Called with each measured round trip, in milliseconds. */
  onBeat?: (roundTripMs: number) => void;
}

const LIMITS = [10, 2 ** 30] as const;

/** Answers the peer's heartbeats from the start, and sends its own after `start()`. */
export class Heartbeat {
  /** The last measured round trip in milliseconds; undefined before the first. */
  roundTripMs: number | undefined;
  private interval: number;
  private tolerance: number;
  private stream: MuxStream | undefined;
  private beatTimer: NodeJS.Timeout | undefined;
  private deathTimer: NodeJS.Timeout | undefined;
  /** Beats that came back. */
  private answered = 0;
  private started = false;
  private stopped = false;
  /** The beat under way: what must come back, when it left, who waits for it. */
  private pending: { bytes: Buffer; since: number; waiters: Waiter[] } | undefined;

  /** @throws MoonwireError `invalid_argument` for a duration out of its range */
  constructor(
    private readonly typed: TypedSession,
    private readonly options: HeartbeatOptions = {},
  ) {
    this.interval = checkedNumber('intervalMs', options.intervalMs ?? 10_000, ...LIMITS);
    this.tolerance = checkedNumber('toleranceMs', options.toleranceMs ?? 15_000, ...LIMITS);
    // Streams that outlive what they measure end in errors nobody can act on.
    typed.handle(HEARTBEAT_TYPE, (stream) => stream.on('error', () => {}).pipe(stream));
    typed.session.closed.then(({ error }) => {
      this.endBeats(error);
      clearTimeout(this.deathTimer);
    });
  }

  /** Milliseconds between beats; a change takes effect at once. */
  get intervalMs(): number {
    return this.interval;
  }
  set intervalMs(value: number) {
    this.interval = checkedNumber('intervalMs', value, ...LIMITS);
    this.rearm();
  }

  /** Milliseconds beyond the interval without an echo after which the peer counts as dead. */
  get toleranceMs(): number {
    return this.tolerance;
  }
  set toleranceMs(value: number) {
    this.tolerance = checkedNumber('toleranceMs', value, ...LIMITS);
    this.rearm();
  }

  /** Begins to send beats. Does nothing when they are being sent, after `stop()`, or when the session has ended. */
  start(): void {
    if (this.started || this.stopped || this.typed.session.endedBy) return;
    this.started = true;
    this.stream ??= this.openStream();
    this.rearm();
  }

  /** Sends no more beats; the peer's are still answered. */
  stop(): void {
    this.endBeats(new MuxError('stream_cancelled', 'the heartbeat was stopped'));
    clearTimeout(this.deathTimer);
  }

  /**
   * Measures now, or takes part in the beat that is under way. Resolves to the round trip in milliseconds.
   * Rejects with a MuxError when the session ends or the heartbeat is stopped before the echo came.
   */
  beat(): Promise<number> {
    return new Promise((resolve, reject) => {
      const ended = this.typed.session.endedBy;
      if (ended || this.stopped)
        reject(ended ?? new MuxError('stream_cancelled', 'the heartbeat was stopped'));
      else this.send({ resolve, reject });
    });
  }

  private send(waiter?: Waiter): void {
    if (!this.pending) {
      this.stream ??= this.openStream();
      this.pending = { bytes: randomBytes(BEAT_BYTES), since: performance.now(), waiters: [] };
      this.stream.write(this.pending.bytes);
    }
    if (waiter) this.pending.waiters.push(waiter);
  }

  private openStream(): MuxStream {
    const stream = this.typed.open(HEARTBEAT_TYPE);
    stream.on('error', (error) => this.endBeats(this.typed.session.endedBy ?? error));
    stream.on('readable', () => {
      for (let echo = stream.read(BEAT_BYTES); echo; echo = stream.read(BEAT_BYTES)) this.receive(echo);
    });
    stream.on('end', () =>
      this.endBeats(new MuxError('stream_closed', 'the peer ended the heartbeat stream')),
    );
    return stream;
  }

  private receive(echo: Buffer): void {
    const { pending } = this;
    if (!pending?.bytes.equals(echo)) {
      this.typed.session.close(new MuxError('protocol', 'a heartbeat came back changed'));
      return;
    }
    this.pending = undefined;
    this.answered++;
    this.roundTripMs = performance.now() - pending.since;
    this.deathTimer?.refresh();
    for (const { resolve } of pending.waiters) resolve(this.roundTripMs);
    this.options.onBeat?.(this.roundTripMs);
  }

  /** Starts both clocks anew, with the durations in force. */
  private rearm(): void {
    if (!this.started || this.stopped) return;
    clearInterval(this.beatTimer);
    clearTimeout(this.deathTimer);
    const silence = this.interval + this.tolerance;
    this.beatTimer = setInterval(() => this.send(), this.interval).unref();
    this.deathTimer = setTimeout(() => {
      const beats = this.answered;
      // A process that stood still for so long has answers waiting: they are read before the peer is called dead.
      setImmediate(() => {
        if (this.answered !== beats || this.typed.session.endedBy) return;
        this.typed.session.close(
          new MuxError('write_timeout', `no heartbeat was answered for ${silence} ms`),
        );
      });
    }, silence).unref();
  }

  /** No more beats will be sent. A peer that refused them is silent from now on: the clock of that runs on. */
  private endBeats(error: Error): void {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.beatTimer);
    for (const { reject } of this.pending?.waiters ?? []) reject(error);
    this.pending = undefined;
    this.stream?.end();
  }
}

interface Waiter {
  resolve(roundTripMs: number): void;
  reject(error: Error): void;
}
