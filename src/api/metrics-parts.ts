/** The metrics of what an engine and the centre have beside clients: uplink, store, scripts' own, engines. */

import type { Engine } from '../engine/engine.js';
import type { ScriptMetrics, Series } from '../engine/script-metrics.js';
import type { MetricsText } from './metrics-text.js';
import type {
  CenterSource,
  IntakeSource,
  PartCounters,
  StoreFigures,
  UplinkFigures,
} from './monitor-sources.js';

/** Most engines that are told apart. */
const MAX_ENGINES = 1000;

/** Before the names that scripts give, so that none can pass for one of the gateway's own. */
const SCRIPT_PREFIX = 'moonwire_script_';

export function writeUplinkMetrics(
  text: MetricsText,
  { connected, flaps, roundTripMs }: UplinkFigures,
): void {
  text.gauge('moonwire_uplink_connected', 'Whether a centre is connected.', connected ? 1 : 0);
  text.counter('moonwire_uplink_flaps_total', 'Times the uplink was lost.', flaps);
  if (roundTripMs === undefined) return;
  text.gauge('moonwire_uplink_round_trip_seconds', 'The last round trip of a heartbeat.', roundTripMs / 1000);
}

export function writeStoreMetrics(text: MetricsText, { ok, state }: StoreFigures): void {
  text.gauge('moonwire_store_ok', 'Whether all that should be on disk is.', ok ? 1 : 0);
  if (!state) return;
  text.gauge('moonwire_store_disk_bytes', 'Bytes of the journal on disk.', state.diskBytes);
  text.gauge('moonwire_store_pending_bytes', 'Bytes in memory that are not on disk yet.', state.pendingBytes);
  text.gauge('moonwire_store_state_bytes', 'Bytes of small values kept.', state.stateBytes);
  text.gauge('moonwire_store_entries', 'Small values kept.', state.entries);
  text.counter('moonwire_store_syncs_total', 'Writes to disk, with fdatasync.', state.syncs);
  text.counter('moonwire_store_failures_total', 'Writes that the disk refused.', state.failures);
  text.counter(
    'moonwire_store_refused_total',
    'Records refused: too much waited for the disk.',
    state.refused,
  );
  text.gauge('moonwire_store_damaged_bytes', 'Damaged or torn bytes found at the start.', [
    [{ kind: 'damaged' }, state.damagedBytes],
    [{ kind: 'torn' }, state.tornBytes],
  ]);
}

/** What scripts count under names of their own. */
export function writeScriptMetrics(text: MetricsText, metrics: ScriptMetrics): void {
  text.counter(
    'moonwire_script_metrics_refused_total',
    'Updates of scripts refused: too many series.',
    metrics.refused,
  );
  let family: Series[] = [];
  const write = () => {
    const [first] = family;
    if (!first) return;
    const samples = family.map(({ labels, value }) => [labels, value] as const);
    text[first.kind](SCRIPT_PREFIX + first.name, 'Set by a script.', samples);
  };
  for (const series of metrics.series()) {
    if (family.length > 0 && family[0]!.name !== series.name) {
      write();
      family = [];
    }
    family.push(series);
  }
  write();
}

export function writeCenterMetrics(text: MetricsText, center: CenterSource): void {
  const engines = [...center.engines()];
  const connected = engines.filter((engine) => engine.connected);
  const shown = engines.slice(0, MAX_ENGINES);
  text.gauge('moonwire_engines', 'Engines connected now.', connected.length);
  text.gauge('moonwire_engines_known', 'Engines that may come.', engines.length);
  text.gauge(
    'moonwire_engine_connected',
    'Whether an engine is connected.',
    shown.map(({ name, connected }) => [{ engine: name }, connected ? 1 : 0]),
  );
  text.gauge(
    'moonwire_engine_clients',
    'Clients of an engine.',
    shown.map(({ name, clients }) => [{ engine: name }, clients]),
  );
  text.gauge('moonwire_mesh_channels', 'Channels with subscribers on any engine.', center.channels);
  text.gauge('moonwire_mesh_devices', 'Devices attached on any engine.', center.devices);
  text.gauge(
    'moonwire_commands',
    'Commands to devices that are kept, by state.',
    Object.entries(center.commands).map(([state, count]) => [{ state }, count]),
  );
  text.counter(
    'moonwire_joins_refused_total',
    'Joins of engines refused, by code.',
    Object.entries(center.refusals).map(([code, count]) => [{ code }, count]),
  );
}

/** Reports that came in, by engine. */
export function writeIntakeMetrics(text: MetricsText, intake: IntakeSource): void {
  const shown = [...intake].slice(0, MAX_ENGINES);
  text.counter(
    'moonwire_reports_received_total',
    'Reports of an engine that were new.',
    shown.map(([engine, { received }]) => [{ engine }, received]),
  );
  text.counter(
    'moonwire_reports_repeated_total',
    'Reports of an engine that had come before, and were dropped.',
    shown.map(([engine, { repeats }]) => [{ engine }, repeats]),
  );
}

/** What the scripts' services of an engine count. */
export function serviceCounters({ services }: Engine): PartCounters {
  const redis = [...services.redis].map(([name, pool]) => [`redis_${name}`, pool.counters] as const);
  return { http: services.http.counters, ...Object.fromEntries(redis) };
}

/** The counters of parts that have no metrics of their own. */
export function writePartCounters(text: MetricsText, parts: PartCounters): void {
  text.counter(
    'moonwire_events_total',
    'What other parts count; all that they refuse and drop is among it.',
    Object.entries(parts).flatMap(([part, counters]) =>
      Object.entries(counters)
        .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
        .map(([event, count]) => [{ part, event: snakeCase(event) }, count] as const),
    ),
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
