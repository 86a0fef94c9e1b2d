/** `moonwire ps`: the engines. */

import { type ApiClient, isMap } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, rowsOf, textOf } from './output.js';
import { type Column, shortDuration, table } from './table.js';

type Row = Record<string, unknown>;

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'NAME', cell: ({ name }) => textOf(name) },
  { heading: 'NODE', right: true, cell: ({ node }) => textOf(node) },
  { heading: 'VERSION', cell: ({ version }) => textOf(version) },
  { heading: 'UPLINK', cell: ({ connected }) => (connected === true ? 'up' : 'down') },
  { heading: 'FOR', right: true, cell: ({ since }) => ago(since) },
  { heading: 'CLIENTS', right: true, cell: ({ clients }) => textOf(clients) },
  { heading: 'ADDRESS', cell: ({ address }) => textOf(address) },
  { heading: 'API', cell: ({ api }) => textOf(api) },
  { heading: 'SERVERS', cell: ({ servers }) => namesOf(servers) },
  { heading: 'LABELS', cell: ({ labels }) => labelsOf(labels) },
];

/** Prints them; returns the exit code. */
export async function ps(client: ApiClient, { json }: ApiOptions): Promise<number> {
  const engines = rowsOf((await client.get('/v1/engines')).engines);
  if (json) engines.forEach(printJson);
  else print(table(COLUMNS, engines));
  return EXIT.done;
}

function ago(since: unknown): string {
  return typeof since === 'number' ? shortDuration(Math.max(0, Date.now() / 1000 - since)) : '';
}

function namesOf(servers: unknown): string {
  return rowsOf(servers)
    .map(({ name, port }) => `${textOf(name)}:${textOf(port)}`)
    .join(' ');
}

function labelsOf(labels: unknown): string {
  const pairs = isMap(labels) ? Object.entries(labels) : [];
  return pairs.map(([key, value]) => `${key}=${textOf(value)}`).join(' ');
}
