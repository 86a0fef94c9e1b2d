/** `moonwire clients`: connected clients. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { textOf } from './output.js';
import { type PagedOptions, printPaged, type Row } from './paged.js';
import { type Column, shortDuration, shortNumber } from './table.js';

/** Which ones. */
export interface ClientsOptions extends ApiOptions, PagedOptions {
  readonly engine?: string;
  readonly server?: string;
  readonly device?: string;
  readonly channel?: string;
}

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
export function clients(client: ApiClient, options: ClientsOptions): Promise<number> {
  const { engine, server, device, channel } = options;
  return printPaged(client, '/v1/clients', 'clients', COLUMNS, options, { engine, server, device, channel });
}

function secondsCell(seconds: number): string {
  return Number.isNaN(seconds) ? '' : shortDuration(Math.max(0, seconds));
}
