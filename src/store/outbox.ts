/**
 * The outbox: what devices reported, until somebody has taken it for good (design §6, §9 "Reports and repeats").
 *
 * An eco report waits in memory, and is written with others once it was not acknowledged for some seconds; a durable
 * one is on disk before `report` resolves. Both are offered on the live lane at once. Whatever was there before a
 * link came up, or did not get through, is offered on the backlog lane at a set rate, urgent topics first.
 */

import { MoonwireError, messageOf } from '../errors.js';
import { LogThrottle } from '../log.js';
import { HeldReports, weightOf } from './held-reports.js';
import { drawEpoch } from './identity.js';
import { Lanes } from './lanes.js';
import type { OutboxOptions, OutboxReport } from './outbox-options.js';
import { newOutboxCounters, type OutboxStatus, sumHealth } from './outbox-status.js';
import { measureReport } from './report-check.js';
import type { Lane, Ranges, ReportRecord, ReportTaker } from './reported.js';
import { Settled } from './settled.js';
import type { Held, Ledger } from './spool.js';
import { Spools } from './spools.js';
import { Traffic } from './traffic.js';

/** What `quality` says of a time that was reckoned from the centre's or from a later boot's knowledge. */
const TIME_ESTIMATED = 'time_estimated';
/** Milliseconds between looks at what waits in memory. */
const TICK_MS = 500;
/** Milliseconds between looks at what has become too old. */
const EXPIRE_MS = 60_000;
/** Milliseconds until acknowledgements are on disk when nothing else is written. */
const SAVE_MS = 10_000;
const DAY = 86_400;

/** A durable report on its way to the disk. */
interface Storing {
  readonly held: Held;
  resolve(): void;
  reject(error: unknown): void;
}

/** Holds the reports of one engine. */
export class Outbox {
  /** 48 random bits, drawn when it was opened. */
  readonly epoch = drawEpoch();
  readonly counters = newOutboxCounters();

  private readonly urgent: ReadonlySet<string>;
  private readonly traffic: Traffic;
  private readonly throttle = new LogThrottle();
  private readonly memory = new HeldReports();
  private readonly lanes: Lanes;
  private readonly settled = new Settled();
  private readonly began: number;
  private spools!: Spools;
  private sequence = 0;
  private storing: Storing[] = [];
  private readonly timers: NodeJS.Timeout[] = [];
  private closed = false;

  private constructor(private readonly options: OutboxOptions) {
    const { clock, drainRate, log, urgentTopics } = options;
    this.urgent = new Set(urgentTopics);
    this.began = clock.mono;
    this.traffic = new Traffic(() => clock.mono);
    this.lanes = new Lanes({
      log,
      memory: this.memory,
      drainRate,
      spools: () => this.spools,
      stamped: (held) => this.stamped(held),
    });
  }

  /** Opens what is on disk. Never fails: a disk that cannot be used, is full or damaged shows in `status`. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    const { memory, settled } = outbox;
    const ledger: Ledger = {
      isSettled: (epoch, seq) => settled.has(epoch, seq),
      settle: (epoch, first, last) => settled.add(epoch, first, last),
      held: (epoch, seq) => memory.get(epoch, seq),
      heldOf: (spool) => memory.filter((held) => held.spool === spool),
      hold: (held) => memory.add(held),
      monotonic: () => options.clock.mono,
    };
    outbox.spools = await Spools.open(options, ledger);
    outbox.timers.push(
      setInterval(() => outbox.tick(), TICK_MS).unref(),
      setInterval(() => outbox.saveSettled(), SAVE_MS).unref(),
      setInterval(() => void outbox.expire(), EXPIRE_MS).unref(),
    );
    await outbox.expire();
    return outbox;
  }

  /**
   * Takes a report. A durable one: the promise resolves when it is on disk, and rejects with `overloaded` when the
   * disk refuses; it may be delivered nevertheless. Throws `invalid_argument` and `too_large` for a report that
   * cannot be taken, `queue_full` when a bound is reached and nothing may be dropped for it, `closed`.
   */
  report(report: OutboxReport): void | Promise<void> {
    const held = this.take(report);
    // Without a link, a durable one is read back from disk when there is one.
    if (!held.durable || this.lanes.connected) this.hold(held);
    if (!held.durable) return undefined;
    return new Promise((resolve, reject) => {
      this.storing.push({ held, resolve, reject });
      // Those of one turn of the event loop are written together.
      if (this.storing.length === 1) setImmediate(() => this.store());
    });
  }

