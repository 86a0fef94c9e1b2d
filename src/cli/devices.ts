/** `moonwire devices`: devices, where they are attached, and what they reported last. */

import { type ApiClient, isMap } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { textOf } from './output.js';
import { type PagedOptions, printPaged, type Row } from './paged.js';
import { type Column, shortDuration } from './table.js';

/** Which ones. */
export type DevicesOptions = ApiOptions & PagedOptions;

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'DEVICE', cell: ({ id }) => textOf(id) },
  { heading: 'ENGINE', cell: ({ engine }) => textOf(engine) },
  { heading: 'CLIENT', right: true, cell: ({ client }) => textOf(client) },
  { heading: 'SEEN', right: true, cell: ({ last_seen: at }) => ago(at) },
  { heading: 'LABELS', cell: ({ labels }) => pairs(labels) },
  { heading: 'VALUES', cell: ({ report }) => (isMap(report) ? textOf(report.values) : '') },
];

/** Prints them, page by page; returns the exit code. */
export function devices(client: ApiClient, options: DevicesOptions): Promise<number> {
  return printPaged(client, '/v1/devices', 'devices', COLUMNS, options);
}

function ago(at: unknown): string {
  return typeof at === 'number' ? shortDuration(Math.max(0, Date.now() / 1000 - at)) : '';
}

function pairs(labels: unknown): string {
  if (!isMap(labels)) return '';
  return Object.entries(labels)
    .map(([name, label]) => `${name}=${textOf(label)}`)
    .join(' ');
}
