/** One device on a bus: its counters and its breaker. */

import { Breaker, type BreakerSettings } from './breaker.js';
import { BusCounters } from './counters.js';

export class Unit {
  readonly counters = new BusCounters();
  readonly breaker: Breaker;
  /** When it may be probed on a line that is busy, in milliseconds of `performance.now()`. */
  probesFrom = 0;
  /** When its last good reply came, in Unix seconds. */
  lastGood: number | undefined;

  constructor(
    readonly name: string,
    settings: BreakerSettings,
  ) {
    this.breaker = new Breaker(settings);
  }

  /** Plain values for the API; `now` as of `performance.now()`. */
  report(now: number) {
    const { state, reason, nextProbe } = this.breaker;
    return {
      unit: this.name,
      state,
      ...(reason !== undefined && { reason }),
      ...(state === 'open' && { next_probe_seconds: Math.max(0, nextProbe - now) / 1000 }),
      ...(this.lastGood !== undefined && { last_good: this.lastGood }),
      ...this.counters.report(),
    };
  }
}
