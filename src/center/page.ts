/** Pages of what is kept in no order. */

/**
 * The first `limit` of the items above `after` (of all when it is undefined), rising. Keeps a few times `limit` while it looks, so that a page of
 * a million costs one pass over them and not a sort.
 */
export function pageAfter<T extends string | number>(
  items: Iterable<T>,
  after: T | undefined,
  limit: number,
): T[] {
  const kept: T[] = [];
  const most = 4 * limit + 64;
  let bound: T | undefined;
  const trim = (): void => {
    kept.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    kept.length = Math.min(kept.length, limit);
  };
  for (const item of items) {
    if ((after !== undefined && item <= after) || (bound !== undefined && item >= bound)) continue;
    kept.push(item);
    if (kept.length < most) continue;
    trim();
    bound = kept.at(-1);
  }
  trim();
  return kept;
}
