/** Brings a value to what a codec can write: depth and kinds are checked, the rest is copied as it is. */
import { MoonwireError } from '../errors.js';
import { fromBigInt } from './integers.js';

/** Half a character of UTF-16, which UTF-8 cannot express: what would be written could not be read. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Deepest nesting of arrays and maps, either way. */
export const MAX_DEPTH = 64;

/**
 * A copy of plain values: nothing, booleans, numbers, strings, bytes, arrays, objects and Maps. `bytes` says what
 * becomes of a Uint8Array, `bigint` of an integer that is no exact number.
 * @throws MoonwireError `invalid_argument` for anything else, and for nesting beyond 64 (a cycle too).
 */
export function plain(
  value: unknown,
  bytes: (bytes: Uint8Array) => unknown,
  bigint: (value: bigint) => unknown,
): unknown {
  const copy = (item: unknown, depth: number): unknown => {
    if (depth > MAX_DEPTH) throw refused(`nested deeper than ${MAX_DEPTH}`);
    switch (typeof item) {
      case 'bigint': {
        const number = fromBigInt(item);
        return typeof number === 'number' ? number : bigint(item);
      }
      case 'function':
      case 'symbol':
        throw refused(`a ${typeof item} cannot be encoded`);
      case 'string':
        if (LONE_SURROGATE.test(item)) throw refused('text with half a character in it cannot be encoded');
        return item;
      case 'object':
        break;
      default:
        return item;
    }
    if (item === null) return null;
    if (item instanceof Uint8Array) return bytes(item);
    if (Array.isArray(item)) return item.map((element) => copy(element, depth + 1));
    if (item instanceof Map) {
      return new Map([...item].map(([key, element]) => [copy(key, depth + 1), copy(element, depth + 1)]));
    }
    const prototype = Object.getPrototypeOf(item);
    if (prototype !== Object.prototype && prototype !== null) {
      throw refused(`a ${prototype.constructor?.name ?? 'value of a class'} cannot be encoded`);
    }
    // fromEntries defines properties, so that a key such as __proto__ is one like any other.
    return Object.fromEntries(Object.entries(item).map(([key, element]) => [key, copy(element, depth + 1)]));
  };
  return copy(value, 0);
}

function refused(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', problem);
}
