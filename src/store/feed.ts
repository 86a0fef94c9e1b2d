/**
 * A journal that several readers go through at their own pace: what the centre, or an engine alone, has yet to
 * deliver. A record is kept until every reader's cursor is behind it, as long as the bounds allow.
 *
 * On disk a record is preceded by the number of reports in it (4 bytes, big endian) and the time it was appended
 * (8 bytes, Unix seconds as a double), so that lags, drops and ages are known without reading what is inside.
 */

import * as promises from 'node:fs/promises';
import { MoonwireError } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { Cursor } from './cursor.js';
import type { FileSystem } from './files.js';
import { Journal, type JournalHealth } from './journal.js';
import type { KeyValue } from './keyvalue.js';

/** How a feed is kept. */
export interface FeedOptions {
  /** Folder of the journal; made when it is not there. */
  readonly folder: string;
  /** Where the cursors are kept: a part of the store of its own. */
  readonly values: KeyValue;
  /** Names of the readers at first; cursors of others are forgotten. */
  readonly readers: readonly string[];
  /** Most bytes on disk; beyond it the oldest records go, delivered or not. */
  readonly maxBytes: number;
  /** Seconds after which a record goes, delivered or not. */
  readonly maxAge: number;
  readonly log: Logger;
  readonly fs?: FileSystem;
  /** The time in Unix seconds; another clock is for tests. */
  readonly now?: () => number;
}

/** A record as readers get it. */
export interface FeedEntry {
  readonly position: number;
  /** The bytes appended. */
  readonly payload: Buffer;
  /** Reports in it, as the writer said. */
  readonly reports: number;
  /** Unix seconds when it was appended. */
  readonly at: number;
}

/** Records, and the position to read on from. */
export interface FeedPart {
  readonly records: FeedEntry[];
  readonly next: number;
}

/** A place where the feed may be cut: all records from `position` on are as young as `at` or younger. */
interface Mark {
  readonly position: number;
  /** Reports appended before it, counted from the first that was found at opening. */
  readonly reports: number;
  readonly at: number;
}

const HEADER_BYTES = 12;
/** The feed is cut in steps of this part of its bounds. */
const MARKS = 64;
/** A clock that tells an earlier time (2024-01-01) was not set: it says nothing of ages. */
const CLOCK_SET = 1_704_067_200;

/** The feed; the only writer of its folder. */
export class Feed {
  private journal!: Journal;
  private readonly cursors = new Map<string, Cursor>();
  /** The first is where the feed begins. */
  private marks: Mark[] = [];
  /** Reports appended, and found at opening. */
  private reports = 0;
  /** When the last record was appended. */
  private newest = 0;
  /** All is kept until the owner, who has seen what is there, says otherwise. */
  private retained = 0;
  private released = 0;
  /** Settles when cursors that are new are on disk: until then a crash would forget whose the records are. */
  private established: Promise<unknown> = Promise.resolve();
  private readonly waiting = new Set<() => void>();
  private readonly throttle = new LogThrottle(60_000);
  private readonly now: () => number;
  private timer: NodeJS.Timeout | undefined;

  private constructor(private readonly options: FeedOptions) {
    this.now = options.now ?? (() => Date.now() / 1000);
  }

  /**
   * Opens the feed and hands every record it still has to `replay`, in order; `payload` is only valid during the
   * call. Fails only when the folder itself cannot be made or read.
   */
  static async open(
    options: FeedOptions,
    replay: (payload: Buffer, position: number) => void = () => {},
  ): Promise<Feed> {
    const feed = new Feed(options);
    await feed.load(replay);
    return feed;
  }

  /** Position after the last record. */
  get end(): number {
    return this.journal.end;
  }

  /**
   * Adds a record that holds so many reports, and returns its position. Readers get it at once; `commit` makes it
   * durable. Throws as {@link Journal.append}, and `too_large` beyond a quarter of the feed's bound.
   */
  append(payload: Uint8Array, reports = 1): number {
    const at = this.now();
    const most = Math.floor(this.options.maxBytes / 4);
    if (payload.length > most) {
      throw new MoonwireError('too_large', `a record has at most ${most} bytes, got ${payload.length}`);
    }
    const record = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
    record.writeUInt32BE(reports, 0);
    record.writeDoubleBE(at, 4);
    record.set(payload, HEADER_BYTES);
    const position = this.journal.append(record);
    this.note(position, reports, at);
    this.bound();
    for (const wake of this.waiting) wake();
    return position;
  }

  /** Resolves when everything appended is on disk; rejects as {@link Journal.commit}. */
  async commit(): Promise<void> {
    await this.journal.commit();
    await this.established;
  }

  /** The cursor of one of the readers. */
  cursor(reader: string): Cursor {
    return this.cursors.get(reader)!;
  }

  /** Takes in a reader, which gets what is appended from now on; one that is there already goes on where it is. */
  addReader(reader: string): void {
    if (this.cursors.has(reader)) return;
    const cursor = new Cursor(reader, this.options.values, () => this.release());
    this.cursors.set(reader, cursor);
    this.established = Promise.allSettled([this.established, cursor.settle(this.end), this.saveCursors()]);
  }

