/** The metrics of an engine's outbox. */

import type { OutboxStatus } from '../store/outbox-status.js';
import type { MetricsText } from './metrics-text.js';

export function writeOutboxMetrics(text: MetricsText, status: OutboxStatus): void {
  const { counters } = status;
  text.gauge('moonwire_outbox_connected', 'Whether somebody takes reports.', status.connected ? 1 : 0);
  text.gauge('moonwire_outbox_records', 'Reports that are not acknowledged.', status.records);
  text.gauge('moonwire_outbox_memory_records', 'Those that are in memory only.', status.memoryRecords);
  text.gauge('moonwire_outbox_bytes', 'Bytes of reports on disk.', status.bytes);
  text.gauge('moonwire_outbox_max_bytes', 'Most bytes of reports on disk.', status.maxBytes);
  if (status.oldest !== undefined) {
    const age = Math.max(0, Date.now() / 1000 - status.oldest);
    text.gauge('moonwire_outbox_oldest_seconds', 'Age of the oldest report.', age);
  }
  if (status.holdsSeconds !== undefined) {
    text.gauge(
      'moonwire_outbox_holds_seconds',
      'How long reports can be kept at the rate of the last day.',
      status.holdsSeconds,
    );
  }
  text.gauge('moonwire_outbox_clock_set', 'Whether the clock is trusted.', status.clock === 'set' ? 1 : 0);
  text.counter('moonwire_outbox_written_bytes_total', 'Bytes the disk wrote, in pages.', status.writtenBytes);
  text.counter('moonwire_outbox_reports_total', 'Reports taken.', counters.reports);
  text.counter('moonwire_outbox_spilled_total', 'Eco reports written to disk.', counters.spilled);
  text.counter(
    'moonwire_outbox_acknowledged_total',
    'Reports acknowledged, by the lane they went by.',
    Object.entries(counters.acknowledged).map(([lane, count]) => [{ lane }, count]),
  );
  text.counter(
    'moonwire_outbox_dropped_total',
    'Reports dropped: the oldest for want of room, and those too old.',
    Object.entries(counters.dropped).map(([reason, count]) => [{ reason }, count]),
  );
  text.counter(
    'moonwire_outbox_refused_total',
    'Reports refused, by code.',
    Object.entries(counters.refused).map(([code, count]) => [{ code }, count]),
  );
  text.counter(
    'moonwire_outbox_ignored_acknowledgements_total',
    'Ranges acknowledged in which nothing was waiting.',
    counters.ignoredAcknowledgements,
  );
  text.gauge('moonwire_outbox_damaged_bytes', 'Bytes on disk that could not be read.', status.damagedBytes);
}
