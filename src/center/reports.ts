/**
 * Takes reports in: drops those that came before, puts the others into the feed, and tells what is safe.
 *
 * What has come is remembered in the feed itself, so that a report and the memory of it become durable together:
 * now and then a note of all of it is appended. Notes and reports, read back, make the same memory.
 */

import { cborCodec } from '../codecs/cbor.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { RangeSet } from '../store/ranges.js';
import type { FeedRecord, Ranges, ReportBatch, ReportRecord } from '../store/reported.js';
import { Received, type ReceivedLimits, type ReceivedNote } from './reports-received.js';

/** What the intake needs of the feed. */
export interface IntakeFeed {
  /** Position after the last record. */
  readonly end: number;
  /** Adds a record with so many reports. Throws `queue_full` when too much waits for the disk. */
  append(payload: Uint8Array, reports: number): number;
  /** Resolves when all that was appended is on disk; rejects while the disk refuses. */
  commit(): Promise<void>;
  /** Keeps records from `position` on. */
  retain(position: number): void;
}

/** Told of each new report, in the order they come; `at`: Unix seconds of its arrival. Must not throw. */
export type ReportObserver = (
  from: { readonly node: number; readonly engine: string; readonly at: number },
  report: ReportRecord,
) => void;

/** How the intake works. */
export interface IntakeOptions {
  readonly log: Logger;
  readonly limits: ReceivedLimits;
  /** Bytes of the feed between two notes; 1 MiB. A few of these must be far below the feed's bound. */
  readonly noteEvery?: number;
  /** Also told, when the feed is opened, of what it still holds. */
  readonly observe?: ReportObserver;
}

/** Rising for ever; names are metric labels. */
export interface IntakeCounters {
  /** New reports. */
  received: number;
  /** Reports that had come before. */
  repeats: number;
  /** Batches that could not be made safe, and will come again. */
  deferred: number;
  /** Records of the feed that were not understood at opening. */
  unreadable: number;
}

/** What one engine has sent, since this process began. */
export interface EngineCounters {
  received: number;
  repeats: number;
}

/** A part of a note in the feed. */
interface NoteRecord {
  readonly received: readonly ReceivedNote[];
  /** It is the first one. */
  readonly begin: boolean;
}

const CBOR = cborCodec();
/** Engines that are counted apart; beyond them the counters begin anew. */
const MAX_ENGINES = 10_000;
/** Ranges in one record of a note: some hundred KiB at most. */
const NOTE_NUMBERS = 16_384;

/** The intake of one process; the only writer of its feed. */
export class Intake {
  readonly counters: IntakeCounters = { received: 0, repeats: 0, deferred: 0, unreadable: 0 };
  /** By the name of the engine. */
  readonly engines = new Map<string, EngineCounters>();
  readonly received: Received;

  private feed!: IntakeFeed;
  private readonly noteEvery: number;
  /** Where the last note begins, and where it ends. */
  private noted = 0;
  private notedEnd = 0;
  private noting: Promise<void> | undefined;

  private constructor(private readonly options: IntakeOptions) {
    this.received = new Received(options.limits);
    this.noteEvery = options.noteEvery ?? 2 ** 20;
  }

  /** Opens the feed, which hands on every record it holds, and goes on from there. Rejects as `openFeed` does. */
  static async open(
    openFeed: (replay: (payload: Uint8Array, position: number) => void) => Promise<IntakeFeed>,
    options: IntakeOptions,
  ): Promise<Intake> {
    const intake = new Intake(options);
    intake.feed = await openFeed((payload, position) => intake.replay(payload, position));
    // What was read may lie before what the feed keeps from now on.
    await intake.note();
    return intake;
  }

  /**
   * Takes a batch of a node. Resolves to the sequences in it, all of which are on disk then, new or repeated. Rejects
   * when they cannot be made safe now: the batch is to be offered again.
   */
  async take(node: number, engine: string, batch: ReportBatch): Promise<Ranges> {
    const all = RangeSet.from([], Number.POSITIVE_INFINITY);
    try {
      for (const [sequence] of batch.records) all.add(sequence);
      await this.append(node, engine, batch);
      await this.feed.commit();
    } catch (error) {
      this.counters.deferred++;
      throw error;
    }
    const { end } = this.feed;
    if (end - this.notedEnd >= Math.max(this.noteEvery, 4 * (this.notedEnd - this.noted))) void this.note();
    return all.toJSON();
  }

