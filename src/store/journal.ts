/**
 * An append-only log of records in segment files, with group commit (design §6). It never throws on what the
 * disk holds or refuses: damage is skipped and counted, and while writing fails it goes on from memory.
 */

import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type FileSystem, readRange } from './files.js';
import { type Extent, type JournalRecord, type JournalWindow, readWindow } from './reading.js';
import { MAX_RECORD_BYTES, payloadAt, RECORD_HEADER_BYTES, writeRecord } from './record.js';
import { type Recovered, type Replay, recover, type SegmentFile } from './recovery.js';
import { SEGMENT_HEADER_BYTES, SegmentWriter, segmentName } from './segment.js';

/** How a journal is kept. */
export interface JournalOptions {
  /** Folder of the segments, which exists. */
  readonly folder: string;
  readonly fs: FileSystem;
  readonly log: Logger;
  /** Bytes at which a new segment begins. */
  readonly segmentBytes?: number;
  /** Most bytes of all segments; beyond it writing fails until `release` frees some. */
  readonly maxBytes?: number;
  /** Most bytes waiting in memory for the disk; beyond it `append` refuses. */
  readonly pendingBytes?: number;
  /** Milliseconds between attempts to write after a failure. */
  readonly retryMs?: number;
}

/** The state of a journal, for health and metrics. */
export interface JournalHealth {
  /** Why nothing can be written now; undefined when all is well. */
  readonly error: string | undefined;
  /** Bytes in memory that are not on disk. */
  readonly pendingBytes: number;
  /** Appends refused because too much was waiting; rises. */
  readonly refused: number;
  /** Failed attempts to write; rises. */
  readonly failures: number;
  /** fdatasync calls; rises. */
  readonly syncs: number;
  /** Bytes the disk was made to write, in whole pages, as flash wears; rises. */
  readonly writtenBytes: number;
  /** Damaged parts met while reading back, and their bytes; rise. */
  readonly unreadableParts: number;
  readonly unreadableBytes: number;
  /** Bytes of all segments. */
  readonly diskBytes: number;
  readonly segments: number;
  /** Damaged parts found at opening, and their bytes. */
  readonly damagedParts: number;
  readonly damagedBytes: number;
  /** Bytes of an unfinished write that were cut off at opening. */
  readonly tornBytes: number;
}

interface Waiter {
  readonly upTo: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const INITIAL_BUFFER = 16 * 1024;
/** Waiting bytes that are written even if nobody asked for a commit. */
const WRITE_ANYWAY = 256 * 1024;
/** What the kernel writes at least. */
const PAGE_BYTES = 4096;

/** One journal; the only writer of its folder. */
export class Journal {
  private readonly settings: Required<JournalOptions>;
  private readonly segments: SegmentFile[];
  /** Bytes of all of them: asked for with every record. */
  private diskBytes: number;
  private readonly found: Recovered;
  private writer: SegmentWriter | undefined;
  /** Whether the last segment found at opening is to be written on. */
  private resumable: boolean;
  /** Appended records that no write has taken yet. */
  private buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BUFFER);
  private length = 0;
  /** The buffer of the batch before, to be filled next. */
  private spare: Buffer | undefined;
  /** Records being written; kept until they are synced, since a failed sync may have lost them. */
  private batch: Buffer | undefined;
  private durableEnd: number;
  private appendedEnd: number;
  private readonly waiters: Waiter[] = [];
  private running: Promise<void> | undefined;
  private failure: MoonwireError | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly counters = {
    refused: 0,
    failures: 0,
    syncs: 0,
    writtenBytes: 0,
    unreadableParts: 0,
    unreadableBytes: 0,
  };
  /** Damage before this position has been counted. */
  private damageSeen = 0;

  private constructor(options: JournalOptions, found: Recovered) {
    this.settings = {
      segmentBytes: 2 ** 20,
      maxBytes: 16 * 2 ** 20,
      pendingBytes: 4 * 2 ** 20,
      retryMs: 1000,
      ...options,
    };
    this.found = found;
    this.segments = found.segments;
    this.diskBytes = found.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.resumable = found.resumable;
    this.durableEnd = found.end;
    this.appendedEnd = found.end;
  }

