/** Lua's operators where JavaScript's own do not do: coercions, metamethods, errors that name the culprit. */

import { type Executor, isTrue, LuaError, type LuaValue, MAX_STRING } from '../../executor.js';
import { type BitOperator, bitwise, isBitOperand, numberToString, parseNumber } from '../../numbers.js';
import { chargeBytes } from '../../stdlib/strings.js';
import type { Calls } from './calls.js';
import { LuaTable } from './table.js';

/** Results of `..` from this length on are counted. */
const COUNTED_STRING = 256;

/** What generated code calls an operator's slow path by. `name` tells which variable an operand is, as "local 'x'". */
export type Names = string | undefined;

export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseNumber(value) : undefined;
}

/** What is left of a division that rounds down: the sign is the divisor's. */
export function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

const ARITHMETIC = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  mod: modulo,
  pow: (a: number, b: number) => a ** b,
  idiv: (a: number, b: number) => Math.floor(a / b),
  unm: (a: number) => -a,
};
type Arithmetic = keyof typeof ARITHMETIC;

function named(name: Names): string {
  return name === undefined ? '' : ` (${name})`;
}

export class Operators {
  constructor(
    private readonly ex: Executor,
    private readonly calls: Calls,
  ) {}

  /** Any arithmetic operator. */
  arith(event: Arithmetic, a: LuaValue, b: LuaValue, nameA: Names, nameB: Names): LuaValue {
    const x = toNumber(a);
    const y = toNumber(b);
    if (x !== undefined && y !== undefined) return ARITHMETIC[event](x, y);
    const handler = this.calls.metamethod(a, `__${event}`) ?? this.calls.metamethod(b, `__${event}`);
    if (handler !== undefined) return this.calls.first(handler, a, b);
    const [culprit, name] = typeof a === 'number' || x !== undefined ? [b, nameB] : [a, nameA];
    throw new LuaError(
      `attempt to perform arithmetic on a ${this.calls.typeName(culprit)} value${named(name)}`,
    );
  }

  /** Any bitwise operator. */
  bits(event: BitOperator, a: LuaValue, b: LuaValue, nameA: Names, nameB: Names): LuaValue {
    const x = toNumber(a);
    const y = toNumber(b);
    if (x !== undefined && y !== undefined && isBitOperand(x) && isBitOperand(y)) {
      // Both within 32 bits without a sign, as checksums are.
      if (x >>> 0 === x && y >>> 0 === y) {
        if (event === 'band') return (x & y) >>> 0;
        if (event === 'bor') return (x | y) >>> 0;
        if (event === 'bxor') return (x ^ y) >>> 0;
        if (event === 'shr') return y < 32 ? x >>> y : 0;
      }
      return bitwise(event, x, y);
    }
    const handler = this.calls.metamethod(a, `__${event}`) ?? this.calls.metamethod(b, `__${event}`);
    if (handler !== undefined) return this.calls.first(handler, a, b);
    if (x !== undefined && y !== undefined) throw new LuaError('number has no integer representation');
    const [culprit, name] = typeof a === 'number' || x !== undefined ? [b, nameB] : [a, nameA];
    throw new LuaError(
      `attempt to perform bitwise operation on a ${this.calls.typeName(culprit)} value${named(name)}`,
    );
  }

  concat(a: LuaValue, b: LuaValue, nameA: Names, nameB: Names): LuaValue {
    const isText = (v: LuaValue): v is string | number => typeof v === 'string' || typeof v === 'number';
    if (isText(a) && isText(b)) {
      const left = typeof a === 'string' ? a : numberToString(a);
      const right = typeof b === 'string' ? b : numberToString(b);
      const size = left.length + right.length;
      if (size >= COUNTED_STRING) {
        if (size > MAX_STRING) throw new Error(`string longer than ${MAX_STRING} bytes`);
        chargeBytes(this.ex, size);
      }
      return left + right;
    }
    const handler = this.calls.metamethod(a, '__concat') ?? this.calls.metamethod(b, '__concat');
    if (handler !== undefined) return this.calls.first(handler, a, b);
    const [culprit, name] = isText(a) ? [b, nameB] : [a, nameA];
    throw new LuaError(`attempt to concatenate a ${this.calls.typeName(culprit)} value${named(name)}`);
  }

  /** `a == b` of two objects that are not the same one. */
  equal(a: LuaValue, b: LuaValue): boolean {
    if (a === b) return true;
    if (!(a instanceof LuaTable && b instanceof LuaTable)) return false;
    const handler = this.calls.metamethod(a, '__eq') ?? this.calls.metamethod(b, '__eq');
    return handler !== undefined && isTrue(this.calls.first(handler, a, b));
  }

  less(a: LuaValue, b: LuaValue): boolean {
    if (typeof a === 'number' && typeof b === 'number') return a < b;
    if (typeof a === 'string' && typeof b === 'string') return a < b;
    return this.ordered('__lt', a, b);
  }

  lessEqual(a: LuaValue, b: LuaValue): boolean {
    if (typeof a === 'number' && typeof b === 'number') return a <= b;
    if (typeof a === 'string' && typeof b === 'string') return a <= b;
    const has = this.calls.metamethod(a, '__le') ?? this.calls.metamethod(b, '__le');
    const inverse = this.calls.metamethod(b, '__lt') ?? this.calls.metamethod(a, '__lt');
    // Lua 5.3 still tries not (b < a).
    return has === undefined && inverse !== undefined
      ? !this.ordered('__lt', b, a)
      : this.ordered('__le', a, b);
  }

  private ordered(event: string, a: LuaValue, b: LuaValue): boolean {
    const handler = this.calls.metamethod(a, event) ?? this.calls.metamethod(b, event);
    if (handler !== undefined) return isTrue(this.calls.first(handler, a, b));
    const [x, y] = [this.calls.typeName(a), this.calls.typeName(b)];
    throw new LuaError(x === y ? `attempt to compare two ${x} values` : `attempt to compare ${x} with ${y}`);
  }

  length(value: LuaValue, name: Names): LuaValue {
    if (typeof value === 'string') return value.length;
    const handler = this.calls.metamethod(value, '__len');
    if (handler !== undefined) return this.calls.first(handler, value);
    if (value instanceof LuaTable) return value.length;
    throw new LuaError(`attempt to get length of a ${this.calls.typeName(value)} value${named(name)}`);
  }

  /** A number of a numeric `for`. */
  forNumber(value: LuaValue, what: string): number {
    const n = toNumber(value);
    if (n === undefined) throw new LuaError(`'for' ${what} must be a number`);
    return n;
  }
}