  private async append(node: number, engine: string, batch: ReportBatch): Promise<void> {
    for (;;) {
      const fresh = this.freshOf(node, batch);
      try {
        if (fresh.length > 0) this.keep(node, engine, batch, fresh);
        const counted = this.countersOf(engine);
        const repeats = batch.records.length - fresh.length;
        this.counters.repeats += repeats;
        counted.repeats += repeats;
        return;
      } catch (error) {
        if (!(error instanceof MoonwireError && error.code === 'queue_full')) throw error;
        // A burst: there is room once what waits is written.
        await this.feed.commit();
      }
    }
  }

  /** The reports of a batch that have not come before, each once. */
  private freshOf(node: number, { epoch, records }: ReportBatch): ReportRecord[] {
    const seen = new RangeSet(Number.POSITIVE_INFINITY);
    return records.filter(([sequence]) => seen.add(sequence) && !this.received.has(node, epoch, sequence));
  }

  private keep(
    node: number,
    engine: string,
    { epoch, boot }: ReportBatch,
    fresh: readonly ReportRecord[],
  ): void {
    const record: FeedRecord = { n: node, e: engine, ep: epoch, b: boot, at: Date.now() / 1000, r: fresh };
    this.feed.append(CBOR.encode(record), fresh.length);
    this.remember(record);
    this.counters.received += fresh.length;
    this.countersOf(engine).received += fresh.length;
  }

  private remember({ n, e, ep, at, r }: FeedRecord): void {
    this.received.add(
      n,
      ep,
      r.map(([sequence]) => [sequence, sequence] as const),
    );
    const { observe } = this.options;
    if (!observe) return;
    const from = { node: n, engine: e, at };
    for (const report of r) observe(from, report);
  }

  private countersOf(engine: string): EngineCounters {
    let counters = this.engines.get(engine);
    if (!counters) {
      if (this.engines.size >= MAX_ENGINES) this.engines.clear();
      counters = { received: 0, repeats: 0 };
      this.engines.set(engine, counters);
    }
    return counters;
  }

  private replay(payload: Uint8Array, position: number): void {
    try {
      const record = CBOR.decode(payload) as Partial<FeedRecord & NoteRecord>;
      if (record.r) {
        this.remember(record as FeedRecord);
        return;
      }
      for (const note of record.received!) this.received.restore(note);
      if (record.begin) this.noted = position;
    } catch (error) {
      this.counters.unreadable++;
      this.options.log.error('a record of the feed is not understood', { reason: messageOf(error) });
    }
  }

  /** Appends all that is remembered, and lets the feed go before the note before. Never rejects. */
  private note(): Promise<void> {
    this.noting ??= this.writeNote()
      .catch((error: unknown) => {
        this.options.log.warn('what was received could not be noted', { reason: messageOf(error) });
      })
      .finally(() => {
        this.noting = undefined;
      });
    return this.noting;
  }

  private async writeNote(): Promise<void> {
    const { feed, received } = this;
    received.forgetIdle();
    const begin = feed.end;
    let end = begin;
    let part: ReceivedNote[] = [];
    let numbers = 0;
    const write = async (): Promise<void> => {
      const note: NoteRecord = { received: part, begin: end === begin };
      feed.append(CBOR.encode(note), 0);
      end = feed.end;
      part = [];
      numbers = 0;
      await feed.commit();
    };
    for (const note of received.notes()) {
      part.push(note);
      numbers += note.length;
      if (numbers > NOTE_NUMBERS) await write();
    }
    if (part.length > 0) await write();
    // The one before is kept too: one damaged place in the feed must not cost all memory.
    feed.retain(this.noted);
    this.noted = begin;
    this.notedEnd = end;
  }
}
