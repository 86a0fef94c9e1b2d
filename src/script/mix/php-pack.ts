/** PHP's `pack` and `unpack` over one-byte strings, with its letters, counts, names and "*". */

import { MoonwireError } from '../../errors.js';
import type { LuaValue } from '../executor.js';
import { numberToString, parseNumber } from '../numbers.js';
import { floatAt, floatBytes, integerAt, integerBytes } from '../stdlib/number-bytes.js';
import { checkSize } from '../stdlib/strings.js';
import { fromDecimal, fromNumber, type WideInteger } from '../stdlib/wide-integer.js';

/** Most values of one call. */
const MAX_VALUES = 15_000;
/** Longest name that `unpack` keeps, as in PHP. */
const MAX_NAME = 200;
/** The count "*". */
const ALL = -1;

/** How a letter's number is laid out. Machine order is little endian; `int` has 4 bytes, `long` 4 (8 is q). */
type Layout =
  | { kind: 'integer'; size: number; signed: boolean; little: boolean }
  | { kind: 'float'; size: 4 | 8; little: boolean };

const integer = (size: number, signed: boolean, little = true): Layout => ({
  kind: 'integer',
  size,
  signed,
  little,
});
const float = (size: 4 | 8, little = true): Layout => ({ kind: 'float', size, little });

const NUMBERS: ReadonlyMap<string, Layout> = new Map([
  ['c', integer(1, true)],
  ['C', integer(1, false)],
  ['s', integer(2, true)],
  ['S', integer(2, false)],
  ['n', integer(2, false, false)],
  ['v', integer(2, false)],
  ['i', integer(4, true)],
  ['I', integer(4, false)],
  ['l', integer(4, true)],
  ['L', integer(4, false)],
  ['N', integer(4, false, false)],
  ['V', integer(4, false)],
  ['q', integer(8, true)],
  ['Q', integer(8, false)],
  ['J', integer(8, false, false)],
  ['P', integer(8, false)],
  ['f', float(4)],
  ['g', float(4)],
  ['G', float(4, false)],
  ['d', float(8)],
  ['e', float(8)],
  ['E', float(8, false)],
]);

const LETTERS = new Set([...'aAZhHxX@', ...NUMBERS.keys()]);

function invalid(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', problem);
}

function checkLetter(letter: string): void {
  if (!LETTERS.has(letter)) throw invalid(`type ${letter}: unknown format code`);
}

function countOf(digits: string | undefined): number {
  if (digits === '*') return ALL;
  const count = digits ? Number(digits) : 1;
  checkSize(count);
  return count;
}

/**
 * Packs values. Integers wrap to their size as in PHP; 64-bit ones may be decimal strings. Where PHP only warns
 * (values left over, "X" before the start, more hexadecimal digits asked for than given) the result is PHP's.
 * @throws MoonwireError `invalid_argument` for an unknown letter, missing or unfitting values.
 */
export function phpPack(format: string, values: readonly LuaValue[]): string {
  let packed = '';
  let used = 0;
  const next = (letter: string): LuaValue => {
    if (used >= values.length) throw invalid(`type ${letter}: not enough arguments`);
    return values[used++];
  };
  for (const [, letter = '', digits] of format.matchAll(/(.)(\d+|\*)?/gs)) {
    checkLetter(letter);
    const count = countOf(digits);
    const layout = NUMBERS.get(letter);
    if (layout) {
      const numbers = count === ALL ? values.length - used : count;
      if (numbers > values.length - used) throw invalid(`type ${letter}: too few arguments`);
      for (let i = 0; i < numbers; i++) packed += packNumber(letter, layout, next(letter));
    } else if (letter === 'x') {
      packed += '\0'.repeat(count === ALL ? 1 : count);
    } else if (letter === 'X') {
      packed = packed.slice(0, Math.max(0, packed.length - (count === ALL ? 1 : count)));
    } else if (letter === '@') {
      const position = count === ALL ? 1 : count;
      packed = packed.slice(0, position).padEnd(position, '\0');
    } else {
      packed += packText(letter, count, textOf(letter, next(letter)));
    }
    checkSize(packed.length);
  }
  return packed;
}

function packText(letter: string, count: number, text: string): string {
  if (letter === 'h' || letter === 'H') {
    const digits = text.slice(0, count === ALL ? undefined : count);
    const other = digits.search(/[^0-9a-fA-F]/);
    if (other >= 0) throw invalid(`type ${letter}: illegal hex digit ${digits[other]}`);
    const whole = digits.length % 2 === 0 ? digits : `${digits}0`;
    return Buffer.from(letter === 'H' ? whole : swapNibbles(whole), 'hex').toString('latin1');
  }
  if (count === ALL) return letter === 'Z' ? `${text}\0` : text;
  // "Z" always ends with a zero.
  const kept = text.slice(0, letter === 'Z' ? Math.max(0, count - 1) : count);
  return kept.padEnd(count, letter === 'A' ? ' ' : '\0');
}

function swapNibbles(digits: string): string {
  return digits.replace(/(.)(.)/g, '$2$1');
}