  /**
   * Reads what is there, hands every record from position `from` on to `replay`, in order, and goes on behind it.
   * Fails only when the folder itself cannot be read.
   */
  static async open(options: JournalOptions, from: number, replay: Replay): Promise<Journal> {
    return new Journal(options, await recover(options.fs, options.folder, from, replay, options.log));
  }

  /** Position after the last appended record. */
  get end(): number {
    return this.appendedEnd;
  }

  /** Position of the first record that may be there; `end` when there is none. */
  get first(): number {
    return this.segments[0]?.base ?? this.durableEnd;
  }

  /** Position after the first segment, which may be released as a whole; undefined when it is the only one. */
  get firstEnd(): number | undefined {
    return this.segments.length > 1 ? this.segments[0]!.end : undefined;
  }

  /** Bytes of all segments, and those waiting in memory. */
  get bytes(): number {
    return this.diskBytes + this.pending;
  }

  /** Bytes at which a new segment begins. */
  get segmentBytes(): number {
    return this.settings.segmentBytes;
  }

  /** True while the disk refuses. */
  get failing(): boolean {
    return this.failure !== undefined;
  }

  /**
   * Adds a record of at most 1 MiB, in memory, and returns its position. `commit` puts it on disk. Throws
   * `too_large`, `queue_full` when too much waits for the disk, `closed`.
   */
  append(payload: Uint8Array): number {
    if (this.closed) throw new MoonwireError('closed', 'the journal is closed');
    if (payload.length > MAX_RECORD_BYTES) {
      throw new MoonwireError('too_large', `a record has at most ${MAX_RECORD_BYTES} bytes`);
    }
    const needed = RECORD_HEADER_BYTES + payload.length;
    if (this.pending + needed > this.settings.pendingBytes) {
      this.counters.refused++;
      throw new MoonwireError('queue_full', 'too many bytes wait for the disk');
    }
    if (this.length + needed > this.buffer.length) this.grow(this.length + needed);
    const position = this.appendedEnd;
    this.length += writeRecord(this.buffer, this.length, position, payload);
    this.appendedEnd += needed;
    if (this.length >= WRITE_ANYWAY) this.start();
    return position;
  }

