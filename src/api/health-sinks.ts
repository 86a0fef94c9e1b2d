/** What may be wrong with sinks. */

import { type HealthCheck, RecentRises } from './health.js';
import type { FeedSource, SinkSource } from './monitor-sources.js';

/** What is kept for the sinks is on disk, and sound. */
export function feedCheck(feed: FeedSource): HealthCheck {
  return function* check() {
    const { error, damagedParts, damagedBytes, unreadableParts, unreadableBytes } = feed();
    if (error !== undefined) yield { code: 'feed_failing', text: `no reports can be taken in: ${error}` };
    const [parts, bytes] = [damagedParts + unreadableParts, damagedBytes + unreadableBytes];
    if (parts === 0) return;
    const text = `${parts} damaged parts of the feed (${bytes} bytes) were passed over`;
    yield { code: 'feed_damaged', text };
  };
}

/** The feed could not be opened: reports stay where they come from. */
export const feedMissingCheck: HealthCheck = () => [
  { code: 'feed_failing', text: 'no reports can be taken in: the log of the start says why' },
];

/** Sinks take reports, and none of them are lost or refused. */
export function sinkCheck(sinks: SinkSource): HealthCheck {
  const losses = new RecentRises();
  return function* check(now) {
    for (const { name, ok, error, since, dead, dropped } of sinks()) {
      if (!ok) {
        const age = since === undefined ? 0 : Math.max(0, Date.now() / 1000 - since);
        yield { code: 'sink_failing', where: name, text: `sink ${name} takes no reports: ${error}`, age };
      }
      if (!losses.has(name, dead + dropped, now)) continue;
      const text = `reports for sink ${name} were dropped before they were delivered (${dropped}) or refused by it (${dead})`;
      yield { code: 'reports_undelivered', where: name, text };
    }
  };
}
