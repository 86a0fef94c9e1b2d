/** What may be wrong with an engine's outbox. */

import { type HealthCheck, RecentRises } from './health.js';
import type { OutboxSource } from './monitor-sources.js';

/** Reports are on disk when they should be, none are dropped, files are sound, and the time is known. */
export function outboxCheck(outbox: OutboxSource): HealthCheck {
  const losses = new RecentRises();
  return function* check(now) {
    const { error, counters, damagedParts, damagedBytes, clock } = outbox();
    if (error !== undefined) yield { code: 'outbox_failing', text: `reports are kept in memory: ${error}` };
    const { full, expired } = counters.dropped;
    const refused = counters.refused.queue_full ?? 0;
    if (losses.has('outbox', full + expired + refused, now)) {
      const text = `reports were dropped (${full} for want of room, ${expired} too old) or refused (${refused})`;
      yield { code: 'reports_dropped', text };
    }
    if (damagedParts > 0) {
      const text = `${damagedParts} damaged parts of the outbox (${damagedBytes} bytes) were passed over`;
      yield { code: 'outbox_damaged', text };
    }
    if (clock === 'unknown') yield { code: 'clock_not_set', text: 'the clock was never set' };
    else if (clock === 'estimated') {
      yield { code: 'clock_not_set', text: "the clock is wrong; reports carry the centre's time" };
    }
  };
}