  /**
   * Sets who takes reports; undefined when there is nobody. What was offered and not acknowledged is offered again,
   * as backlog.
   */
  connect(taker: ReportTaker | undefined): void {
    if (this.closed) return;
    const withdrawn = this.lanes.connect(taker);
    // What is on disk is read from there again, and what was dropped there while it was on its way is gone.
    const lost = withdrawn.filter(({ spool, epoch }) => !spool && epoch !== this.epoch);
    for (const held of lost) this.settle(held);
    this.lanes.remove(new Set(lost));
    this.dropped('full', lost.length);
    this.unhold((taker ? withdrawn : this.memory.filter(() => true)).filter(({ spool }) => spool));
  }

  /** The taker can take more on a lane. */
  ready(lane: Lane): void {
    this.lanes.ready(lane);
  }

  /** These are safe elsewhere. What is unknown, repeated or was never offered is ignored, and counted. */
  acknowledged(epoch: number, ranges: Ranges): void {
    for (const [first, last] of ranges) {
      let count = 0;
      for (const held of this.memory.between(epoch, first, last)) {
        if (!held.lane) continue;
        this.counters.acknowledged[held.lane]++;
        this.settle(held);
        count++;
      }
      if (count === 0) this.counters.ignoredAcknowledgements++;
    }
    // The end of a backlog is worth a write: a crash would bring back what was taken of it.
    if (this.spools.settledAll) this.saveSettled();
  }

  status(): OutboxStatus {
    const { counters, options, spools } = this;
    const inMemory = this.memory.filter(({ spool }) => !spool);
    // Durable ones of this turn that only the disk will hold.
    const unheld = this.storing.filter(({ held }) => !this.memory.has(held) && !this.isSettled(held));
    const oldest = [spools.oldest, this.timeOf(inMemory[0])].flatMap((time) => time ?? []);
    const { reports, bytes } = this.traffic.perSecond;
    const { error, ...sums } = sumHealth(spools.health());
    return {
      connected: this.lanes.connected,
      error: spools.unavailable?.message ?? error,
      records: spools.records + inMemory.length + unheld.length,
      memoryRecords: inMemory.length,
      bytes: spools.bytes,
      maxBytes: spools.maxBytes,
      oldest: oldest.length > 0 ? Math.min(...oldest) : undefined,
      ratePerSecond: reports,
      holdsSeconds: bytes > 0 ? spools.maxBytes / bytes : undefined,
      writtenBytesPerDay: (sums.writtenBytes / Math.max(1, options.clock.mono - this.began)) * DAY,
      clock: options.clock.state,
      counters,
      ...sums,
    };
  }

  /** Writes everything that is in memory only. Rejects with `overloaded` when the disk refuses. */
  async flush(): Promise<void> {
    this.store();
    this.spill(0);
    this.spools.saveSettled();
    await this.spools.commit();
  }

  /** Takes less memory: what is not offered goes to disk, from where it is read again. Never fails. */
  shrink(): void {
    if (this.closed) return;
    this.spill(0);
    this.unhold(this.memory.filter(({ spool, lane }) => spool !== undefined && lane === undefined));
  }

  /** Writes what is left and closes the files. Never fails. */
  async close(): Promise<void> {
    if (this.closed) return;
    for (const timer of this.timers) clearInterval(timer);
    this.connect(undefined);
    this.closed = true;
    await this.flush().catch((error: unknown) => {
      const reports = this.memory.filter(({ spool }) => !spool).length;
      if (reports > 0) this.options.log.error('reports are lost', { reports, reason: messageOf(error) });
    });
    await this.spools.close();
  }

