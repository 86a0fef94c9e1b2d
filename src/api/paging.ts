/** Pages of long lists, without sorting the whole list for each. */

import * as v from 'valibot';
import { pageAfter } from '../center/page.js';
import { queryNumber } from './check.js';
import type { Page, PageRequest } from './host.js';
import type { Answer } from './route.js';

/** Items of a page by default, and at most. */
export const PAGE_DEFAULT = 100;
export const PAGE_MAX = 1000;
/** `?limit=`. */
export const pageLimit = v.optional(queryNumber(1, PAGE_MAX), String(PAGE_DEFAULT));

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

/** The schema of a page; a list stands under the plural of what it holds. */
export function pageSchema(plural: string, item: v.GenericSchema) {
  return v.object({
    [plural]: v.array(item),
    next: v.pipe(v.optional(v.string()), v.description('`after` of the next page; absent at the end.')),
    unanswered: v.pipe(
      v.optional(v.array(v.string())),
      v.description('Engines that did not answer: what they have is left out.'),
    ),
  });
}

/** The answer that holds a page. */
export function pageAnswer(plural: string, { items, next, unanswered }: Page<unknown>): Answer {
  return {
    json: { [plural]: items, ...(next !== undefined && { next }), ...(unanswered && { unanswered }) },
  };
}
