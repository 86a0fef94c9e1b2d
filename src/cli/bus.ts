/** `moonwire bus`: how the buses of an engine fare, or the units of one. */

import { type ApiClient, isMap } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { ago, pairs, print, printJson, rowsOf, textOf } from './output.js';
import { type Column, shortDuration, table } from './table.js';

type Row = Record<string, unknown>;

const COUNTS: readonly Column<Row>[] = [
  { heading: 'REQUESTS', right: true, cell: ({ requests }) => textOf(requests) },
  { heading: 'REPLIES', right: true, cell: ({ replies }) => textOf(replies) },
  { heading: 'TIMEOUT', right: true, cell: ({ timeouts }) => textOf(timeouts) },
  { heading: 'CHECK', right: true, cell: ({ checksum_errors: errors }) => textOf(errors) },
  { heading: 'DECODE', right: true, cell: ({ decode_errors: errors }) => textOf(errors) },
  { heading: 'UNIT?', right: true, cell: ({ wrong_unit: wrong }) => textOf(wrong) },
  { heading: 'FUNC?', right: true, cell: ({ wrong_function: wrong }) => textOf(wrong) },
  { heading: 'LATE', right: true, cell: ({ late }) => textOf(late) },
  { heading: 'TWICE', right: true, cell: ({ duplicates }) => textOf(duplicates) },
  { heading: 'REFUSED', right: true, cell: ({ refused }) => textOf(refused) },
  { heading: 'P50', right: true, cell: ({ round_trip: times }) => milliseconds(times, 'p50') },
  { heading: 'P95', right: true, cell: ({ round_trip: times }) => milliseconds(times, 'p95') },
  { heading: 'GOOD', right: true, cell: ({ last_good: at }) => ago(at) || 'never' },
  { heading: 'EXCEPTIONS', cell: ({ exceptions }) => pairs(exceptions, ':') },
];

const BUSES: readonly Column<Row>[] = [
  { heading: 'BUS', cell: ({ name }) => textOf(name) },
  { heading: 'LINE', cell: ({ connected, lent }) => (connected ? 'up' : lent ? 'lent' : 'down') },
  { heading: 'LOAD', right: true, cell: ({ load_percent: load }) => `${textOf(load)}%` },
  { heading: 'WAIT', right: true, cell: ({ waiting }) => waitingOf(waiting) },
  ...COUNTS,
  { heading: 'DISCARDED', cell: ({ discarded }) => pairs(discarded, ':') },
];

const UNITS: readonly Column<Row>[] = [
  { heading: 'UNIT', right: true, cell: ({ unit }) => textOf(unit) },
  { heading: 'BREAKER', cell: breakerOf },
  ...COUNTS,
];

/** Prints all buses, or one with its units; returns the exit code. */
export async function bus(
  client: ApiClient,
  name: string | undefined,
  { json }: ApiOptions,
): Promise<number> {
  const found = name === undefined ? (await client.get('/v1/buses')).buses : [await one(client, name)];
  const buses = rowsOf(found);
  if (json) buses.forEach(printJson);
  else {
    print(table(BUSES, buses));
    if (name !== undefined) print(`\n${table(UNITS, rowsOf(buses[0]?.units))}`);
  }
  return EXIT.done;
}

function one(client: ApiClient, name: string): Promise<Row> {
  return client.get(`/v1/buses/${encodeURIComponent(name)}`);
}

function breakerOf({ state, reason, next_probe_seconds: next }: Row): string {
  if (state === 'closed') return 'ok';
  const probe = typeof next === 'number' ? `, probe in ${shortDuration(next)}` : '';
  return `${textOf(state)}: ${textOf(reason)}${probe}`;
}

function waitingOf(waiting: unknown): string {
  return isMap(waiting) ? String(Object.values(waiting).reduce<number>((sum, n) => sum + Number(n), 0)) : '';
}

function milliseconds(times: unknown, part: string): string {
  const value = isMap(times) ? times[part] : undefined;
  return typeof value === 'number' ? `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)}ms` : '';
}
