/**
 * Delivers reports from the feed to one sink, in order, until it has them. Nothing here holds up another sink: what
 * a sink does not take waits in the feed, on disk, within its bounds.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { SinkConfig } from '../config/schema.js';
import { messageOf } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import type { Feed } from '../store/feed.js';
import { filterOf } from './filter.js';
import { toLines } from './line.js';
import { FeedReader } from './reader.js';
import { RotatedFile } from './rotated-file.js';
import { Busy, type Delivery, Rejected, type Sink } from './sink.js';

/** How a sink fares. Counters count reports and rise. */
export interface SinkStatus {
  readonly name: string;
  readonly kind: string;
  /** False while it does not take reports. */
  readonly ok: boolean;
  /** Why it does not, and since when, in Unix seconds. */
  readonly error: string | undefined;
  readonly since: number | undefined;
  readonly delivered: number;
  /** Offered in vain, and offered again. */
  readonly retried: number;
  /** Refused for good by the sink: dead letters. */
  readonly dead: number;
  /** Given up because the feed reached its bounds. */
  readonly dropped: number;
  /** Not for this sink, by its filter. */
  readonly filtered: number;
  /** In damaged records of the feed. */
  readonly unreadable: number;
  /** Reports in the feed that it does not have yet. */
  readonly pending: number;
  /** For how many seconds the oldest of them has waited; 0 when there is none. */
  readonly lag: number;
  /** Unix seconds of the last delivery. */
  readonly lastDelivered: number | undefined;
}

/** Reports that may be delivered before the note of it is on disk: so many at most come again after a crash. */
const MAX_UNSAVED = 5000;
/** Longest wait a sink may ask for, in seconds. */
const MAX_BUSY = 3600;
/** How long a delivery under way may take when the process stops, and then to give up, in milliseconds. */
const GRACE_MS = 1000;

export class SinkDelivery {
  private readonly counters = { delivered: 0, retried: 0, dead: 0 };
  private readonly reader: FeedReader;
  private readonly deadLetters: RotatedFile;
  private readonly throttle = new LogThrottle(60_000);
  private readonly stopping = new AbortController();
  private attempting: AbortController | undefined;
  private running: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private failure: { readonly error: string; readonly since: number } | undefined;
  private unsaved = 0;
  private lastDelivered: number | undefined;

  /** Dead letters are kept in the file `deadLetters`. The sink is closed with this. */
  constructor(
    readonly config: SinkConfig,
    private readonly sink: Sink,
    private readonly feed: Feed,
    deadLetters: string,
    private readonly log: Logger,
  ) {
    this.reader = new FeedReader(feed, config.name, filterOf(config), log);
    // Two files: the one being written, and the one before it.
    const rotateBytes = Math.floor(config.deadLetterBytes / 2);
    this.deadLetters = new RotatedFile({ path: deadLetters, rotateBytes, rotateAge: 0, keep: 1 });
  }

  start(): void {
    this.running ??= this.run();
  }

  status(): SinkStatus {
    const { name, kind } = this.config;
    const { pending, dropped } = this.feed.cursor(name);
    const { oldest } = this.reader;
    return {
      name,
      kind,
      ok: this.failure === undefined,
      error: this.failure?.error,
      since: this.failure?.since,
      ...this.counters,
      ...this.reader.counters,
      dropped,
      pending,
      lag: oldest === undefined ? 0 : Math.max(0, unixSeconds() - oldest),
      lastDelivered: this.lastDelivered,
    };
  }

  /** Ends within seconds: what is under way may come to its end, all else waits in the feed. Never fails. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.stopping.abort();
    if (!(await this.endedWithin(GRACE_MS))) {
      this.attempting?.abort();
      await this.endedWithin(GRACE_MS);
    }
    await this.sink.close();
    await this.deadLetters.close();
  }

  private async endedWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const ended = await Promise.race([Promise.resolve(this.running).then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const next = async (): Promise<void> => {
      const batch = await this.reader.take(this.config.batch, signal);
      if (!batch) return;
      await this.deliver(batch.deliveries, 0);
      batch.done();
      await this.save(batch.deliveries.length);
    };
    // Until the reader passes over them, the same reports are taken again, whatever fails.
    while (!signal.aborted) await this.persist(next).catch(() => {});
  }

  /** Lets the note of how far the sink has come wait for others, but not after too many deliveries. */
  private async save(deliveries: number): Promise<void> {
    this.unsaved += deliveries;
    if (this.unsaved < MAX_UNSAVED) return;
    // While the disk refuses, deliveries go on.
    await this.feed.saveCursors().catch(() => {});
    this.unsaved = 0;
  }

