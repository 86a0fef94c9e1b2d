/** Where two values differ, in words. */

import { isDeepStrictEqual } from 'node:util';

/** Longest value shown, in characters. */
const MAX_SHOWN = 200;

/** "path: expected …, got …" for the first place that differs; undefined when the values are equal. */
export function firstDifference(actual: unknown, expected: unknown, path = 'value'): string | undefined {
  if (isEqual(actual, expected)) return undefined;
  if (isTable(actual) && isTable(expected) && Array.isArray(actual) === Array.isArray(expected)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      // Positions count from 1, as in Lua.
      const name = Array.isArray(expected) ? `[${Number(key) + 1}]` : `.${key}`;
      const difference = firstDifference(actual[key], expected[key], path + name);
      if (difference !== undefined) return difference;
    }
  }
  return `${path}: expected ${show(expected)}, got ${show(actual)}`;
}

/** Bytes are equal whichever class holds them. */
function isEqual(actual: unknown, expected: unknown): boolean {
  if (actual instanceof Uint8Array && expected instanceof Uint8Array)
    return Buffer.compare(actual, expected) === 0;
  return isDeepStrictEqual(actual, expected);
}

/** A value on one line, bytes as hex. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nil' : JSON.stringify(value, bytesAsHex);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** For JSON.stringify: JSON has no bytes, so strings that are not UTF-8 are written as hex. */
export function bytesAsHex(this: unknown, key: string, value: unknown): unknown {
  // A Buffer has become something else already, by its own `toJSON`.
  const held = (this as Record<string, unknown>)[key];
  return held instanceof Uint8Array ? Buffer.from(held).toString('hex') : value;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}
