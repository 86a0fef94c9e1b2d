/** The metrics of sinks. */

import type { JournalHealth } from '../store/journal.js';
import type { MetricsText } from './metrics-text.js';
import type { SinkFigures } from './monitor-sources.js';

export function writeFeedMetrics(text: MetricsText, feed: JournalHealth): void {
  text.gauge('moonwire_feed_bytes', 'Bytes on disk of what is kept for the sinks.', feed.diskBytes);
  text.gauge('moonwire_feed_pending_bytes', 'Bytes in memory that are not on disk yet.', feed.pendingBytes);
  text.counter('moonwire_feed_failures_total', 'Writes that the disk refused.', feed.failures);
  text.gauge(
    'moonwire_feed_damaged_bytes',
    'Bytes on disk that could not be read.',
    feed.damagedBytes + feed.unreadableBytes,
  );
}

export function writeSinkMetrics(text: MetricsText, sinks: readonly SinkFigures[]): void {
  const each = (figure: (sink: SinkFigures) => number) =>
    sinks.map((sink) => [{ sink: sink.name, kind: sink.kind }, figure(sink)] as const);
  text.gauge(
    'moonwire_sink_ok',
    'Whether a sink takes reports.',
    each(({ ok }) => (ok ? 1 : 0)),
  );
  text.gauge(
    'moonwire_sink_lag_records',
    'Reports a sink does not have yet.',
    each(({ pending }) => pending),
  );
  text.gauge(
    'moonwire_sink_lag_seconds',
    'How long the oldest of them has waited.',
    each(({ lag }) => lag),
  );
  text.counter(
    'moonwire_sink_delivered_total',
    'Reports delivered to a sink.',
    each(({ delivered }) => delivered),
  );
  text.counter(
    'moonwire_sink_retried_total',
    'Reports offered to a sink in vain.',
    each(({ retried }) => retried),
  );
  text.counter(
    'moonwire_sink_dead_total',
    'Reports a sink refused for good.',
    each(({ dead }) => dead),
  );
  text.counter(
    'moonwire_sink_dropped_total',
    'Reports given up because too many waited for a sink, or for too long.',
    each(({ dropped }) => dropped),
  );
  text.counter(
    'moonwire_sink_filtered_total',
    'Reports that are not for a sink.',
    each(({ filtered }) => filtered),
  );
  text.counter(
    'moonwire_sink_unreadable_total',
    'Reports for a sink that were damaged on disk.',
    each(({ unreadable }) => unreadable),
  );
}
