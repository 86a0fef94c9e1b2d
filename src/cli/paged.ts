/** Lists that an API hands out in pages, as commands print them. */

import type { ApiClient } from './api-client.js';
import { EXIT } from './exit.js';
import { print, printJson, remark, rowsOf } from './output.js';
import { type Column, table } from './table.js';

/** How much of a list is printed, and how. */
export interface PagedOptions {
  /** Most rows; see `all`. */
  readonly limit: number;
  /** The last id of what was printed before. */
  readonly after?: string;
  /** Everything, whatever the limit. */
  readonly all?: true;
  /** JSON, a line a row, as the pages come. */
  readonly json?: true;
}

/** A row as the API gives it. */
export type Row = Record<string, unknown>;

/** Most rows of one request. */
const PAGE = 1000;

/**
 * Prints the rows under `key` of the answers to `path`, page by page. `filter`: further parameters of the query, those
 * that are undefined left out. Returns the exit code.
 */
export async function printPaged(
  client: ApiClient,
  path: string,
  key: string,
  columns: readonly Column<Row>[],
  options: PagedOptions,
  filter: Readonly<Record<string, string | undefined>> = {},
): Promise<number> {
  let left = options.all ? Number.POSITIVE_INFINITY : options.limit;
  let { after } = options;
  const found: Row[] = [];
  do {
    const given = Object.entries({ ...filter, after }).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    );
    const query = new URLSearchParams([['limit', String(Math.min(left, PAGE))], ...given]);
    const page = await client.get(`${path}?${query}`);
    const rows = rowsOf(page[key]);
    if (options.json) rows.forEach(printJson);
    else found.push(...rows);
    left -= rows.length;
    after = typeof page.next === 'string' ? page.next : undefined;
  } while (after !== undefined && left > 0);
  if (!options.json) print(table(columns, found));
  if (after !== undefined) remark(`there are more: --after ${after}, or --all`);
  return EXIT.done;
}
