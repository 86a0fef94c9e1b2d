/**
 * The floating-point conversions of C's printf, correctly rounded (ties to even, as glibc does, where
 * JavaScript's own `toFixed` rounds ties up). They take finite numbers and at most 99 digits.
 */

/** `%.<digits>f`. */
export function formatFixed(n: number, digits: number): string {
  // From 1e21 on toFixed switches to exponential form; such doubles are whole numbers.
  if (Math.abs(n) >= 1e21) return BigInt(n).toString() + (digits > 0 ? `.${'0'.repeat(digits)}` : '');
  const text = (Object.is(n, -0) ? '-' : '') + n.toFixed(digits);
  return isTie(n, digits) ? toEven(text) : text;
}

/** `%.<digits>e`, with two exponent digits at least. */
export function formatExponential(n: number, digits: number): string {
  const text = n.toExponential(digits);
  const split = text.indexOf('e');
  const exponent = Number(text.slice(split + 1));
  const mantissa = (Object.is(n, -0) ? '-' : '') + text.slice(0, split);
  return `${isTie(n, digits - exponent) ? toEven(mantissa) : mantissa}${exponentText('e', exponent, 2)}`;
}

/**
 * `%.<digits>g`: the shorter of fixed and exponential form with so many significant digits; trailing zeros are
 * removed unless `keepZeros` (the flag "#").
 */
export function formatGeneral(n: number, digits: number, keepZeros = false): string {
  const precision = Math.max(digits, 1);
  const exponential = formatExponential(n, precision - 1);
  const split = exponential.indexOf('e');
  const exponent = Number(exponential.slice(split + 1));
  const mantissa = exponential.slice(0, split);
  const finish = keepZeros ? withPoint : stripZeros;
  if (exponent < -4 || exponent >= precision) return finish(mantissa) + exponential.slice(split);
  const sign = mantissa[0] === '-' ? '-' : '';
  const significant = mantissa.slice(sign.length).replace('.', '');
  if (exponent < 0) return finish(`${sign}0.${'0'.repeat(-exponent - 1)}${significant}`);
  const whole = significant.slice(0, exponent + 1);
  const fraction = significant.slice(exponent + 1);
  return finish(fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`);
}

/** `%a`, or `%.<digits>a` when `digits` is given: a hexadecimal mantissa and a power of two. */
export function formatHex(n: number, digits?: number): string {
  const sign = n < 0 || Object.is(n, -0) ? '-' : '';
  const bits = doubleBits(Math.abs(n));
  const fraction = bits & 0xfffffffffffffn;
  const biased = Number(bits >> 52n);
  const exponent = biased === 0 ? (fraction === 0n ? 0 : -1022) : biased - 1023;
  let mantissa = (biased === 0 ? 0n : 1n << 52n) | fraction;
  let text: string;
  if (digits === undefined || digits >= 13) {
    text = fraction.toString(16).padStart(13, '0');
    text = digits === undefined ? text.replace(/0+$/, '') : text.padEnd(digits, '0');
  } else {
    const dropped = BigInt(4 * (13 - digits));
    const rest = mantissa & ((1n << dropped) - 1n);
    const half = 1n << (dropped - 1n);
    const odd = (mantissa >> dropped) & 1n;
    if (rest > half || (rest === half && odd === 1n)) mantissa += 1n << dropped;
    text = ((mantissa >> dropped) & ((1n << BigInt(4 * digits)) - 1n)).toString(16).padStart(digits, '0');
    if (digits === 0) text = '';
  }
  return `${sign}0x${mantissa >> 52n}${text === '' ? '' : `.${text}`}${exponentText('p', exponent, 1)}`;
}

/** Puts a decimal point at the end of digits that have none (the flag "#"). */
export function withPoint(text: string): string {
  return text.includes('.') ? text : `${text}.`;
}

function stripZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function exponentText(letter: string, exponent: number, digits: number): string {
  return `${letter}${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(digits, '0')}`;
}

function doubleBits(n: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, n);
  return view.getBigUint64(0);
}

/**
 * Whether `n` lies exactly between two decimals with `digits` places (negative: tens, hundreds …). Since a
 * double is k/2^m, n·10^d is a whole number and a half exactly when n·2^(d+1) is an odd whole number.
 */
function isTie(n: number, digits: number): boolean {
  if (digits >= 0) return Math.abs((n * 2 ** (digits + 1)) % 2) === 1;
  if (!Number.isInteger(n)) return false;
  const unit = 10n ** BigInt(-digits);
  const twice = BigInt(n) * 2n;
  return twice % unit === 0n && (twice / unit) % 2n !== 0n;
}

/** Turns a tie that was rounded away from zero to an odd last digit back to the even one below it. */
function toEven(text: string): string {
  const last = text.length - 1;
  const digit = text.charCodeAt(last) - 48;
  return digit % 2 === 1 ? text.slice(0, last) + String(digit - 1) : text;
}