  /** Forgets a reader: what it does not have yet is no longer kept for it. Nothing may use its cursor after this. */
  removeReader(reader: string): void {
    if (!this.cursors.delete(reader)) return;
    void this.options.values.delete(reader).catch(() => {});
    this.release();
  }

  /** Records from position `from` on, about `maxBytes` of them but one at least; none at the end. */
  async read(from: number, maxBytes: number): Promise<FeedPart> {
    const { records, next } = await this.journal.read(from, maxBytes);
    return {
      next,
      records: records
        .filter(({ payload }) => payload.length >= HEADER_BYTES)
        .map(({ position, payload }) => ({ position, ...readHeader(payload) })),
    };
  }

  /** Writes now how far the readers have come; rejects when the disk refuses. */
  saveCursors(): Promise<void> {
    return this.options.values.flush();
  }

  /** Resolves when there are records from position `from` on, or when `signal` is aborted. */
  async appended(from: number, signal: AbortSignal): Promise<void> {
    if (this.end > from || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /** Keeps records from `position` on, whatever the readers have; all of them until told. The bounds go before it. */
  retain(position: number): void {
    this.retained = position;
    this.release();
  }

  health(): JournalHealth {
    return this.journal.health();
  }

  /** Writes what is left and closes the files. Never fails. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.journal.close();
  }

  private async load(replay: (payload: Buffer, position: number) => void): Promise<void> {
    const { folder, fs = promises, log, maxBytes, maxAge, values, readers } = this.options;
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
    const segmentBytes = Math.min(2 ** 20, Math.ceil(maxBytes / 8));
    for (const reader of readers) this.cursors.set(reader, new Cursor(reader, values, () => this.release()));
    const settings = { folder, fs, log, maxBytes, segmentBytes };
    this.journal = await Journal.open(settings, 0, (record, position) => {
      if (record.length < HEADER_BYTES) return;
      const { payload, reports, at } = readHeader(record);
      this.note(position, reports, at);
      replay(payload, position);
    });
    const cursors = [...this.cursors.values()];
    const settling = cursors.map((cursor) => cursor.settle(this.end));
    this.established = Promise.allSettled([...settling, this.saveCursors()]);
    for (const key of values.keys()) if (!this.cursors.has(key)) void values.delete(key).catch(() => {});
    this.bound();
    this.release();
    this.timer = setInterval(() => this.bound(), Math.min(60, maxAge / 4) * 1000).unref();
  }

  /** Most bytes kept: the journal frees whole segments, so one that is partly used is counted, and a new one. */
  private get most(): number {
    return this.options.maxBytes - 2 * this.journal.segmentBytes;
  }

  /** Counts a record. */
  private note(position: number, reports: number, at: number): void {
    const { maxBytes, maxAge } = this.options;
    const last = this.marks.at(-1);
    const isNext =
      !last || position - last.position >= maxBytes / MARKS || Math.abs(at - last.at) >= maxAge / MARKS;
    if (isNext) this.marks.push({ position, reports: this.reports, at });
    this.reports += reports;
    this.newest = at;
    for (const cursor of this.cursors.values()) cursor.note(position, reports);
  }

  /** Gives up the oldest records while there are too many bytes of them, or they are too old. */
  private bound(): void {
    const oldest = this.now() - this.options.maxAge;
    for (let first = this.marks[0]; first; first = this.marks[0]) {
      const next = this.marks[1] ?? { position: this.end, reports: this.reports, at: this.newest };
      const tooMany = this.end - first.position > this.most;
      const tooOld = next.at < oldest && next.at > CLOCK_SET;
      if (!tooMany && !tooOld) break;
      this.marks.shift();
      this.giveUp(next, tooMany ? 'bytes' : 'age');
    }
  }

  /** Moves every cursor that is before `mark` there. */
  private giveUp(mark: Mark, bound: 'bytes' | 'age'): void {
    const left = this.reports - mark.reports;
    for (const cursor of this.cursors.values()) {
      const dropped = cursor.skipTo(mark.position, left);
      if (dropped === 0) continue;
      const suppressed = this.throttle.pass(cursor.reader);
      if (suppressed < 0) continue;
      this.options.log.error('reports were dropped before they were delivered', {
        sink: cursor.reader,
        bound,
        dropped: cursor.dropped,
      });
    }
    this.release();
  }

  /** Frees what nobody needs any more. */
  private release(): void {
    let lowest = Math.min(this.end, Math.max(this.retained, this.marks[0]?.position ?? 0));
    for (const { position } of this.cursors.values()) lowest = Math.min(lowest, position);
    while (this.marks.length > 1 && this.marks[1]!.position <= lowest) this.marks.shift();
    if (lowest - this.released < this.journal.segmentBytes / 2) return;
    this.released = lowest;
    void this.journal.release(lowest);
  }
}

function readHeader(record: Buffer): Omit<FeedEntry, 'position'> {
  return {
    reports: record.readUInt32BE(0),
    at: record.readDoubleBE(4),
    payload: record.subarray(HEADER_BYTES),
  };
}
