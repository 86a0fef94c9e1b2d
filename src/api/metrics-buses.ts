/** The metrics of buses: what became of requests, by unit, and how busy each line is. */

import type { Engine } from '../engine/engine.js';
import type { Labels, MetricsText } from './metrics-text.js';

/** Counters of a unit that tell what became of a try, or what came beside it. */
const OUTCOMES = [
  'replies',
  'timeouts',
  'checksum_errors',
  'decode_errors',
  'wrong_unit',
  'wrong_function',
  'unexpected',
  'late',
  'duplicates',
  'refused',
  'expired',
  'interrupted',
  'broadcasts',
] as const;

type Rows = [Labels, number][];

/** Writes those of all buses of an engine; outcomes that never came are left out. */
export function writeBusMetrics(text: MetricsText, { buses }: Engine): void {
  const load: Rows = [];
  const waiting: Rows = [];
  const requests: Rows = [];
  const outcomes: Rows = [];
  const exceptions: Rows = [];
  const open: Rows = [];
  for (const bus of buses.all.values()) {
    const { name, load_percent, waiting: counts, units } = bus.report();
    load.push([{ bus: name }, load_percent / 100]);
    for (const [priority, count] of Object.entries(counts)) waiting.push([{ bus: name, priority }, count]);
    for (const unit of units) {
      const labels = { bus: name, unit: unit.unit };
      requests.push([labels, unit.requests]);
      open.push([labels, unit.state === 'closed' ? 0 : 1]);
      for (const outcome of OUTCOMES)
        if (unit[outcome] > 0) outcomes.push([{ ...labels, outcome }, unit[outcome]]);
      for (const [code, count] of Object.entries(unit.exceptions))
        exceptions.push([{ ...labels, code }, count]);
    }
  }
  if (load.length === 0) return;
  text.gauge('moonwire_bus_load_ratio', 'Part of the time that the line is in use.', load);
  text.gauge('moonwire_bus_waiting', 'Requests that wait for the line.', waiting);
  text.counter('moonwire_bus_requests_total', 'Requests sent to a unit, tries of one included.', requests);
  text.counter(
    'moonwire_bus_outcomes_total',
    'What became of requests, and what came beside them.',
    outcomes,
  );
  text.counter('moonwire_bus_exceptions_total', 'Replies that are errors, by their code.', exceptions);
  text.gauge('moonwire_bus_unit_open', 'Whether a unit is left alone by its breaker.', open);
}
