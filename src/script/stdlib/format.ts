/** `string.format` of Lua 5.3 (manual §6.4) with `%u` of 5.1; `%d` and its kin take whole numbers to 2^53. */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type Native } from '../executor.js';
import { formatExponential, formatFixed, formatGeneral, formatHex, withPoint } from '../float-format.js';
import { isExactInteger, numberToString } from '../numbers.js';
import { BoundedCache } from './bounded-cache.js';
import { chargeBytes, checkSize } from './strings.js';

/** One conversion: "%", flags, width, precision, letter. Widths and precisions have two digits at most. */
interface Conversion {
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  readonly width: number;
  readonly precision: number | undefined;
  readonly letter: string;
  /** What is wrong with it; raised when it is reached, as Lua does. */
  readonly error: string | undefined;
}

const CONVERSION = /^%([-+ #0]*)(\d{0,2})(?:\.(\d{0,2}))?(.)?/s;
/** What `%q` escapes; a control character looks at the digit behind it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped.
const UNREADABLE = /["\\\n]|[\x00-\x1f\x7f](?=(\d?))/g;
/** Most flags, as Lua has room for. */
const MAX_FLAGS = 5;

/** `string.format(format, …)` with a cache of parsed formats. */
export function formatFunction(): Native {
  const formats = new BoundedCache(parse);
  return (ex, values) => {
    const args = new Arguments(ex, 'format', values);
    let text = '';
    let argument = 1;
    for (const part of formats.get(ex, args.string(1))) {
      if (typeof part === 'string') text += part;
      else {
        argument++;
        if (argument > args.count) args.fail(argument, 'no value');
        text += convert(ex, args, argument, part);
      }
      checkSize(text.length);
    }
    chargeBytes(ex, text.length);
    return text;
  };
}

/** Splits a format into literal text and conversions. */
function parse(format: string): (string | Conversion)[] {
  const parts: (string | Conversion)[] = [];
  let at = 0;
  for (;;) {
    const percent = format.indexOf('%', at);
    if (percent !== at) parts.push(format.slice(at, percent < 0 ? undefined : percent));
    if (percent < 0) return parts;
    if (format[percent + 1] === '%') {
      parts.push('%');
      at = percent + 2;
    } else {
      const fields = CONVERSION.exec(format.slice(percent)) ?? [''];
      parts.push(conversionOf(fields));
      at = percent + fields[0].length;
    }
  }
}

function conversionOf([, flags = '', width = '', precision, letter = '']: string[]): Conversion {
  let error: string | undefined;
  if (flags.length > MAX_FLAGS) error = 'invalid format (repeated flags)';
  else if (/\d/.test(letter)) error = 'invalid format (width or precision too long)';
  else if (!/[aAcdeEfFgGioqsuxX]/.test(letter)) error = `invalid option '%${letter}' to 'format'`;
  return {
    left: flags.includes('-'),
    plus: flags.includes('+'),
    space: flags.includes(' '),
    alternate: flags.includes('#'),
    zero: flags.includes('0'),
    width: Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    letter,
    error,
  };
}

function convert(ex: Executor, args: Arguments, i: number, conversion: Conversion): string {
  if (conversion.error !== undefined) throw new LuaError(conversion.error);
  switch (conversion.letter) {
    case 'c':
      return pad(String.fromCharCode(args.integer(i) & 0xff), conversion);
    case 'd':
    case 'i':
      return signed(integer(args, i), conversion);
    case 'u':
    case 'o':
    case 'x':
    case 'X':
      return unsigned(integer(args, i), conversion);
    case 'q':
      return quoted(ex, args, i);
    case 's': {
      const text = ex.tostring(args.value(i));
      return pad(text.slice(0, conversion.precision), conversion);
    }
    default:
      return float(args.number(i), conversion);
  }
}

function integer(args: Arguments, i: number): number {
  const n = args.number(i);
  if (!isExactInteger(n)) args.fail(i, 'number has no integer representation');
  return n;
}

function signed(n: number, conversion: Conversion): string {
  const digits = minimumDigits(String(Math.abs(n)), conversion);
  return padNumber(sign(n < 0, conversion), digits, conversion, conversion.precision === undefined);
}

/** Negative numbers print as 64-bit two's complement. */
function unsigned(n: number, conversion: Conversion): string {
  const { letter, alternate } = conversion;
  const radix = letter === 'u' ? 10 : letter === 'o' ? 8 : 16;
  const value = (n < 0 ? BigInt.asUintN(64, BigInt(n)) : n).toString(radix);
  let digits = minimumDigits(letter === 'X' ? value.toUpperCase() : value, conversion);
  if (alternate && letter === 'o' && digits[0] !== '0') digits = `0${digits}`;
  const prefix = alternate && radix === 16 && n !== 0 ? `0${letter}` : '';
  return padNumber(prefix, digits, conversion, conversion.precision === undefined);
}

/** At least `precision` digits; none at all for zero with precision 0. */
function minimumDigits(digits: string, { precision }: Conversion): string {
  if (precision === 0 && digits === '0') return '';
  return digits.padStart(precision ?? 0, '0');
}

function float(n: number, conversion: Conversion): string {
  const negative = n < 0 || Object.is(n, -0);
  const upper = conversion.letter < 'a';
  const magnitude = Math.abs(n);
  const finite = Number.isFinite(n);
  const text = finite ? digitsOf(magnitude, conversion) : Number.isNaN(n) ? 'nan' : 'inf';
  // C puts the zeros of the flag "0" behind the prefix of %a.
  const hex = finite && text.startsWith('0x') ? 2 : 0;
  const prefix = sign(negative, conversion) + text.slice(0, hex);
  const padded = padNumber(prefix, text.slice(hex), conversion, finite);
  return upper ? padded.toUpperCase() : padded;
}

function digitsOf(n: number, { letter, precision, alternate }: Conversion): string {
  switch (letter.toLowerCase()) {
    case 'a': {
      const text = formatHex(n, precision);
      return alternate ? text.replace(/^(0x\d)p/, '$1.p') : text;
    }
    case 'e': {
      const text = formatExponential(n, precision ?? 6);
      return alternate ? text.replace(/^(\d)e/, '$1.e') : text;
    }
    case 'f': {
      const text = formatFixed(n, precision ?? 6);
      return alternate ? withPoint(text) : text;
    }
    default:
      return formatGeneral(n, precision ?? 6, alternate);
  }
}

function sign(negative: boolean, { plus, space }: Conversion): string {
  return negative ? '-' : plus ? '+' : space ? ' ' : '';
}

function padNumber(prefix: string, digits: string, conversion: Conversion, zeros: boolean): string {
  if (!conversion.zero || conversion.left || !zeros) return pad(prefix + digits, conversion);
  return prefix + digits.padStart(conversion.width - prefix.length, '0');
}

function pad(text: string, { width, left }: Conversion): string {
  return left ? text.padEnd(width) : text.padStart(width);
}

/** `%q`: a literal that Lua reads back as the same value. */
function quoted(ex: Executor, args: Arguments, i: number): string {
  const value = args.value(i);
  switch (typeof value) {
    case 'string':
      return quotedString(ex, value);
    case 'number':
      return quotedNumber(value);
    case 'boolean':
    case 'undefined':
      return ex.tostring(value);
    default:
      return args.fail(i, 'value has no literal form');
  }
}

function quotedString(ex: Executor, text: string): string {
  chargeBytes(ex, text.length);
  const escaped = text.replace(UNREADABLE, (character, digit: string | undefined) => {
    if (character === '"' || character === '\\' || character === '\n') return `\\${character}`;
    const code = String(character.charCodeAt(0));
    return `\\${digit ? code.padStart(3, '0') : code}`;
  });
  checkSize(escaped.length);
  return `"${escaped}"`;
}

function quotedNumber(n: number): string {
  if (Number.isNaN(n)) return '(0/0)';
  if (!Number.isFinite(n)) return n > 0 ? '1e9999' : '-1e9999';
  return isExactInteger(n) ? numberToString(n) : formatHex(n);
}