function packNumber(letter: string, layout: Layout, value: LuaValue): string {
  if (layout.kind === 'float') return floatBytes(numberOf(letter, value), layout.size, layout.little);
  return integerBytes(integerOf(letter, value), layout.size, layout.little);
}

function integerOf(letter: string, value: LuaValue): WideInteger {
  const decimal = typeof value === 'string' ? fromDecimal(value) : null;
  const wide = decimal === null ? fromNumber(Math.trunc(numberOf(letter, value))) : decimal;
  if (!wide) throw invalid(`type ${letter}: number does not fit 64 bits`);
  return wide;
}

function numberOf(letter: string, value: LuaValue): number {
  const n = typeof value === 'string' ? parseNumber(value) : value;
  if (typeof n !== 'number') throw invalid(`type ${letter}: number expected`);
  return n;
}

function textOf(letter: string, value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberToString(value);
  throw invalid(`type ${letter}: string expected`);
}

/** What `unpack` found, by name or number. */
export type PhpTable = Map<string | number, number | string>;

/** One element of a format of `unpack`: letter, count, name. */
const ELEMENT = /(.)(\d+|\*)?([^/]*)(?:\/|$)/gsy;

/**
 * Unpacks `data` by a format such as `Nlength/a4name/C*byte`. A value goes under its name; several of one letter
 * under the name with 1, 2, … behind it; without a name under that number alone. 64-bit integers beyond 2^53 are
 * decimal strings (unsigned ones stay so, where PHP shows a negative number).
 * @throws MoonwireError `invalid_argument` for an unknown letter, `decode_error` when data is missing.
 */
export function phpUnpack(format: string, data: string): PhpTable {
  const table: PhpTable = new Map();
  let at = 0;
  for (const [, letter = '', digits, written = ''] of format.matchAll(ELEMENT)) {
    checkLetter(letter);
    const count = countOf(digits);
    const name = written.slice(0, MAX_NAME);
    const layout = NUMBERS.get(letter);
    if (layout) {
      at = unpackNumbers(letter, layout, count, name, data, at, table);
    } else if (letter === 'x') {
      const skipped = count === ALL ? data.length - at : count;
      at = checkedEnd(letter, data, at, skipped);
    } else if (letter === 'X') {
      at = Math.max(0, at - (count === ALL ? 1 : count));
    } else if (letter === '@') {
      // As in PHP, "@*" goes to the start, and "@0" and places outside the data change nothing.
      if (count !== 0 && count <= data.length) at = Math.max(0, count);
    } else {
      const size = sizeOfText(letter, count, data.length - at);
      const end = checkedEnd(letter, data, at, size);
      table.set(keyOf(name, 1, false), unpackText(letter, count, data.slice(at, end)));
      at = end;
    }
  }
  return table;
}

function unpackNumbers(
  letter: string,
  layout: Layout,
  count: number,
  name: string,
  data: string,
  from: number,
  table: PhpTable,
): number {
  const numbers = count === ALL ? Math.floor((data.length - from) / layout.size) : count;
  if (numbers > MAX_VALUES) throw new MoonwireError('too_large', `more than ${MAX_VALUES} values`);
  let at = from;
  for (let i = 1; i <= numbers; i++) {
    const end = checkedEnd(letter, data, at, layout.size);
    const value =
      layout.kind === 'float'
        ? floatAt(data, at, layout.size, layout.little)
        : integerAt(data, at, layout.size, layout.little, layout.signed);
    table.set(keyOf(name, i, count !== 1), value);
    at = end;
  }
  return at;
}

/** The key of value `i`: decimal numbers are numbers, as PHP's array keys are. */
function keyOf(name: string, i: number, numbered: boolean): string | number {
  const key = name === '' || numbered ? name + String(i) : name;
  return /^(?:0|-?[1-9]\d{0,14})$/.test(key) ? Number(key) : key;
}

function checkedEnd(letter: string, data: string, at: number, size: number): number {
  if (at + size <= data.length) return at + size;
  throw new MoonwireError(
    'decode_error',
    `type ${letter}: not enough input, need ${size} bytes but ${data.length - at} are there`,
  );
}

/** Bytes that a text letter takes of the `rest` that is there. */
function sizeOfText(letter: string, count: number, rest: number): number {
  if (count === ALL) return rest;
  return letter === 'h' || letter === 'H' ? Math.ceil(count / 2) : count;
}

function unpackText(letter: string, count: number, bytes: string): string {
  switch (letter) {
    case 'A':
      return bytes.replace(/[\0\t\r\n ]+$/, '');
    case 'Z': {
      const zero = bytes.indexOf('\0');
      return zero < 0 ? bytes : bytes.slice(0, zero);
    }
    case 'h':
    case 'H': {
      const digits = Buffer.from(bytes, 'latin1').toString('hex');
      const ordered = letter === 'H' ? digits : swapNibbles(digits);
      return count === ALL ? ordered : ordered.slice(0, count);
    }
    default:
      return bytes;
  }
}
