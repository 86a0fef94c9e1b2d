/** Metrics of MQTT servers. */

import type { Engine } from '../engine/engine.js';
import type { MetricsText } from './metrics-text.js';

/** Writes what MQTT servers keep and drop; nothing where there are none. */
export function writeMqttMetrics(text: MetricsText, { mqtt }: Engine): void {
  if (!mqtt) return;
  const { counters, retained, sessionCounts } = mqtt;
  text.gauge('moonwire_mqtt_sessions', 'MQTT sessions kept.', [
    [{ state: 'connected' }, sessionCounts.all - sessionCounts.away],
    [{ state: 'away' }, sessionCounts.away],
  ]);
  text.gauge('moonwire_mqtt_retained_messages', 'Topics with a retained message.', retained.size);
  text.counter('moonwire_mqtt_dropped_total', 'Messages of MQTT, and sessions, that were dropped.', [
    [{ reason: 'queue_full' }, counters.queueFull],
    [{ reason: 'expired' }, counters.expired],
    [{ reason: 'too_large' }, counters.tooLarge],
    [{ reason: 'retained_full' }, counters.retainedFull],
    [{ reason: 'session_evicted' }, counters.evicted],
  ]);
}
