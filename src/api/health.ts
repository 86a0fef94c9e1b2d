/**
 * Health that tells the truth. Live: it answers, so the event loop turns. Ready: it can do its work. Degraded: it
 * works, but something is wrong, and since when.
 */

import type { HealthReport } from './shapes.js';

/** What may be wrong; the same strings in the answer, in the log and in alerts. */
export type HealthCode =
  | 'server_down'
  | 'link_down'
  | 'store_failing'
  | 'config_fallback'
  | 'outbox_failing'
  | 'outbox_damaged'
  | 'reports_dropped'
  | 'feed_failing'
  | 'feed_damaged'
  | 'sink_failing'
  | 'reports_undelivered'
  | 'clock_not_set'
  | 'uplink_down'
  | 'queue_full'
  | 'budget_exceeded'
  | 'event_loop_lag'
  | 'overloaded'
  | 'memory_short'
  | 'script_restarted'
  | 'engine_lost'
  | 'worker_down';

/** Something a check found to be wrong. */
export interface Finding {
  readonly code: HealthCode;
  /** Which one, where there are several of that code: the name of a server, a topic. The text names it too. */
  readonly where?: string;
  readonly text: string;
  /** Seconds since it began, where the check knows. */
  readonly age?: number;
  /** Without this, the process cannot do its work at all. */
  readonly unready?: boolean;
}

/** Looks at one part; `now` in seconds of a clock that only rises. Fast, without effects, never fails. */
export type HealthCheck = (now: number) => Iterable<Finding>;

/** Most reasons of one report. */
const MAX_REASONS = 100;

/** Seconds for which it is told that a count rose. */
const TOLD_SECONDS = 300;

/** Which counts, each of which only rises, rose within the last five minutes. */
export class RecentRises {
  private readonly known = new Map<string, { count: number; rose: number }>();

  /** Takes a count as it is now; every look has to be told, the first one rises from 0. */
  has(name: string, count: number, now: number): boolean {
    const before = this.known.get(name) ?? { count: 0, rose: Number.NEGATIVE_INFINITY };
    const rose = count > before.count ? now : before.rose;
    this.known.set(name, { count, rose });
    return now - rose <= TOLD_SECONDS;
  }
}

/** Seconds of a clock that only rises. */
export function monotonicSeconds(): number {
  return performance.now() / 1000;
}

export class Health {
  private readonly began = monotonicSeconds();
  /** When each problem that still is there was first seen, by the clock that only rises. */
  private seen = new Map<string, number>();

  constructor(
    private readonly checks: readonly HealthCheck[],
    private readonly version: string,
  ) {}

  /** How the process is now. A problem's `since` is no later than the first report that tells it. */
  report(now = monotonicSeconds()): HealthReport {
    const seen = new Map<string, number>();
    const reasons: HealthReport['reasons'] = [];
    let ready = true;
    for (const check of this.checks) {
      for (const { code, where, text, age = 0, unready = false } of check(now)) {
        ready &&= !unready;
        if (reasons.length >= MAX_REASONS) continue;
        const key = `${code} ${where ?? ''}`;
        const began = Math.min(this.seen.get(key) ?? now, now - age);
        seen.set(key, began);
        const since = Math.round(Date.now() / 1000 - (now - began));
        reasons.push({ code, text, since });
      }
    }
    this.seen = seen;
    return {
      status: !ready ? 'failed' : reasons.length > 0 ? 'degraded' : 'ok',
      ready,
      reasons,
      uptime_seconds: Math.floor(now - this.began),
      version: this.version,
    };
  }
}