  /** Delivers all, or makes dead letters of what is refused often enough; `refusals` have been before. */
  private async deliver(batch: readonly Delivery[], refusals: number): Promise<void> {
    const { attempts } = this.config.retry;
    let left = batch;
    while (left.length > 0) {
      const rejected = await this.offer(left);
      if (!rejected) return;
      const { indexes, final, message } = rejected;
      left = indexes ? indexes.map((index) => left[index]!) : left;
      refusals = final ? attempts : refusals + 1;
      if (refusals < attempts) {
        this.counters.retried += left.length;
        this.failed(rejected);
        await this.pause(this.wait(refusals));
      } else if (left.length === 1 || indexes) {
        await this.bury(left, message);
        return;
      } else {
        // All are refused for some of them: each half by itself tells which.
        const half = Math.ceil(left.length / 2);
        await this.deliver(left.slice(0, half), attempts - 1);
        await this.deliver(left.slice(half), attempts - 1);
        return;
      }
    }
  }

  /** Offers reports until the sink takes them, or refuses some of them. */
  private async offer(reports: readonly Delivery[]): Promise<Rejected | undefined> {
    let rejected: Rejected | undefined;
    await this.persist(async () => {
      try {
        await this.attempt(reports);
      } catch (error) {
        if (!(error instanceof Rejected)) {
          this.counters.retried += reports.length;
          throw error;
        }
        rejected = error;
      }
    });
    const refused = rejected ? (rejected.indexes ?? reports).length : 0;
    const taken = reports.length - refused;
    this.counters.delivered += taken;
    if (taken > 0) this.lastDelivered = unixSeconds();
    if (!rejected) this.recovered();
    return rejected;
  }

  /**
   * One call of the sink. It is waited for even beyond its time: two at once could bring reports out of order, and
   * what comes late may still be good.
   */
  private async attempt(reports: readonly Delivery[]): Promise<void> {
    const attempting = new AbortController();
    this.attempting = attempting;
    const { timeout } = this.config;
    const timer = setTimeout(() => {
      this.failed(new Error(`no answer within ${timeout} s`));
      attempting.abort();
    }, timeout * 1000);
    // A sink that does not give up must not keep the process.
    timer.unref();
    try {
      await this.sink.deliver(reports, attempting.signal);
    } finally {
      clearTimeout(timer);
      this.attempting = undefined;
    }
  }

  private async bury(reports: readonly Delivery[], reason: string): Promise<void> {
    const at = unixSeconds();
    await this.persist(() => this.deadLetters.append(toLines(reports, { at, reason })));
    this.counters.dead += reports.length;
    this.recovered();
    if (this.throttle.pass('dead') < 0) return;
    const { dead } = this.counters;
    this.log.error('a sink refuses reports for good; they are kept as dead letters', { reason, dead });
  }

  /** Does something until it succeeds; rejects only when it is to end. */
  private async persist<T>(operation: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await operation();
      } catch (error) {
        if (this.stopping.signal.aborted) throw error;
        this.failed(error);
        const wait = this.wait(failures);
        await this.pause(error instanceof Busy ? Math.max(wait, Math.min(error.seconds, MAX_BUSY)) : wait);
      }
    }
  }

  /** Seconds to wait after so many failures in a row; up to half of it at random, so that many do not come in step. */
  private wait(failures: number): number {
    const { minSeconds, maxSeconds } = this.config.retry;
    return Math.min(minSeconds * 2 ** Math.min(failures - 1, 30), maxSeconds) * (0.5 + Math.random() / 2);
  }

  /** Waits; rejects when it is to end. */
  private async pause(seconds: number): Promise<void> {
    await pause(seconds * 1000, undefined, { signal: this.stopping.signal });
  }

  private failed(cause: unknown): void {
    const error = messageOf(cause);
    this.failure = { error, since: this.failure?.since ?? unixSeconds() };
    if (this.throttle.pass('failed') < 0) return;
    this.log.warn('a sink does not take reports; they are kept and offered again', { reason: error });
  }

  private recovered(): void {
    if (this.failure) this.log.info('the sink takes reports again');
    this.failure = undefined;
  }
}

function unixSeconds(): number {
  return Date.now() / 1000;
}
