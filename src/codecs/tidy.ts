/** What the libraries of binary codecs give, as the plain values that every codec hands out. */
import { fromBigInt } from './integers.js';

/**
 * Bigints become numbers or decimal strings, dates Unix seconds, and Maps whose keys are all text objects; other Maps
 * stay.
 */
export function tidy(value: unknown): unknown {
  if (typeof value === 'bigint') return fromBigInt(value);
  if (Array.isArray(value)) return value.map(tidy);
  if (value instanceof Date) return value.getTime() / 1000;
  if (!(value instanceof Map)) return value;
  const entries = [...value].map(([key, item]) => [tidy(key), tidy(item)] as const);
  // fromEntries defines properties, so that a key such as __proto__ is one like any other.
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : new Map(entries);
}
