/** Replies as scripts get them. */

import { MoonwireError } from '../../errors.js';

/**
 * A reply: null, an integer (a decimal string beyond 2^53), bytes, an error inside a list (as a table, as in
 * Redis' own scripts), or a list of these.
 */
export type Reply = null | number | string | Uint8Array | { err: string } | Reply[];

/** Bounds of one reply. */
export const REPLY_LIMITS = {
  /** Bytes of one string: as many as a Lua string may have. */
  stringBytes: 1024 * 1024,
  /** Bytes of all strings together. */
  bytes: 8 * 1024 * 1024,
  /** Values in lists, those in nested ones included. */
  values: 100_000,
  /** Deepest nesting of lists. */
  depth: 32,
} as const;

/**
 * A reply of the library, whose integers are decimal strings and whose strings are bytes. Throws MoonwireError
 * `too_large`; the library has no such bounds, so the reply was held by then.
 */
export function takeReply(reply: unknown): Reply {
  const taken = { bytes: 0, values: 0 };

  function take(item: unknown, depth: number): Reply {
    if (Array.isArray(item)) {
      taken.values += item.length;
      check(taken.values, 'values', 'values');
      check(depth, 'depth', 'nested lists');
      return item.map((inner) => take(inner, depth + 1));
    }
    if (item instanceof Uint8Array) {
      taken.bytes += item.length;
      check(item.length, 'stringBytes', 'bytes in a string');
      check(taken.bytes, 'bytes', 'bytes');
      // A copy, since a script may keep it, and with it would be kept all that was received together.
      return new Uint8Array(item);
    }
    if (item instanceof Error) return { err: item.message };
    return typeof item === 'string' ? integer(item) : null;
  }

  return take(reply, 1);
}

function check(amount: number, limit: keyof typeof REPLY_LIMITS, unit: string): void {
  if (amount <= REPLY_LIMITS[limit]) return;
  throw new MoonwireError('too_large', `the reply has more than ${REPLY_LIMITS[limit]} ${unit}`);
}

function integer(text: string): number | string {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}
