/**
 * The `math` library of Lua 5.3 (manual §6.7) with the names that 5.1 had besides. Numbers are doubles; those
 * that are whole and within ±2^53 count as integers.
 */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, type Native } from '../executor.js';
import { isExactInteger } from '../numbers.js';
import { Random } from './random.js';

/** A new instance of the library, with a random generator of its own. */
export function mathLibrary(): Record<string, LuaValue> {
  return {
    pi: Math.PI,
    huge: Number.POSITIVE_INFINITY,
    maxinteger: Number.MAX_SAFE_INTEGER,
    mininteger: Number.MIN_SAFE_INTEGER,
    abs: unary('abs', Math.abs),
    acos: unary('acos', Math.acos),
    asin: unary('asin', Math.asin),
    ceil: unary('ceil', Math.ceil),
    cos: unary('cos', Math.cos),
    cosh: unary('cosh', Math.cosh),
    deg: unary('deg', (x) => x * (180 / Math.PI)),
    exp: unary('exp', Math.exp),
    floor: unary('floor', Math.floor),
    log10: unary('log10', Math.log10),
    rad: unary('rad', (x) => x * (Math.PI / 180)),
    sin: unary('sin', Math.sin),
    sinh: unary('sinh', Math.sinh),
    sqrt: unary('sqrt', Math.sqrt),
    tan: unary('tan', Math.tan),
    tanh: unary('tanh', Math.tanh),
    pow: binary('pow', (x, y) => x ** y),
    ldexp: binary('ldexp', ldexp),
    max: selecting('max', (best, x) => best < x),
    min: selecting('min', (best, x) => x < best),
    atan,
    fmod: remainder('fmod'),
    mod: remainder('mod'),
    frexp,
    log,
    modf,
    tointeger,
    type,
    ult,
    ...randomFunctions(),
  };
}

function unary(name: string, apply: (x: number) => number): Native {
  return (ex, values) => apply(new Arguments(ex, name, values).number(1));
}

function binary(name: string, apply: (x: number, y: number) => number): Native {
  return (ex, values) => {
    const args = new Arguments(ex, name, values);
    return apply(args.number(1), args.number(2));
  };
}

/** The argument that replaces all others; like Lua's comparisons, it keeps a NaN only when that comes first. */
function selecting(name: string, replaces: (best: number, x: number) => boolean): Native {
  return (ex, values) => {
    const args = new Arguments(ex, name, values);
    args.any(1);
    let best = args.number(1);
    for (let i = 2; i <= args.count; i++) {
      const x = args.number(i);
      if (replaces(best, x)) best = x;
    }
    return best;
  };
}

function atan(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'atan', values);
  return Math.atan2(args.number(1), args.value(2) === undefined ? 1 : args.number(2));
}

/** The remainder of the division that rounds toward zero; of whole numbers by zero it is an error, as in Lua. */
function remainder(name: string): Native {
  return (ex, values) => {
    const args = new Arguments(ex, name, values);
    const x = args.number(1);
    const y = args.number(2);
    if (y === 0 && isExactInteger(x)) args.fail(2, 'zero');
    return x % y;
  };
}

function log(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'log', values);
  const x = args.number(1);
  if (args.value(2) === undefined) return Math.log(x);
  const base = args.number(2);
  if (base === 2) return Math.log2(x);
  return base === 10 ? Math.log10(x) : Math.log(x) / Math.log(base);
}

/** The part before the point and the part behind it; an infinity has no fraction. */
function modf(ex: Executor, values: LuaValue[]): LuaValue[] {
  const x = new Arguments(ex, 'modf', values).number(1);
  const whole = Math.trunc(x);
  return [whole, x === whole ? 0 : x - whole];
}

/** `x` as an integer when it is one within ±2^53, else nil. */
function tointeger(ex: Executor, values: LuaValue[]): LuaValue {
  const x = new Arguments(ex, 'tointeger', values).any(1);
  return typeof x === 'number' && isExactInteger(x) ? x : undefined;
}

/** "integer" for whole numbers within ±2^53, "float" for other numbers, nil for anything else. */
function type(ex: Executor, values: LuaValue[]): LuaValue {
  const x = new Arguments(ex, 'type', values).any(1);
  if (typeof x !== 'number') return undefined;
  return isExactInteger(x) ? 'integer' : 'float';
}

/** Compares as unsigned 64-bit integers: negative numbers are the largest. */
function ult(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'ult', values);
  const a = args.integer(1);
  const b = args.integer(2);
  // Adding 2^64 would round; the signs decide unless they are equal.
  return a < 0 === b < 0 ? a < b : b < 0;
}

/** m·2^e with intermediate steps, since 2^e alone may overflow or vanish. */
function ldexp(m: number, e: number): number {
  const half = Math.trunc(Math.max(-2200, Math.min(2200, e)) / 2);
  return m * 2 ** half * 2 ** (Math.trunc(Math.max(-2200, Math.min(2200, e))) - half);
}

/** `m, e` with x = m·2^e and 0.5 ≤ |m| < 1; 0 gives 0, 0. */
function frexp(ex: Executor, values: LuaValue[]): LuaValue[] {
  const x = new Arguments(ex, 'frexp', values).number(1);
  if (x === 0 || !Number.isFinite(x)) return [x, 0];
  const view = new DataView(new ArrayBuffer(8));
  // Subnormal numbers are scaled into the normal range first.
  const scaled = Math.abs(x) < 2 ** -1022;
  view.setFloat64(0, scaled ? x * 2 ** 54 : x);
  const top = view.getUint16(0);
  const exponent = ((top >> 4) & 0x7ff) - 1022;
  view.setUint16(0, (top & 0x800f) | (1022 << 4));
  return [view.getFloat64(0), scaled ? exponent - 54 : exponent];
}

function randomFunctions(): Record<'random' | 'randomseed', Native> {
  const random = new Random();
  return {
    random(ex, values) {
      const args = new Arguments(ex, 'random', values);
      if (args.count === 0) return random.next();
      if (args.count > 2) throw new LuaError('wrong number of arguments');
      const low = args.count === 1 ? 1 : args.integer(1);
      const high = args.integer(args.count);
      if (low > high) args.fail(args.count, 'interval is empty');
      const span = high - low + 1;
      if (span > Number.MAX_SAFE_INTEGER) args.fail(args.count, 'interval too large');
      return low + Math.floor(random.next() * span);
    },
    randomseed(ex, values) {
      random.seed(new Arguments(ex, 'randomseed', values).number(1));
      return [];
    },
  };
}
