/**
 * Reports on disk, in the order they were written: one journal, read back by one cursor. Of the reports themselves
 * nothing stays in memory but those that are being handed on, so a backlog may be as long as the disk allows.
 */

import { MoonwireError, messageOf } from '../errors.js';
import { LogThrottle } from '../log.js';
import { Journal, type JournalHealth, type JournalOptions } from './journal.js';
import { RangeSet } from './ranges.js';
import { type BatchHeader, encodeBatch, encodeSettled, readHeader, readReports } from './report-records.js';
import type { Ranges, ReportRecord } from './reported.js';

/** A report in memory. */
export interface Held {
  readonly epoch: number;
  readonly boot: string;
  readonly record: ReportRecord;
  /** What it takes in CBOR. */
  readonly bytes: number;
  readonly durable: boolean;
  readonly urgent: boolean;
  /** Seconds of the monotonic clock when it came into memory. */
  readonly since: number;
  /** On which lane it was offered; undefined while it waits. */
  lane: 'live' | 'backlog' | undefined;
  /** Where it is on disk; undefined while it is in memory only. */
  spool: Spool | undefined;
  position: number;
  /** The cursor of the spool has passed it, and its settling is waited for. */
  passed: boolean;
}

/** What spools share: which reports are done with, and which are in memory. */
export interface Ledger {
  isSettled(epoch: number, seq: number): boolean;
  settle(epoch: number, first: number, last: number): void;
  held(epoch: number, seq: number): Held | undefined;
  /** All of a spool that are in memory. */
  heldOf(spool: Spool): Iterable<Held>;
  /** A report has come into memory. */
  hold(held: Held): void;
  /** Seconds of the monotonic clock. */
  monotonic(): number;
}

/** How a spool is kept. */
export interface SpoolOptions extends JournalOptions {
  readonly durable: boolean;
  readonly urgent: boolean;
}

/** Most reports of a record, and their bytes in CBOR, so that damage costs little. */
const MAX_RECORDS = 256;
const MAX_BYTES = 64 * 1024;
/** What opening keeps in memory for a moment to count what is left. */
const MAX_COUNTED_RANGES = 2 ** 21;

/** Reports of one kind on disk. */
export class Spool {
  readonly durable: boolean;
  readonly urgent: boolean;
  /** Reports on disk that are not settled. */
  records = 0;
  /** Reports that were settled since that was last written down. */
  unsavedSettled = 0;
  /** Records of the journal that are no reports although their CRC holds; rises. */
  undecodable = 0;

  private journal!: Journal;
  /** What is before it has been read, and is settled or passed. */
  private cursor = 0;
  /** Records of the journal that the cursor has passed: how many of their reports are not settled. */
  private readonly passed = new Map<number, { left: number; readonly at: number }>();
  /** When the record at the cursor was written, Unix seconds; 0 when that was not known. */
  private cursorAt = 0;
  /** Last position of each epoch. */
  private readonly lastOf = new Map<number, number>();
  /** Settled, but that is not on disk yet. */
  private readonly unsaved = new Map<number, RangeSet>();
  private readonly throttle = new LogThrottle();

  private constructor(
    private readonly options: SpoolOptions,
    private readonly ledger: Ledger,
  ) {
    this.durable = options.durable;
    this.urgent = options.urgent;
  }

  /** Opens what is there. Fails only when the folder itself cannot be read. */
  static async open(options: SpoolOptions, ledger: Ledger): Promise<Spool> {
    const spool = new Spool(options, ledger);
    const present = new Map<number, RangeSet>();
    spool.journal = await Journal.open(options, 0, (payload, position) => {
      const header = spool.header(payload, position);
      if (header?.kind === 'settled') {
        for (const [first, last] of header.ranges) ledger.settle(header.epoch, first, last);
      } else if (header) {
        spool.lastOf.set(header.epoch, position);
        const set = present.get(header.epoch) ?? new RangeSet(MAX_COUNTED_RANGES);
        present.set(header.epoch, set);
        for (const [first, last] of header.ranges) set.add(first, last);
      }
    });
    for (const [epoch, set] of present) spool.records += spool.countUnsettled(epoch, set.toJSON());
    spool.cursor = spool.journal.first;
    await spool.skipSettled();
    return spool;
  }

  /** Bytes on disk, or about to be. */
  get bytes(): number {
    return this.journal.bytes;
  }

  /** Whether `drop` has a segment to drop. */
  get droppable(): boolean {
    return this.journal.firstEnd !== undefined;
  }

  /** Whether all reports on disk are settled or passed. */
  get drained(): boolean {
    return this.cursor >= this.journal.end;
  }

