/** `moonwire ps`: the engines. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { ago, pairs, print, printJson, rowsOf, textOf } from './output.js';
import { type Column, table } from './table.js';

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
  { heading: 'LABELS', cell: ({ labels }) => pairs(labels, '=') },
];

/** Prints them; returns the exit code. */
export async function ps(client: ApiClient, { json }: ApiOptions): Promise<number> {
  const engines = rowsOf((await client.get('/v1/engines')).engines);
  if (json) engines.forEach(printJson);
  else print(table(COLUMNS, engines));
  return EXIT.done;
}

function namesOf(servers: unknown): string {
  return rowsOf(servers)
    .map(({ name, port }) => `${textOf(name)}:${textOf(port)}`)
    .join(' ');
}
