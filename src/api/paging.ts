/** Pages of long lists, without sorting the whole list for each. */

import { pageAfter } from '../center/page.js';
import type { Page, PageRequest } from './host.js';

/** Items of a page by default, and at most. */
export const PAGE_DEFAULT = 100;
export const PAGE_MAX = 1000;

/** The `limit` smallest keys above `after`, in rising order, and whether there are more. */
export function pageOf<K extends number | string>(
  keys: Iterable<K>,
  { limit, after }: PageRequest<K>,
): { keys: K[]; more: boolean } {
  // One more than asked for tells whether there are more.
  const found = pageAfter(keys, after, limit + 1);
  return { keys: found.slice(0, limit), more: found.length > limit };
}

/** A page of what `describe` makes of each key. */
export function describedPage<K extends number | string, T>(
  keys: Iterable<K>,
  request: PageRequest<K>,
  describe: (key: K) => T,
): Page<T> {
  const page = pageOf(keys, request);
  const last = page.keys.at(-1);
  return {
    items: page.keys.map(describe),
    ...(page.more && last !== undefined && { next: String(last) }),
  };
}
