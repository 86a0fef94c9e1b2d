/** `moonwire devices`: devices, where they are attached, and what they reported last. */

import { type ApiClient, isMap } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, remark, rowsOf, textOf } from './output.js';
import { type Column, shortDuration, table } from './table.js';

/** Which ones. */
export interface DevicesOptions extends ApiOptions {
  readonly limit: number;
  readonly after?: string;
  readonly all?: true;
}

/** Most devices of one request. */
const PAGE = 1000;

type Row = Record<string, unknown>;

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'DEVICE', cell: ({ id }) => textOf(id) },
  { heading: 'ENGINE', cell: ({ engine }) => textOf(engine) },
  { heading: 'CLIENT', right: true, cell: ({ client }) => textOf(client) },
  { heading: 'SEEN', right: true, cell: ({ last_seen: at }) => ago(at) },
  { heading: 'LABELS', cell: ({ labels }) => pairs(labels) },
  { heading: 'VALUES', cell: ({ report }) => (isMap(report) ? textOf(report.values) : '') },
];

/** Prints them, page by page; returns the exit code. */
export async function devices(client: ApiClient, options: DevicesOptions): Promise<number> {
  let left = options.all ? Number.POSITIVE_INFINITY : options.limit;
  let { after } = options;
  const found: Row[] = [];
  do {
    const query = new URLSearchParams({ limit: String(Math.min(left, PAGE)), ...(after && { after }) });
    const page = await client.get(`/v1/devices?${query}`);
    const rows = rowsOf(page.devices);
    if (options.json) rows.forEach(printJson);
    else found.push(...rows);
    left -= rows.length;
    after = typeof page.next === 'string' ? page.next : undefined;
  } while (after !== undefined && left > 0);
  if (!options.json) print(table(COLUMNS, found));
  if (after !== undefined) remark(`there are more: --after ${after}, or --all`);
  return EXIT.done;
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
