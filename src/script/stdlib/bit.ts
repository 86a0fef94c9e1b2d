/**
 * The `bit` library of LuaJIT (BitOp) that Lua 5.1 scripts require. Arguments are whole numbers modulo 2^32,
 * results are signed 32-bit numbers; shift and rotation counts are taken modulo 32.
 */

import { Arguments } from '../arguments.js';
import type { Executor, LuaValue, Native } from '../executor.js';

/** The library. */
export function bitLibrary(): Record<string, Native> {
  return {
    tobit: unary('tobit', (a) => a),
    bnot: unary('bnot', (a) => ~a),
    bswap: unary('bswap', (a) => (a >>> 24) | ((a >>> 8) & 0xff00) | ((a & 0xff00) << 8) | (a << 24)),
    band: folding('band', (a, b) => a & b),
    bor: folding('bor', (a, b) => a | b),
    bxor: folding('bxor', (a, b) => a ^ b),
    lshift: shifting('lshift', (a, n) => a << n),
    rshift: shifting('rshift', (a, n) => a >>> n),
    arshift: shifting('arshift', (a, n) => a >> n),
    rol: shifting('rol', (a, n) => (a << n) | (a >>> (32 - n))),
    ror: shifting('ror', (a, n) => (a >>> n) | (a << (32 - n))),
    tohex,
  };
}

/** JavaScript's own conversion to 32 bits is the one that is wanted: whole numbers modulo 2^32. */
function toBits(args: Arguments, i: number): number {
  return args.number(i) | 0;
}

function unary(name: string, apply: (a: number) => number): Native {
  return (ex, values) => apply(toBits(new Arguments(ex, name, values), 1)) | 0;
}

function folding(name: string, apply: (a: number, b: number) => number): Native {
  return (ex, values) => {
    const args = new Arguments(ex, name, values);
    let result = toBits(args, 1);
    for (let i = 2; i <= args.count; i++) result = apply(result, toBits(args, i));
    return result;
  };
}

function shifting(name: string, apply: (a: number, count: number) => number): Native {
  return (ex, values) => {
    const args = new Arguments(ex, name, values);
    return apply(toBits(args, 1), toBits(args, 2) & 31) | 0;
  };
}

/** `tohex(x[, n])`: the lowest `n` (1…8, default 8) hexadecimal digits, in upper case when `n` is negative. */
function tohex(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'tohex', values);
  const digits = args.integer(2, 8);
  const text = (toBits(args, 1) >>> 0).toString(16).padStart(8, '0');
  const kept = text.slice(Math.max(0, 8 - Math.abs(digits)));
  return digits < 0 ? kept.toUpperCase() : kept;
}
