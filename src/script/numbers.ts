/**
 * Numbers as scripts see them: JavaScript doubles, whole ones exact to 2^53, printed without ".0", and bitwise
 * operators as 64-bit two's complement (design §9). One file, so that every executor agrees.
 */

import { formatGeneral } from './float-format.js';

const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

/** Up to here (inclusive) every whole number is exact as a double; scripts see those as integers. */
const EXACT = 2 ** 53;

/** Whether a number counts as an integer for scripts: whole and within ±2^53. */
export function isExactInteger(n: number): boolean {
  return Number.isInteger(n) && n >= -EXACT && n <= EXACT;
}

/** Prints a number as Lua's `%.14g` does, except that whole numbers to 2^53 are exact and carry no ".0". */
export function numberToString(n: number): string {
  if (isExactInteger(n)) return String(n === 0 ? 0 : n);
  if (Number.isNaN(n)) return 'nan';
  if (!Number.isFinite(n)) return n > 0 ? 'inf' : '-inf';
  // The shortest form that reads back as n equals %.14g where it has at most 14 digits in fixed notation.
  const shortest = String(n);
  if (shortest.length <= 15 && Math.abs(n) >= 1e-4) return shortest;
  return formatGeneral(n, 14);
}

const DECIMAL = /^[ \t\n\v\f\r]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t\n\v\f\r]*$/;
const HEXADECIMAL =
  /^[ \t\n\v\f\r]*([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?[ \t\n\v\f\r]*$/;

/** Most digits that make a whole number which is exact. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, n) => 10 ** n);

/**
 * Reads digits with at most one point among or around them, which nearly all numerals are; undefined for all others. Both
 * numbers that are divided are exact, so their quotient is the double nearest to the numeral.
 */
function parsePlain(text: string): number | undefined {
  const { length } = text;
  if (length > EXACT_DIGITS) return undefined;
  let digits = 0;
  let value = 0;
  let point = -1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      value = value * 10 + (code - 0x30);
      digits++;
    } else if (code === 0x2e && point < 0) point = i;
    else return undefined;
  }
  if (digits === 0) return undefined;
  return point < 0 ? value : value / POWERS_OF_TEN[length - 1 - point]!;
}

/** Reads a Lua numeral (decimal or hexadecimal, with fraction and exponent); undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  const plain = parsePlain(text);
  if (plain !== undefined) return plain;
  if (text.length > 400) return undefined;
  if (DECIMAL.test(text)) return Number(text);
  const hex = HEXADECIMAL.exec(text);
  if (!hex) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = hex;
  if (whole.length + fraction.length === 0) return undefined;
  let value = 0;
  for (const digit of whole + fraction) value = value * 16 + Number.parseInt(digit, 16);
  if (value > 0) value *= 2 ** (Number(power) - 4 * fraction.length);
  return sign === '-' ? -value : value;
}

/** A number that a bitwise operator accepts: whole and within 64 bits. */
export function isBitOperand(n: number): boolean {
  return Number.isInteger(n) && n >= -TWO_63 && n < 2 * TWO_63;
}

/** Bitwise operators by the names of Lua's metamethods. */
export type BitOperator = 'band' | 'bor' | 'bxor' | 'shl' | 'shr' | 'bnot';

/** Applies a bitwise operator to whole numbers as 64-bit two's complement; `b` is ignored by `bnot`. */
export function bitwise(operator: BitOperator, a: number, b: number): number {
  switch (operator) {
    case 'bnot':
      return Math.abs(a) <= EXACT ? -a - 1 : Number(BigInt.asIntN(64, ~BigInt(a)));
    case 'shl':
      return shiftLeft(a, b);
    case 'shr':
      return shiftLeft(a, -b);
    default:
  }
  // Both within 32 bits signed: JavaScript's own operators agree with 64-bit two's complement.
  if ((a | 0) === a && (b | 0) === b) {
    return operator === 'band' ? a & b : operator === 'bor' ? a | b : a ^ b;
  }
  // Both exact: floored high words keep the sign, low words wrap, as two's complement does.
  if (Math.abs(a) <= EXACT && Math.abs(b) <= EXACT) {
    const highA = Math.floor(a / TWO_32);
    const highB = Math.floor(b / TWO_32);
    if (operator === 'band') return (highA & highB) * TWO_32 + ((a & b) >>> 0);
    if (operator === 'bor') return (highA | highB) * TWO_32 + ((a | b) >>> 0);
    return (highA ^ highB) * TWO_32 + ((a ^ b) >>> 0);
  }
  const x = BigInt(a);
  const y = BigInt(b);
  return Number(BigInt.asIntN(64, operator === 'band' ? x & y : operator === 'bor' ? x | y : x ^ y));
}

/** Shifts left by `by` bits, right and logically when negative; 64 or more shifts everything out. */
function shiftLeft(value: number, by: number): number {
  if (by <= -64 || by >= 64) return 0;
  if (by >= 0) {
    const shifted = value * 2 ** by;
    if (Math.abs(shifted) <= Number.MAX_SAFE_INTEGER) return shifted;
    return Number(BigInt.asIntN(64, BigInt(value) << BigInt(by)));
  }
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return Math.floor(value / 2 ** -by);
  return Number(BigInt.asUintN(64, BigInt(value)) >> BigInt(-by));
}
