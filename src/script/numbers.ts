/**
 * Numbers as scripts see them: JavaScript doubles, whole ones exact to 2^53, printed without ".0", and bitwise
 * operators as 64-bit two's complement (design §9). One file, so that every executor agrees.
 */

const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

/** Prints a number as Lua's `%.14g` does, except that whole numbers are exact and carry no ".0". */
export function numberToString(n: number): string {
  if (Number.isInteger(n) && Math.abs(n) <= Number.MAX_SAFE_INTEGER) return String(n === 0 ? 0 : n);
  if (Number.isNaN(n)) return Object.is(n, n) ? 'nan' : 'nan';
  if (n === Number.POSITIVE_INFINITY) return 'inf';
  if (n === Number.NEGATIVE_INFINITY) return '-inf';
  return formatGeneral(n, 14);
}

/** C's `%.<digits>g`: shortest of fixed and exponential form, trailing zeros removed, two exponent digits. */
export function formatGeneral(n: number, digits: number): string {
  const exponential = n.toExponential(Math.max(digits, 1) - 1);
  const split = exponential.indexOf('e');
  const exponent = Number(exponential.slice(split + 1));
  if (exponent >= -4 && exponent < digits) {
    return stripZeros(n.toFixed(Math.max(0, digits - 1 - exponent)));
  }
  const power = Math.abs(exponent);
  return `${stripZeros(exponential.slice(0, split))}e${exponent < 0 ? '-' : '+'}${power < 10 ? '0' : ''}${power}`;
}

function stripZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

const DECIMAL = /^[ \t\n\v\f\r]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[ \t\n\v\f\r]*$/;
const HEXADECIMAL =
  /^[ \t\n\v\f\r]*([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?[ \t\n\v\f\r]*$/;

/** Reads a Lua numeral (decimal or hexadecimal, with fraction and exponent); undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  if (text.length > 400) return undefined;
  if (DECIMAL.test(text)) return Number(text);
  const hex = HEXADECIMAL.exec(text);
  if (!hex) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = hex;
  if (whole.length + fraction.length === 0) return undefined;
  let value = 0;
  for (const digit of whole + fraction) value = value * 16 + Number.parseInt(digit, 16);
  value *= 2 ** (Number(power) - 4 * fraction.length);
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
      return -a - 1;
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
  if (a >= 0 && b >= 0 && a <= Number.MAX_SAFE_INTEGER && b <= Number.MAX_SAFE_INTEGER) {
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
