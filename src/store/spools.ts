/**
 * The outbox on disk: a spool for each kind of report, so that what may be dropped, and what goes first, is found
 * without looking at the rest.
 */

import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { FileSystem } from './files.js';
import type { JournalHealth } from './journal.js';
import { type Held, type Ledger, Spool } from './spool.js';

/** How they are kept. */
export interface SpoolsOptions {
  /** Folder of the spools; made when it is not there. Without one, nothing is kept on disk. */
  readonly folder: string | undefined;
  /** Most bytes of all of them on disk. */
  readonly maxBytes: number;
  readonly log: Logger;
  /** The file system; another one is for tests. */
  readonly fs?: FileSystem;
  /** Milliseconds between attempts to write after a failure. */
  readonly retryMs?: number;
}

/** In the order they are drained. */
const KINDS = [
  { name: 'urgent-durable', urgent: true, durable: true },
  { name: 'urgent-eco', urgent: true, durable: false },
  { name: 'durable', urgent: false, durable: true },
  { name: 'eco', urgent: false, durable: false },
] as const;

/** Bytes waiting in memory for the disk, of one spool. */
const PENDING_BYTES = 2 ** 20;

/** Settled reports that are written down without delay, once no others are left. */
const WORTH_SAVING = 100;

/** All spools of an outbox. */
export class Spools {
  private readonly segmentBytes: number;
  private dropping = false;

  private constructor(
    readonly maxBytes: number,
    private readonly list: readonly Spool[],
    private readonly log: Logger,
    /** Why nothing is kept on disk; undefined when it is. */
    readonly unavailable: MoonwireError | undefined,
  ) {
    this.segmentBytes = segmentBytes(maxBytes);
  }

  /** Opens them. On a folder that cannot be made or read nothing is kept on disk, and `unavailable` tells why. */
  static async open(options: SpoolsOptions, ledger: Ledger): Promise<Spools> {
    const { folder, fs = promises, log, maxBytes } = options;
    const opened: Spool[] = [];
    try {
      if (folder === undefined) throw new Error('no folder is configured');
      for (const { name, ...kind } of KINDS) {
        const own = join(folder, name);
        await fs.mkdir(own, { recursive: true, mode: 0o700 });
        const settings = { folder: own, fs, log, ...kind, pendingBytes: PENDING_BYTES };
        opened.push(
          await Spool.open(
            {
              ...settings,
              // The bound is kept to here; acknowledgements must find room beyond it, since they free some.
              maxBytes: maxBytes + PENDING_BYTES,
              segmentBytes: segmentBytes(maxBytes),
              ...(options.retryMs !== undefined && { retryMs: options.retryMs }),
            },
            ledger,
          ),
        );
      }
      return new Spools(maxBytes, opened, log, undefined);
    } catch (error) {
      const reason = `reports are kept in memory only: ${messageOf(error)}`;
      if (folder !== undefined) log.error(reason, { folder });
      for (const spool of opened) await spool.close();
      return new Spools(maxBytes, [], log, new MoonwireError('overloaded', reason, folder));
    }
  }

  /** Bytes on disk, or about to be. */
  get bytes(): number {
    return this.list.reduce((sum, spool) => sum + spool.bytes, 0);
  }

  /** Reports on disk. */
  get records(): number {
    return this.list.reduce((sum, spool) => sum + spool.records, 0);
  }

  /** When the oldest report was written, Unix seconds, as far as that is known. */
  get oldest(): number | undefined {
    const known = this.list.flatMap(({ oldest }) => oldest ?? []);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  /** Whether room is to be made. */
  get short(): boolean {
    return this.bytes + 2 * this.segmentBytes > this.maxBytes;
  }

  /** Whether nothing more can be written. */
  get full(): boolean {
    return this.bytes >= this.maxBytes;
  }

  /** The spool to read next; undefined when all are drained. */
  get next(): Spool | undefined {
    return this.list.find(({ drained }) => !drained);
  }

  health(): (JournalHealth & { readonly undecodable: number })[] {
    return this.list.map((spool) => ({ ...spool.health(), undecodable: spool.undecodable }));
  }

  /** Whether reports of an epoch may still be read. */
  has(epoch: number): boolean {
    return this.list.some((spool) => spool.has(epoch));
  }

  /**
   * Writes reports of one epoch, which rise in sequence; `at` is Unix seconds, 0 when they are not known. Returns
   * those that found room.
   */
  append(held: readonly Held[], at: number, keep: boolean): Held[] {
    const fitting = this.fitting(held);
    return this.list.flatMap((spool) => {
      const own = fitting.filter(
        ({ durable, urgent }) => spool.durable === durable && spool.urgent === urgent,
      );
      return own.length > 0 ? spool.append(own, at, keep) : [];
    });
  }

  /** Those for which there is room, from the first on. */
  private fitting(held: readonly Held[]): readonly Held[] {
    let room = this.maxBytes - this.bytes;
    const past = held.findIndex(({ bytes }) => {
      room -= bytes;
      return room < 0;
    });
    return past === -1 ? held : held.slice(0, past);
  }

  /** Resolves when all is on disk; rejects with `overloaded` when it cannot be now. */
  async commit(): Promise<void> {
    if (this.unavailable) throw this.unavailable;
    await Promise.all(this.list.map((spool) => spool.commit()));
  }

  /** Whether many reports were settled since that was written down, and none is left. */
  get settledAll(): boolean {
    return this.list.some(({ records, unsavedSettled }) => records === 0 && unsavedSettled >= WORTH_SAVING);
  }

  /** Writes down what was settled since, with the next commit; returns whether there was any. */
  saveSettled(): boolean {
    let any = false;
    for (const spool of this.list) {
      if (spool.unsavedSettled === 0) continue;
      spool.saveSettled();
      any = true;
    }
    return any;
  }

  /** Drops eco reports by the segment, the oldest first and urgent ones last, until there is room; how many went. */
  async dropOldest(): Promise<number> {
    if (this.dropping) return 0;
    this.dropping = true;
    let count = 0;
    try {
      while (this.short) {
        const eco = this.list.findLast(({ durable, droppable }) => !durable && droppable);
        if (!eco) break;
        count += await eco.drop();
      }
    } catch (error) {
      this.log.error('no room can be made now', { reason: messageOf(error) });
    } finally {
      this.dropping = false;
    }
    return count;
  }

  /** Drops what was written before `before`, Unix seconds; returns how many reports went. */
  async expire(before: number): Promise<number> {
    let count = 0;
    for (const spool of this.list) {
      const { oldest } = spool;
      if (oldest === undefined || oldest >= before) continue;
      try {
        count += await spool.drop(before);
      } catch (error) {
        this.log.error('what is too old cannot be read now', { reason: messageOf(error) });
      }
    }
    return count;
  }

  /** Writes what is left and closes the files. Never fails. */
  async close(): Promise<void> {
    await Promise.all(this.list.map((spool) => spool.close()));
  }
}

function segmentBytes(maxBytes: number): number {
  return Math.min(2 ** 20, Math.max(2 ** 16, Math.floor(maxBytes / 32)));
}