  /** When the oldest report that is not settled was written, Unix seconds; undefined when that is not known. */
  get oldest(): number | undefined {
    if (this.records === 0) return undefined;
    const [first] = this.passed.values();
    return (first?.at ?? this.cursorAt) || undefined;
  }

  health(): JournalHealth {
    return this.journal.health();
  }

  /** Epochs of which reports may still be read. */
  has(epoch: number): boolean {
    return this.lastOf.has(epoch);
  }

  /**
   * Writes reports, which rise in sequence and are of one epoch, behind the others. `keep`: they stay in memory, to
   * be handed on from there. Returns those that were written; the others found no room, and `queue_full` is why.
   */
  append(held: readonly Held[], at: number, keep: boolean): readonly Held[] {
    this.saveSettled();
    let done = 0;
    while (done < held.length) {
      const batch = held.slice(done, done + fitting(held, done));
      try {
        this.appendBatch(batch, at, keep);
      } catch (error) {
        if (!(error instanceof MoonwireError)) throw error;
        break;
      }
      done += batch.length;
    }
    return held.slice(0, done);
  }

  private appendBatch(batch: readonly Held[], at: number, keep: boolean): void {
    const { epoch, boot } = batch[0]!;
    const follow = keep && this.drained;
    if (this.drained) this.cursorAt = at;
    const position = this.journal.append(
      encodeBatch(
        epoch,
        boot,
        at,
        batch.map(({ record }) => record),
      ),
    );
    for (const item of batch) {
      item.spool = this;
      item.position = position;
      item.passed = follow;
    }
    this.records += batch.length;
    this.lastOf.set(epoch, position);
    if (!follow) return;
    this.passed.set(position, { left: batch.length, at });
    this.cursor = this.journal.end;
  }

  /** Resolves when all that was appended is on disk; rejects with `overloaded` when the disk refuses. */
  commit(): Promise<void> {
    return this.journal.commit();
  }

  /**
   * Brings the next reports that are neither settled nor in memory into memory, of at most `maxBytes` or one record of
   * the journal, and returns them. None: they were all settled or in memory up to where it read; `drained` tells
   * whether there is more.
   */
  async read(maxBytes: number): Promise<Held[]> {
    const from = this.cursor;
    const window = await this.journal.read(from, maxBytes);
    // Gone back, or dropped, meanwhile.
    if (this.cursor !== from) return [];
    const found: Held[] = [];
    for (const { payload, position } of window.records) {
      const header = this.header(payload, position);
      if (header?.kind === 'batch') this.pass(payload, position, header, found);
    }
    this.cursor = window.next;
    // What was damaged is not waited for.
    if (this.drained) this.records = this.passedRecords;
    return found;
  }

  private pass(payload: Buffer, position: number, header: BatchHeader, found: Held[]): void {
    const { epoch, boot, at } = header;
    this.cursorAt = at;
    if (this.countUnsettled(epoch, header.ranges) === 0) return;
    let records: ReportRecord[];
    try {
      records = readReports(payload, header);
    } catch (error) {
      this.notReports(position, error);
      this.forget(epoch, header.ranges);
      return;
    }
    const since = this.ledger.monotonic();
    const bytes = Math.ceil(payload.length / records.length);
    let left = 0;
    for (const record of records) {
      if (this.ledger.isSettled(epoch, record[0])) continue;
      const held = this.ledger.held(epoch, record[0]);
      if (held) {
        // One that was written twice counts where it was written last.
        if (held.spool !== this || held.position !== position) continue;
        held.passed = true;
      } else {
        const { durable, urgent } = this;
        const where = { spool: this, position, passed: true, lane: undefined } as const;
        const item: Held = { epoch, boot, record, bytes, durable, urgent, since, ...where };
        // At once, lest it be dropped from disk as one that nobody holds.
        this.ledger.hold(item);
        found.push(item);
      }
      left++;
    }
    if (left > 0) this.passed.set(position, { left, at });
  }

  /** Goes back to the first report that is not settled. */
  rewind(): void {
    const [first] = this.passed;
    if (!first) return;
    this.cursor = first[0];
    this.cursorAt = first[1].at;
    this.passed.clear();
    for (const held of this.ledger.heldOf(this)) held.passed = false;
  }

  /** Takes note that a report of this spool is done with. */
  settle({ epoch, record, position, passed }: Held): void {
    this.records--;
    const unsaved = this.unsaved.get(epoch) ?? new RangeSet();
    unsaved.add(record[0]);
    this.unsaved.set(epoch, unsaved);
    this.unsavedSettled++;
    const entry = passed ? this.passed.get(position) : undefined;
    if (!entry || --entry.left > 0) return;
    this.passed.delete(position);
    if (this.drained && this.passed.size === 0) this.records = 0;
    this.release();
  }