  /** Checks a report and gives it its number. */
  private take(report: OutboxReport): Held {
    const { clock } = this.options;
    const { deviceId, durable, topic = null, values } = report;
    const bytes = this.admit(report);
    const stamp = clock.now();
    const quality = report.quality ?? null;
    const record: ReportRecord = [
      ++this.sequence,
      deviceId,
      report.time ?? stamp.time,
      stamp.mono,
      values,
      topic,
      report.time === undefined && stamp.estimated ? estimated(quality) : quality,
    ];
    this.counters.reports++;
    this.traffic.add(bytes);
    return {
      epoch: this.epoch,
      boot: clock.boot,
      record,
      bytes,
      durable,
      urgent: topic !== null && this.urgent.has(topic),
      since: stamp.mono,
      lane: undefined,
      spool: undefined,
      position: 0,
      passed: false,
    };
  }

  /** The bytes of a report; throws, and counts, when it is refused. */
  private admit(report: OutboxReport): number {
    try {
      if (this.closed) throw new MoonwireError('closed', 'the outbox is closed');
      const bytes = measureReport(report, this.options.maxReportBytes);
      this.makeRoom(report.durable, weightOf(bytes));
      return bytes;
    } catch (error) {
      throw this.refuse(error);
    }
  }

  /** Counts a report that is refused. */
  private refuse(error: unknown): unknown {
    const { refused } = this.counters;
    if (error instanceof MoonwireError) refused[error.code] = (refused[error.code] ?? 0) + 1;
    return error;
  }

  /** Keeps to the bounds: the oldest eco reports go first, then the new one is refused. */
  private makeRoom(durable: boolean, weight: number): void {
    const { spools } = this;
    if (durable && spools.unavailable) throw spools.unavailable;
    if (durable && spools.full) {
      throw new MoonwireError('queue_full', `reports on disk have reached ${spools.maxBytes} bytes`);
    }
    const most = this.options.memoryBytes;
    if (this.memory.weight + weight <= most) return;
    this.spill(0);
    if (this.memory.weight + weight <= most) return;
    this.unhold(this.memory.filter(({ spool, lane }) => spool !== undefined && lane === undefined));
    if (this.memory.weight + weight > most) this.shed(most / 8);
    if (this.memory.weight + weight > most) {
      throw new MoonwireError('queue_full', `reports in memory have reached ${most} bytes`);
    }
  }

  /** Drops eco reports that the disk did not take: the oldest that weigh so much, urgent ones last. */
  private shed(weight: number): void {
    const eco = this.memory.filter(({ durable, spool, lane }) => !durable && !spool && !lane);
    eco.sort((a, b) => Number(a.urgent) - Number(b.urgent));
    const gone = new Set<Held>();
    let left = weight;
    for (const held of eco) {
      if (left <= 0) break;
      left -= weightOf(held.bytes);
      gone.add(held);
      this.settle(held);
    }
    this.lanes.remove(gone);
    this.dropped('full', gone.size);
  }

  private async dropOldest(): Promise<void> {
    this.dropped('full', await this.spools.dropOldest());
    this.forgetEpochs();
  }

  private hold(held: Held): void {
    this.memory.add(held);
    this.lanes.add(held);
  }

  /** Writes the durable reports that wait, and tells who reported them. `again`: none of them found room before. */
  private store(storing = this.storing.splice(0), again = false): void {
    if (storing.length === 0) return;
    // Some may have been acknowledged in this very moment.
    const waiting = storing.map(({ held }) => held).filter((held) => !this.isSettled(held));
    // A link may have come up.
    if (this.lanes.connected) for (const held of waiting) if (!this.memory.has(held)) this.hold(held);
    const written = new Set(this.write(waiting));
    const left = new Set(waiting.filter((held) => !written.has(held)));
    const committed = this.spools.commit();
    for (const { held, resolve, reject } of storing) if (!left.has(held)) committed.then(resolve, reject);
    if (left.size === 0) return;
    const rest = storing.filter(({ held }) => left.has(held));
    // More than may wait for the disk at a time: they follow the others, as long as these find room.
    committed.then(
      () => (again && written.size === 0 ? this.turnAway(rest) : this.store(rest, written.size === 0)),
      () => this.turnAway(rest),
    );
  }