  /**
   * Resolves when everything appended before is on disk; concurrent calls share one fdatasync. Rejects with
   * `overloaded` when it cannot be written now: the records stay in memory and are written later. A rejection
   * that nobody waits for does no harm.
   */
  commit(): Promise<void> {
    if (this.durableEnd === this.appendedEnd) return Promise.resolve();
    const last = this.waiters.at(-1);
    if (last?.upTo === this.appendedEnd) return last.promise;
    if (this.failure && this.retryTimer) return ignorable(Promise.reject(this.failure));
    let settle!: Pick<Waiter, 'resolve' | 'reject'>;
    const promise = ignorable(
      new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
      }),
    );
    this.waiters.push({ upTo: this.appendedEnd, promise, ...settle });
    this.start();
    return promise;
  }

  /**
   * Reads records back from position `from` on, those too that are not on disk yet: at most `maxBytes` with their
   * headers, though at least one record when there is any; fewer do not mean that there are no more. Damage is
   * passed over and counted. `next` is where to read on; it is `end` when there is no more. Several may read at a
   * time. Rejects with `overloaded` when a file cannot be opened now, for want of descriptors for instance.
   */
  async read(from: number, maxBytes: number): Promise<JournalWindow> {
    let next = Math.max(from, this.first);
    while (next < this.appendedEnd) {
      const segment = this.segments.find(({ end }) => end > next);
      if (!segment) return this.readMemory(next, maxBytes);
      // A gap between two segments holds nothing.
      next = Math.max(next, segment.base);
      const window = await readWindow(this.fileExtent(segment), next, maxBytes, this.damaged);
      if (window.records.length > 0) return window;
      next = window.next;
    }
    return { records: [], next };
  }

  /** Frees the segments whose records are all before position `upTo`. Never fails. */
  async release(upTo: number): Promise<void> {
    while (this.segments.length > 1 && this.segments[0]!.end <= upTo) {
      const { base, bytes } = this.segments.shift()!;
      this.diskBytes -= bytes;
      await this.settings.fs.unlink(this.pathOf(base)).catch((error: unknown) => {
        this.settings.log.warn('a segment could not be removed', {
          file: this.pathOf(base),
          reason: messageOf(error),
        });
      });
    }
  }

  health(): JournalHealth {
    return {
      ...this.counters,
      error: this.failure?.message,
      pendingBytes: this.pending,
      diskBytes: this.diskBytes,
      segments: this.segments.length,
      damagedParts: this.found.damagedParts,
      damagedBytes: this.found.damagedBytes,
      tornBytes: this.found.tornBytes,
    };
  }

  /** Writes what waits, once, and closes the files. Never fails: what could not be written is logged. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.retryTimer);
    await this.running;
    if (this.pending > 0) await this.writeAll();
    await this.writer?.close();
    if (this.pending > 0) {
      this.settings.log.error('records were lost because the disk refused them', {
        folder: this.settings.folder,
        bytes: this.pending,
        reason: this.failure?.message,
      });
    }
  }

  private readonly damaged = (from: number, to: number): void => {
    if (to <= this.damageSeen || from < this.first) return;
    this.damageSeen = to;
    this.counters.unreadableParts++;
    this.counters.unreadableBytes += to - from;
    this.settings.log.error('a part of the journal cannot be read and is passed over', {
      folder: this.settings.folder,
      position: from,
      bytes: to - from,
    });
  };

  /** What a segment holds. A file that is missing or damaged yields fewer bytes. */
  private fileExtent({ base, end }: SegmentFile): Extent {
    const { fs } = this.settings;
    return {
      end,
      read: async (position, bytes) => {
        try {
          return await readRange(fs, this.pathOf(base), SEGMENT_HEADER_BYTES + position - base, bytes);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'ENOENT' || code === 'EIO') return Buffer.alloc(0);
          throw new MoonwireError('overloaded', `cannot read ${this.pathOf(base)}: ${messageOf(error)}`);
        }
      },
    };
  }

  /** Records that are not on disk yet, as copies, since their buffers are used again. */
  private readMemory(from: number, maxBytes: number): JournalWindow {
    const records: JournalRecord[] = [];
    let [next, bytes] = [from, 0];
    while (next < this.appendedEnd) {
      const offset = next - this.durableEnd;
      const written = this.batch?.length ?? 0;
      const [source, at] = offset < written ? [this.batch!, offset] : [this.buffer, offset - written];
      const payload = payloadAt(source, at);
      bytes += RECORD_HEADER_BYTES + payload.length;
      if (records.length > 0 && bytes > maxBytes) break;
      records.push({ position: next, payload: Buffer.from(payload) });
      next += RECORD_HEADER_BYTES + payload.length;
    }
    return { records, next };
  }

  private get pending(): number {
    return this.length + (this.batch?.length ?? 0);
  }

  private pathOf(base: number): string {
    return join(this.settings.folder, segmentName(base));
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  /** Writes in a later turn of the event loop, so that all commits of this turn share the write. */
  private start(): void {
    if (this.running || this.retryTimer) return;
    this.running = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.writeAll())
      .finally(() => {
        this.running = undefined;
        if (this.waiters.length > 0 && !this.closed) this.start();
      });
  }

  /** Writes and syncs until nothing waits or the disk refuses. */
  private async writeAll(): Promise<void> {
    while (this.pending > 0) {
      this.batch ??= this.takeBuffer();
      const part = this.fitting(this.batch);
      try {
        await this.writePart(part);
      } catch (error) {
        await this.fail(error);
        return;
      }
      this.durableEnd += part.length;
      this.batch = part.length < this.batch.length ? this.batch.subarray(part.length) : undefined;
      if (this.failure)
        this.settings.log.info('the disk takes records again', { folder: this.settings.folder });
      this.failure = undefined;
      while (this.waiters.length > 0 && this.waiters[0]!.upTo <= this.durableEnd)
        this.waiters.shift()!.resolve();
    }
  }

  private takeBuffer(): Buffer {
    const taken = this.buffer;
    const batch = taken.subarray(0, this.length);
    this.buffer = this.spare ?? Buffer.allocUnsafeSlow(INITIAL_BUFFER);
    this.spare = taken.length <= 2 * WRITE_ANYWAY ? taken : undefined;
    this.length = 0;
    return batch;
  }

  /** The records of a batch that fit into a segment, one at least. */
  private fitting(batch: Buffer): Buffer {
    const { segmentBytes } = this.settings;
    const last = this.segments.at(-1);
    const left = last && (this.writer || this.resumable) ? segmentBytes - last.bytes : 0;
    if (batch.length <= left) return batch;
    // What does not fit into the one that is written begins a new one, unless it was to be split anyway.
    const room = Math.max(left, 0) > segmentBytes / 2 ? left : segmentBytes - SEGMENT_HEADER_BYTES;
    if (batch.length <= room) return batch;
    let end = 0;
    for (let next = 0; next < batch.length; end = next) {
      next += RECORD_HEADER_BYTES + payloadAt(batch, next).length;
      if (next > room && end > 0) break;
    }
    return batch.subarray(0, end);
  }

  private async writePart(batch: Buffer): Promise<void> {
    if (this.diskBytes + batch.length > this.settings.maxBytes) {
      throw new Error(`the journal has reached its ${this.settings.maxBytes} bytes`);
    }
    const writer = await this.writerFor(batch.length);
    const segment = this.segments.at(-1)!;
    await writer.write(batch, this.durableEnd);
    this.counters.syncs++;
    this.counters.writtenBytes += pagesOf(segment.bytes, segment.bytes + batch.length);
    segment.end += batch.length;
    segment.bytes += batch.length;
    this.diskBytes += batch.length;
  }

  private async writerFor(bytes: number): Promise<SegmentWriter> {
    const { fs, folder, segmentBytes } = this.settings;
    const last = this.segments.at(-1);
    if (last && (this.writer || this.resumable) && last.bytes + bytes <= segmentBytes) {
      if (!this.writer) {
        this.resumable = false;
        this.writer = await SegmentWriter.resume(fs, folder, last.base, this.durableEnd);
        const kept = SEGMENT_HEADER_BYTES + this.durableEnd - last.base;
        this.diskBytes += kept - last.bytes;
        last.bytes = kept;
      }
      return this.writer;
    }
    this.resumable = false;
    const previous = this.writer;
    this.writer = undefined;
    await previous?.close();
    this.writer = await SegmentWriter.create(fs, folder, this.durableEnd);
    if (last?.base === this.durableEnd) this.diskBytes -= this.segments.pop()!.bytes;
    this.segments.push({ base: this.durableEnd, end: this.durableEnd, bytes: SEGMENT_HEADER_BYTES });
    this.diskBytes += SEGMENT_HEADER_BYTES;
    return this.writer;
  }

  /** Notes that the disk refused. The next attempt begins a new segment: what the old file holds is unsure. */
  private async fail(cause: unknown): Promise<void> {
    const { folder, log, retryMs } = this.settings;
    const error = new MoonwireError(
      'overloaded',
      `cannot write to ${folder}: ${messageOf(cause)}`,
      undefined,
      {
        cause,
      },
    );
    this.counters.failures++;
    if (!this.failure) log.error('the disk refuses; going on from memory', { folder, reason: error.message });
    this.failure = error;
    await this.writer?.cut(this.durableEnd).catch(() => {});
    await this.writer?.close();
    this.writer = undefined;
    if (!this.closed) {
      this.retryTimer = setTimeout(() => {
        this.retryTimer = undefined;
        this.start();
      }, retryMs).unref();
    }
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }
}

/** Bytes of the pages that a write from `start` to before `end` of a file touches. */
function pagesOf(start: number, end: number): number {
  return (Math.ceil(end / PAGE_BYTES) - Math.floor(start / PAGE_BYTES)) * PAGE_BYTES;
}

/** Marks a rejection as handled, for callers that do not wait. */
function ignorable(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
