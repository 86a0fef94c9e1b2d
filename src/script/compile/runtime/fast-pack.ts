/** `string.pack` and `unpack` of formats that hold nothing but a few unaligned integers, as those of protocols mostly do. */

import type { Executor, LuaValue } from '../../executor.js';
import { BoundedCache } from '../../stdlib/bounded-cache.js';
import { parsePackFormat } from '../../stdlib/pack-format.js';
import { chargeBytes } from '../../stdlib/strings.js';
import type { LuaFunction } from './calls.js';

/** Most integers of such a format, and the most bytes of one: what a number holds exactly, and 32-bit operators do. */
const MAX_ITEMS = 32;
const MAX_UNPACKED = 6;
const MAX_PACKED = 4;

interface Integer {
  readonly size: number;
  readonly little: boolean;
  /** Values below `2 ** (8 * size)`, and what they stand for from here on is negative. */
  readonly below: number;
  readonly negativeFrom: number;
}

interface Plan {
  readonly items: readonly Integer[];
  readonly bytes: number;
  /** Of the largest. */
  readonly size: number;
}

/** Null: the format holds something else. */
function planOf(format: string): Plan | null {
  const items: Integer[] = [];
  for (const item of parsePackFormat(format)) {
    if ((item.kind !== 'int' && item.kind !== 'uint') || item.align > 1 || item.size > MAX_UNPACKED)
      return null;
    const below = 2 ** (8 * item.size);
    const negativeFrom = item.kind === 'int' ? below / 2 : below;
    items.push({ size: item.size, little: item.little, below, negativeFrom });
  }
  if (items.length > MAX_ITEMS) return null;
  const sizes = items.map(({ size }) => size);
  return { items, bytes: sizes.reduce((sum, size) => sum + size, 0), size: Math.max(0, ...sizes) };
}

/** Goes in front of the library's. */
export function unpack(slow: LuaFunction, ex: Executor): LuaFunction {
  const plans = new BoundedCache<Plan | null>(planOf);
  return (...args) => {
    const [format, data, from = 1] = args;
    const plan = typeof format === 'string' ? plans.get(ex, format) : null;
    if (plan === null || typeof data !== 'string' || !Number.isInteger(from)) return slow(...args);
    const start = from as number;
    if (start < 1 || start - 1 + plan.bytes > data.length) return slow(...args);
    const { items } = plan;
    const results = new Array<LuaValue>(items.length + 1);
    let at = start - 1;
    for (let i = 0; i < items.length; i++) {
      const { size, little, below, negativeFrom } = items[i]!;
      let n = 0;
      if (little) for (let k = size - 1; k >= 0; k--) n = n * 256 + data.charCodeAt(at + k);
      else for (let k = 0; k < size; k++) n = n * 256 + data.charCodeAt(at + k);
      results[i] = n >= negativeFrom ? n - below : n;
      at += size;
    }
    results[items.length] = at + 1;
    return results;
  };
}

/** Goes in front of the library's. */
export function pack(slow: LuaFunction, ex: Executor): LuaFunction {
  const plans = new BoundedCache<Plan | null>(planOf);
  return (...args) => {
    const [format] = args;
    const plan = typeof format === 'string' ? plans.get(ex, format) : null;
    if (plan === null || plan.size > MAX_PACKED) return slow(...args);
    const { items } = plan;
    let packed = '';
    for (let i = 0; i < items.length; i++) {
      const { size, little, below, negativeFrom } = items[i]!;
      const n = args[i + 1];
      if (!Number.isInteger(n)) return slow(...args);
      const value = n as number;
      if (value >= negativeFrom || value < negativeFrom - below) return slow(...args);
      packed += bytesOf(value, size, little);
    }
    chargeBytes(ex, plan.bytes);
    return packed;
  };
}

/** The lowest `size` bytes, 4 at most. */
function bytesOf(n: number, size: number, little: boolean): string {
  const a = n & 0xff;
  if (size === 1) return String.fromCharCode(a);
  const b = (n >> 8) & 0xff;
  if (size === 2) return little ? String.fromCharCode(a, b) : String.fromCharCode(b, a);
  const c = (n >> 16) & 0xff;
  if (size === 3) return little ? String.fromCharCode(a, b, c) : String.fromCharCode(c, b, a);
  const d = (n >> 24) & 0xff;
  return little ? String.fromCharCode(a, b, c, d) : String.fromCharCode(d, c, b, a);
}