  /** Takes back durable reports that found no room on disk, unless they are on their way. */
  private turnAway(storing: readonly Storing[]): void {
    const waiting = storing.map(({ held }) => held).filter(({ lane }) => !lane);
    this.lanes.remove(new Set(waiting));
    for (const held of waiting) this.settle(held);
    for (const { reject } of storing) {
      reject(this.refuse(new MoonwireError('queue_full', 'there is no room on disk')));
    }
  }

  private isSettled({ epoch, record }: Held): boolean {
    return this.settled.has(epoch, record[0]);
  }

  /** Writes eco reports to disk once one of them has been in memory only for so many seconds. */
  private spill(seconds: number): void {
    const alone = this.memory.filter(
      ({ durable, spool, epoch }) => !durable && !spool && epoch === this.epoch,
    );
    const [oldest] = alone;
    if (!oldest || this.spools.unavailable || this.options.clock.mono - oldest.since < seconds) return;
    const written = this.write(alone);
    this.counters.spilled += written.length;
    if (written.length > 0) this.spools.commit().catch(() => {});
    // They come back from disk when their turn comes.
    this.unhold(written.filter(({ lane }) => lane === undefined));
  }

  private tick(): void {
    const { clock, spillDelay } = this.options;
    this.spill(spillDelay);
    const stalled = this.lanes.stalled(clock.mono - spillDelay);
    this.unhold(stalled.filter(({ spool }) => spool !== undefined));
  }

  /** Appends to disk; of reports that have no link to go by, only that is kept. */
  private write(reports: readonly Held[]): Held[] {
    const { connected } = this.lanes;
    const written = this.spools.append(reports, this.options.clock.now().time ?? 0, connected);
    if (!connected) this.unhold(written.filter((held) => this.memory.has(held)));
    if (this.spools.short) void this.dropOldest();
    return written;
  }

  /** Takes reports that are on disk out of memory. */
  private unhold(reports: readonly Held[]): void {
    if (reports.length === 0) return;
    for (const held of reports) this.memory.remove(held);
    this.lanes.remove(new Set(reports));
    for (const spool of new Set(reports.flatMap(({ passed, spool }) => (passed && spool) || [])))
      spool.rewind();
    this.lanes.schedule();
  }

  /** A report is done with. */
  private settle(held: Held): void {
    if (!this.memory.remove(held)) return;
    this.settled.add(held.epoch, held.record[0]);
    held.spool?.settle(held);
    this.lanes.landed(held);
  }

  private saveSettled(): void {
    if (this.spools.saveSettled()) this.spools.commit().catch(() => {});
    this.forgetEpochs();
  }

  /** Forgets what was settled of epochs of which nothing can come any more. */
  private forgetEpochs(): void {
    this.settled.keep((epoch) => epoch === this.epoch || this.spools.has(epoch));
  }

  private async expire(): Promise<void> {
    const { time } = this.options.clock.now();
    if (time === null) return;
    this.dropped('expired', await this.spools.expire(time - this.options.maxAge));
    this.forgetEpochs();
  }

  private dropped(reason: 'full' | 'expired', count: number): void {
    if (count === 0) return;
    this.counters.dropped[reason] += count;
    const suppressed = this.throttle.pass(reason);
    if (suppressed < 0) return;
    const total = this.counters.dropped[reason];
    this.options.log.warn('reports are dropped', { reason, reports: count, total, suppressed });
  }

  /** A record with its time, if that was not known when it was made and is now. */
  private stamped({ boot, record }: Held): ReportRecord {
    if (record[2] !== null) return record;
    const [seq, device, , mono, values, topic, quality] = record;
    const time = this.options.clock.timeAt(boot, mono);
    return time === undefined ? record : [seq, device, time, mono, values, topic, estimated(quality)];
  }

  private timeOf(held: Held | undefined): number | undefined {
    return held && this.options.clock.timeAt(held.boot, held.since);
  }
}

function estimated(quality: string | null): string {
  return quality === null ? TIME_ESTIMATED : `${quality},${TIME_ESTIMATED}`;
}
