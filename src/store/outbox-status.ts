/** What an outbox tells of itself, for health, metrics, the API and the command line. */

import type { JournalHealth } from './journal.js';

/** Rising for ever; names are metric labels. */
export interface OutboxCounters {
  /** Reports taken. */
  reports: number;
  /** Reports acknowledged, by the lane they were offered on. */
  acknowledged: { live: number; backlog: number };
  /** Eco reports that were written to disk. */
  spilled: number;
  /** Reports dropped: `full`, the oldest eco for want of room; `expired`, older than `store.maxAge`. */
  dropped: { full: number; expired: number };
  /** Reports refused, by error code. */
  refused: Record<string, number>;
  /** Ranges acknowledged in which nothing was waiting. */
  ignoredAcknowledgements: number;
}

export function newOutboxCounters(): OutboxCounters {
  return {
    reports: 0,
    acknowledged: { live: 0, backlog: 0 },
    spilled: 0,
    dropped: { full: 0, expired: 0 },
    refused: {},
    ignoredAcknowledgements: 0,
  };
}

/** Where an outbox stands. */
export interface OutboxStatus {
  /** Somebody takes reports. */
  readonly connected: boolean;
  /** Why not all is as it should be; undefined when it is. */
  readonly error: string | undefined;
  /** Reports that are not acknowledged. */
  readonly records: number;
  /** Those of them that are in memory only. */
  readonly memoryRecords: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Most bytes on disk. */
  readonly maxBytes: number;
  /** Unix seconds of the oldest report, as far as they are known. */
  readonly oldest: number | undefined;
  /** Reports a second, over the last 24 hours at most. */
  readonly ratePerSecond: number;
  /** How long reports can be kept at that rate, from an empty disk on; undefined while nothing is reported. */
  readonly holdsSeconds: number | undefined;
  /** Bytes the disk was made to write since the start, in whole pages; and for a day at that pace. */
  readonly writtenBytes: number;
  readonly writtenBytesPerDay: number;
  /** `set`, `estimated` from the centre's, `unknown`. */
  readonly clock: 'set' | 'estimated' | 'unknown';
  readonly counters: OutboxCounters;
  /** Damaged parts of files, met at opening or later, and their bytes. */
  readonly damagedParts: number;
  readonly damagedBytes: number;
}

/** The sums over the journals of an outbox. */
export function sumHealth(journals: readonly (JournalHealth & { readonly undecodable: number })[]): {
  readonly error: string | undefined;
  readonly writtenBytes: number;
  readonly damagedParts: number;
  readonly damagedBytes: number;
} {
  const sum = (of: (journal: (typeof journals)[number]) => number): number =>
    journals.reduce((total, journal) => total + of(journal), 0);
  return {
    error: journals.find(({ error }) => error !== undefined)?.error,
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    damagedParts: sum(
      ({ damagedParts, unreadableParts, undecodable }) => damagedParts + unreadableParts + undecodable,
    ),
    damagedBytes: sum(({ damagedBytes, unreadableBytes }) => damagedBytes + unreadableBytes),
  };
}
