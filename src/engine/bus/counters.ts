/** What happened on a line or with one of its units: every number rises for ever; names are metric labels. */

import { BUCKETS, Histogram } from '../histogram.js';

export class BusCounters {
  /** Requests that were sent, tries of one included; those nobody answers (broadcasts, messages sent) are also `broadcasts`. */
  requests = 0;
  broadcasts = 0;
  replies = 0;
  /** Tries without a good reply: nothing came at all, or something that failed its check or did not decode. */
  timeouts = 0;
  checksumErrors = 0;
  decodeErrors = 0;
  /** Frames during a transaction that answer something else. */
  wrongUnit = 0;
  wrongFunction = 0;
  unexpected = 0;
  /** Replies that came after their time, and replies that came twice. */
  late = 0;
  duplicates = 0;
  /** Requests refused because the breaker is open, and those that waited too long. */
  refused = 0;
  expired = 0;
  /** Transactions that ended with the connection, and what was not to wait for another one. */
  interrupted = 0;
  /** Replies that are errors, by their code. */
  readonly exceptions: Record<string, number> = {};
  /** Time from the beginning of a request to its reply, in seconds. */
  readonly times = new Histogram();

  /** Plain values for the API and metrics, in snake_case. */
  report() {
    return {
      requests: this.requests,
      broadcasts: this.broadcasts,
      replies: this.replies,
      timeouts: this.timeouts,
      checksum_errors: this.checksumErrors,
      decode_errors: this.decodeErrors,
      wrong_unit: this.wrongUnit,
      wrong_function: this.wrongFunction,
      unexpected: this.unexpected,
      late: this.late,
      duplicates: this.duplicates,
      refused: this.refused,
      expired: this.expired,
      interrupted: this.interrupted,
      exceptions: { ...this.exceptions },
      round_trip: {
        p50: percentile(this.times, 0.5),
        p95: percentile(this.times, 0.95),
        p99: percentile(this.times, 0.99),
      },
    };
  }
}

/** The time in seconds within which so large a part of all was done, by the bounds of the histogram; null for none. */
export function percentile({ counts }: Histogram, part: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let below = 0;
  for (let i = 0; i < BUCKETS.length; i++) {
    const within = counts[i]!;
    if (below + within >= part * total) {
      const from = i === 0 ? 0 : BUCKETS[i - 1]!;
      return from + ((BUCKETS[i]! - from) * (part * total - below)) / within;
    }
    below += within;
  }
  return BUCKETS[BUCKETS.length - 1]!;
}
