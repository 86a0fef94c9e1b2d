/**
 * How reports in memory are offered: those that have just happened on the live lane, the others on the backlog lane
 * at a set rate, so that one never waits for the other.
 */

import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { HeldReports } from './held-reports.js';
import type { Lane, ReportRecord, ReportTaker } from './reported.js';
import type { Held } from './spool.js';
import type { Spools } from './spools.js';

/** Most reports of an offer, and their bytes. */
const OFFER_RECORDS = 256;
const OFFER_BYTES = 64 * 1024;
/** Most bytes of offered reports of a lane that are not acknowledged. */
const FLYING_BYTES = 2 ** 20;
/** Milliseconds until a read that failed is tried again. */
const RETRY_MS = 1000;
/** Part of a second's allowance that is saved up, so that offers have a size. */
const SAVED_SECONDS = 0.25;

/** What lanes work on. */
export interface LanesParts {
  readonly log: Logger;
  readonly memory: HeldReports;
  spools(): Spools;
  /** A record as it is offered. */
  stamped(held: Held): ReportRecord;
  /** Most reports a second on the backlog lane. */
  readonly drainRate: number;
}

/** The two lanes to a taker. */
export class Lanes {
  private readonly queues: Record<Lane, Held[]> = { live: [], backlog: [] };
  private readonly flying: Record<Lane, number> = { live: 0, backlog: 0 };
  private readonly blocked: Record<Lane, boolean> = { live: false, backlog: false };
  private taker: ReportTaker | undefined;
  /** Counts links, so that a read that began under an older one is noticed. */
  private link = 0;
  private offering = false;
  private draining = false;
  /** Reports the backlog lane may offer, and when that was reckoned. */
  private allowance = 0;
  private reckonedAt = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: LanesParts) {}

  get connected(): boolean {
    return this.taker !== undefined;
  }

  /** Sets the taker. Returns what was offered to the one before and not acknowledged. */
  connect(taker: ReportTaker | undefined): Held[] {
    this.link++;
    this.taker = taker;
    this.blocked.live = this.blocked.backlog = false;
    this.flying.live = this.flying.backlog = 0;
    this.allowance = 0;
    this.reckonedAt = performance.now();
    clearTimeout(this.timer);
    this.timer = undefined;
    const withdrawn = this.parts.memory.filter(({ lane }) => lane !== undefined);
    for (const held of withdrawn) held.lane = undefined;
    this.queues.backlog = [...withdrawn, ...this.queues.backlog, ...this.queues.live];
    this.queues.live = [];
    this.schedule();
    return withdrawn;
  }

  /** Queues a report that has just happened. */
  add(held: Held): void {
    const queue = this.queues[this.taker ? 'live' : 'backlog'];
    // Nearly always the queue is empty, or all alike.
    const at = held.urgent ? queue.findIndex(({ urgent }) => !urgent) : -1;
    if (at === -1) queue.push(held);
    else queue.splice(at, 0, held);
    this.schedule();
  }

  /** Reports of the live lane that have not been taken since `before`, seconds of the monotonic clock. */
  stalled(before: number): Held[] {
    return this.queues.live.filter(({ since }) => since <= before);
  }

  /** Takes reports out of the queues. */
  remove(reports: ReadonlySet<Held>): void {
    for (const lane of ['live', 'backlog'] as const) {
      this.queues[lane] = this.queues[lane].filter((held) => !reports.has(held));
    }
  }

  /** An offered report is done with. */
  landed(held: Held): void {
    if (held.lane) this.flying[held.lane] -= held.bytes;
    held.lane = undefined;
    this.schedule();
  }

  /** The taker can take more. */
  ready(lane: Lane): void {
    this.blocked[lane] = false;
    this.schedule();
  }

  /** Offers in a later turn of the event loop, all reports of this turn together. */
  schedule(): void {
    if (!this.taker || this.offering) return;
    this.offering = true;
    setImmediate(() => {
      this.offering = false;
      while (this.offer('live', OFFER_RECORDS) > 0);
      void this.drain();
    });
  }

  /** Offers the next reports of a lane; returns how many were taken. */
  private offer(lane: Lane, most: number): number {
    const queue = this.queues[lane];
    const [first] = queue;
    if (!this.taker || !first || this.blocked[lane] || this.flying[lane] >= FLYING_BYTES) return 0;
    const { epoch, boot } = first;
    let [count, bytes] = [0, 0];
    while (count < queue.length && count < most) {
      const held = queue[count]!;
      if (held.epoch !== epoch || held.boot !== boot || (count > 0 && bytes + held.bytes > OFFER_BYTES))
        break;
      bytes += held.bytes;
      count++;
    }
    const batch = queue.splice(0, count);
    // Rising in sequence, although urgent ones came first.
    const records = batch.map(this.parts.stamped).sort((a, b) => a[0] - b[0]);
    for (const held of batch) held.lane = lane;
    this.flying[lane] += bytes;
    if (this.taker.offer(lane, { epoch, boot, records })) return count;
    this.blocked[lane] = true;
    for (const held of batch) held.lane = undefined;
    this.flying[lane] -= bytes;
    queue.unshift(...batch);
    return 0;
  }

  /** Offers the backlog as far as its rate and the taker allow, reading it from disk. */
  private async drain(): Promise<void> {
    if (this.draining || this.timer) return;
    this.draining = true;
    try {
      while (this.taker && !this.blocked.backlog && this.flying.backlog < FLYING_BYTES) {
        if (this.queues.backlog.length === 0 && !(await this.load())) return;
        const most = this.allowed();
        if (most < 1) return;
        this.allowance -= this.offer('backlog', Math.min(most, OFFER_RECORDS));
      }
    } catch (error) {
      this.parts.log.error('the backlog cannot be read now', { reason: messageOf(error) });
      this.later(RETRY_MS);
    } finally {
      this.draining = false;
    }
  }

  /** Reads from disk into the queue. Returns false when there is no more. */
  private async load(): Promise<boolean> {
    const { memory } = this.parts;
    const spool = this.parts.spools().next;
    if (!spool) return false;
    const { link } = this;
    const found = await spool.read(OFFER_BYTES);
    if (link === this.link) {
      // Some may have had to make room meanwhile.
      this.queues.backlog.push(...found.filter((held) => memory.has(held)));
    } else {
      for (const held of found) memory.remove(held);
      spool.rewind();
    }
    return true;
  }

  /** How many reports of the backlog may be offered now; without any, it comes back when there are some. */
  private allowed(): number {
    const now = performance.now();
    const { drainRate } = this.parts;
    const saved = Math.max(1, drainRate * SAVED_SECONDS);
    this.allowance = Math.min(saved, this.allowance + ((now - this.reckonedAt) / 1000) * drainRate);
    this.reckonedAt = now;
    const worth = Math.min(saved, OFFER_RECORDS / 4);
    if (this.allowance < worth) {
      this.later(((worth - this.allowance) / drainRate) * 1000);
      return 0;
    }
    return Math.floor(this.allowance);
  }

  private later(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.schedule();
    }, ms).unref();
  }
}
