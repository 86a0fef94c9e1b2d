/**
 * The usual case of the library functions that protocols live on, in front of the library's own: strings, tables without
 * metatables, whole numbers in range. Whatever else comes goes to the library, errors included.
 */

import { type Executor, type LuaValue, MAX_STRING } from '../../executor.js';
import { numberToString } from '../../numbers.js';
import type { LuaFunction } from './calls.js';
import { pack, unpack } from './fast-pack.js';
import { LuaTable } from './table.js';

type Faster = (slow: LuaFunction, ex: Executor) => LuaFunction;

/** By library and name: what makes the faster function of the library's. */
export const FAST: Readonly<Record<string, Readonly<Record<string, Faster>>>> = {
  string: { byte, sub, char, len, pack, unpack },
  table: { insert, concat, sort },
  math: {
    floor: number(Math.floor),
    ceil: number(Math.ceil),
    abs: number(Math.abs),
    sqrt: number(Math.sqrt),
    // A NaN stays only where it comes first, unlike in Math.max.
    // biome-ignore lint/complexity/useMathMinMax: see above.
    max: numbers((a, b) => (a < b ? b : a)),
    // biome-ignore lint/complexity/useMathMinMax: see above.
    min: numbers((a, b) => (b < a ? b : a)),
  },
  bit: {
    band: numbers((a, b) => a & b),
    bor: numbers((a, b) => a | b),
    bxor: numbers((a, b) => a ^ b),
    lshift: numbers((a, n) => a << n),
    rshift: numbers((a, n) => (a >>> n) | 0),
    arshift: numbers((a, n) => a >> n),
  },
};

/** Most bytes that {@link byte} returns itself. */
const MAX_BYTES = 8;

const isWhole = (value: LuaValue): value is number => typeof value === 'number' && Number.isInteger(value);

function byte(slow: LuaFunction): LuaFunction {
  return (...args) => {
    const [s, i = 1, j] = args;
    if (typeof s === 'string' && isWhole(i) && i >= 1 && i <= s.length) {
      if (j === undefined || j === i) return s.charCodeAt(i - 1);
      if (isWhole(j) && j > i && j <= s.length && j - i < MAX_BYTES) {
        // `push` would make room for 17.
        const bytes = new Array<LuaValue>(j - i + 1);
        for (let k = 0; k < bytes.length; k++) bytes[k] = s.charCodeAt(i - 1 + k);
        return bytes;
      }
    }
    return slow(...args);
  };
}

function sub(slow: LuaFunction): LuaFunction {
  return (...args) => {
    const [s, i, j] = args;
    if (typeof s === 'string' && isWhole(i) && i >= 1) {
      if (j === undefined) return s.slice(i - 1);
      if (isWhole(j)) {
        const end = j < 0 ? s.length + j + 1 : j;
        return end < i ? '' : s.slice(i - 1, end);
      }
    }
    return slow(...args);
  };
}

function char(slow: LuaFunction): LuaFunction {
  return (...args) => {
    const [code] = args;
    if (args.length === 1 && isWhole(code) && code >= 0 && code <= 255) return String.fromCharCode(code);
    return slow(...args);
  };
}

function len(slow: LuaFunction): LuaFunction {
  return (...args) => (typeof args[0] === 'string' ? args[0].length : slow(...args));
}

function insert(slow: LuaFunction): LuaFunction {
  return (...args) => {
    const [list, value] = args;
    if (args.length === 2 && list instanceof LuaTable && list.metatable === undefined) {
      if (value !== undefined) list.append(value);
      return [];
    }
    return slow(...args);
  };
}

/** Longest text that is put together byte by byte, which is the fastest way for many short parts. */
const SCRATCH = 4096;
const STEPS_PER_PART = 2;

function concat(slow: LuaFunction, ex: Executor): LuaFunction {
  const scratch = Buffer.alloc(SCRATCH);
  return (...args) => {
    const [list, separator = ''] = args;
    if (args.length > 2 || !(list instanceof LuaTable) || list.metatable !== undefined) return slow(...args);
    if (typeof separator !== 'string') return slow(...args);
    const parts = list.items.slice(1);
    let size = separator.length * Math.max(0, parts.length - 1);
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      const text = typeof part === 'number' ? numberToString(part) : part;
      if (typeof text !== 'string') return slow(...args);
      parts[i] = text;
      size += text.length;
    }
    if (size > MAX_STRING) return slow(...args);
    ex.charge(parts.length * STEPS_PER_PART);
    if (size > SCRATCH || separator !== '') return parts.join(separator);
    let at = 0;
    for (const part of parts as string[]) {
      for (let i = 0; i < part.length; i++) scratch[at++] = part.charCodeAt(i);
    }
    return scratch.toString('latin1', 0, at);
  };
}

/** Up to so many numbers are sorted by inserting each where it belongs. */
const FEW = 16;

function sort(slow: LuaFunction, ex: Executor): LuaFunction {
  return (...args) => {
    const [list, order] = args;
    if (order !== undefined || !(list instanceof LuaTable) || list.metatable !== undefined)
      return slow(...args);
    const { items } = list;
    // A NaN has no place in any order.
    for (let i = 1; i < items.length; i++)
      if (typeof items[i] !== 'number' || Number.isNaN(items[i])) return slow(...args);
    ex.charge(Math.ceil(items.length * Math.log2(items.length + 1)));
    const values = items as number[];
    if (items.length > FEW) {
      const sorted = Float64Array.from(values).subarray(1).sort();
      for (let i = 1; i < items.length; i++) values[i] = sorted[i - 1]!;
      return [];
    }
    for (let i = 2; i < values.length; i++) {
      const value = values[i]!;
      let at = i;
      for (; at > 1 && value < values[at - 1]!; at--) values[at] = values[at - 1]!;
      values[at] = value;
    }
    return [];
  };
}

function number(apply: (x: number) => number): Faster {
  return (slow) =>
    (...args) => {
      const [x] = args;
      return typeof x === 'number' ? apply(x) : slow(...args);
    };
}

function numbers(apply: (a: number, b: number) => number): Faster {
  return (slow) =>
    (...args) => {
      const [a, b] = args;
      return args.length === 2 && typeof a === 'number' && typeof b === 'number'
        ? apply(a, b)
        : slow(...args);
    };
}