  /** Appends what was settled since, so that a crash does not bring it back; it is on disk with the next commit. */
  saveSettled(): void {
    for (const [epoch, ranges] of this.unsaved) {
      try {
        const { drained } = this;
        this.journal.append(encodeSettled(epoch, ranges.toJSON()));
        if (drained) this.cursor = this.journal.end;
      } catch (error) {
        if (!(error instanceof MoonwireError)) throw error;
        // No room: at worst these come twice.
        return;
      }
      this.unsaved.delete(epoch);
    }
    this.unsavedSettled = 0;
  }

  /**
   * Drops reports from the oldest on: those written before `before` (Unix seconds), or, without it, those of the
   * oldest segment. Reports in memory are not dropped: they are on their way. Returns how many were.
   */
  async drop(before?: number): Promise<number> {
    const end = before === undefined ? this.journal.firstEnd : this.journal.end;
    if (end === undefined) return 0;
    let dropped = 0;
    for (let at = this.floor; at < end; ) {
      const { records, next } = await this.journal.read(at, MAX_BYTES);
      for (const { payload, position } of records) {
        if (position >= end) break;
        const header = this.header(payload, position);
        if (header?.kind !== 'batch') continue;
        if (before !== undefined && (header.at === 0 || header.at >= before)) {
          this.dropTo(position);
          return dropped;
        }
        dropped += this.forget(header.epoch, header.ranges);
      }
      at = next;
    }
    this.dropTo(end);
    return dropped;
  }

  private dropTo(position: number): void {
    for (const passed of this.passed.keys()) {
      if (passed >= position) break;
      this.passed.delete(passed);
    }
    this.cursor = Math.max(this.cursor, position);
    this.release();
  }

  /** Settles the reports of some ranges that are not in memory; returns how many those were. */
  private forget(epoch: number, ranges: Ranges): number {
    let count = 0;
    for (const [first, last] of ranges) {
      for (let seq = first; seq <= last; seq++) {
        if (this.ledger.isSettled(epoch, seq)) continue;
        const held = this.ledger.held(epoch, seq);
        if (!held) {
          this.ledger.settle(epoch, seq, seq);
          count++;
        } else if (held.spool === this) {
          held.spool = undefined;
        } else {
          continue;
        }
        this.records--;
      }
    }
    return count;
  }

  /** Writes what is left and closes the files. Never fails. */
  async close(): Promise<void> {
    this.saveSettled();
    await this.journal.close();
  }

  private get passedRecords(): number {
    let count = 0;
    for (const { left } of this.passed.values()) count += left;
    return count;
  }

  /** Position before which all is settled. */
  private get floor(): number {
    const [first] = this.passed.keys();
    return first ?? this.cursor;
  }

  private release(): void {
    const { floor } = this;
    for (const [epoch, last] of this.lastOf) if (last < floor) this.lastOf.delete(epoch);
    void this.journal.release(floor);
  }

  /** Moves the cursor over records that are settled as a whole. */
  private async skipSettled(): Promise<void> {
    while (!this.drained) {
      const { records, next } = await this.journal.read(this.cursor, MAX_BYTES);
      for (const { payload, position } of records) {
        const header = this.header(payload, position);
        if (header?.kind !== 'batch') continue;
        this.cursorAt = header.at;
        if (this.countUnsettled(header.epoch, header.ranges) === 0) continue;
        this.cursor = position;
        this.release();
        return;
      }
      this.cursor = next;
    }
    this.release();
  }

  private countUnsettled(epoch: number, ranges: Ranges): number {
    let count = 0;
    for (const [first, last] of ranges) {
      for (let seq = first; seq <= last; seq++) if (!this.ledger.isSettled(epoch, seq)) count++;
    }
    return count;
  }

  private header(payload: Buffer, position: number): ReturnType<typeof readHeader> | undefined {
    try {
      return readHeader(payload);
    } catch (error) {
      this.notReports(position, error);
      return undefined;
    }
  }

  private notReports(position: number, error: unknown): void {
    this.undecodable++;
    const suppressed = this.throttle.pass('undecodable');
    if (suppressed < 0) return;
    const { folder, log } = this.options;
    log.error('a record on disk is no report', { folder, position, reason: messageOf(error), suppressed });
  }
}

/** How many reports from an index on make one record of the journal. */
function fitting(held: readonly Held[], from: number): number {
  let [count, bytes] = [0, 0];
  while (from + count < held.length && count < MAX_RECORDS) {
    bytes += held[from + count]!.bytes;
    if (count > 0 && bytes > MAX_BYTES) break;
    count++;
  }
  return count;
}
