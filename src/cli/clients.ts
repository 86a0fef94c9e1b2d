/** `moonwire clients`: connected clients. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, remark, rowsOf, textOf } from './output.js';
import { type Column, shortDuration, shortNumber, table } from './table.js';

/** Which ones. */
export interface ClientsOptions extends ApiOptions {
  readonly engine?: string;
  readonly server?: string;
  readonly device?: string;
  readonly channel?: string;
  readonly limit: number;
  readonly after?: string;
  readonly all?: true;
}

/** Most clients of one request. */
const PAGE = 1000;

type Row = Record<string, unknown>;

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'CLIENT', right: true, cell: ({ id }) => textOf(id) },
  { heading: 'ENGINE', cell: ({ engine }) => textOf(engine) },
  { heading: 'SERVER', cell: ({ server }) => textOf(server) },
  { heading: 'VIA', cell: ({ transport }) => textOf(transport) },
  { heading: 'REMOTE', cell: ({ remote }) => textOf(remote) },
  { heading: 'OPEN', right: true, cell: ({ opened_at: at }) => secondsCell(Date.now() / 1000 - Number(at)) },
  { heading: 'IDLE', right: true, cell: ({ idle_seconds: idle }) => secondsCell(Number(idle)) },
  { heading: 'IN', right: true, cell: ({ bytes_in: bytes }) => shortNumber(Number(bytes)) },
  { heading: 'OUT', right: true, cell: ({ bytes_out: bytes }) => shortNumber(Number(bytes)) },
  { heading: 'MESSAGES', right: true, cell: ({ messages }) => shortNumber(Number(messages)) },
  { heading: 'CHANNELS', right: true, cell: ({ channels }) => textOf(channels) },
  { heading: 'DEVICES', cell: ({ devices }) => (Array.isArray(devices) ? devices.join(' ') : '') },
];

/** Prints them, page by page; returns the exit code. */
export async function clients(client: ApiClient, options: ClientsOptions): Promise<number> {
  let left = options.all ? Number.POSITIVE_INFINITY : options.limit;
  let after = options.after;
  const found: Row[] = [];
  do {
    const page = await client.get(`/v1/clients?${queryOf(options, Math.min(left, PAGE), after)}`);
    const rows = rowsOf(page.clients);
    if (options.json) rows.forEach(printJson);
    else found.push(...rows);
    left -= rows.length;
    after = typeof page.next === 'string' ? page.next : undefined;
  } while (after !== undefined && left > 0);
  if (!options.json) print(table(COLUMNS, found));
  if (after !== undefined) remark(`there are more: --after ${after}, or --all`);
  return EXIT.done;
}

function queryOf(
  { engine, server, device, channel }: ClientsOptions,
  limit: number,
  after: string | undefined,
): string {
  const given = Object.entries({ engine, server, device, channel, after }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  return new URLSearchParams([['limit', String(limit)], ...given]).toString();
}

function secondsCell(seconds: number): string {
  return Number.isNaN(seconds) ? '' : shortDuration(Math.max(0, seconds));
}
