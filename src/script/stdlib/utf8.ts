/** The `utf8` library of Lua 5.3 (manual §6.5). Positions are byte positions from 1; code points end at U+10FFFF. */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue } from '../executor.js';
import { chargeBytes, fromStart } from './strings.js';

const MAX_UNICODE = 0x10ffff;
/** Smallest code point that needs 1, 2, 3, 4 bytes: anything below is overlong. */
const SMALLEST = [0, 0x80, 0x800, 0x10000];
/** Most code points that `codepoint` returns at once. */
const MAX_RESULTS = 15_000;

/** The library. */
export function utf8Library(): Record<string, LuaValue> {
  return { char, charpattern: '[\0-\x7f\xc2-\xf4][\x80-\xbf]*', codepoint, codes, len, offset };
}

interface Decoded {
  readonly code: number;
  /** Bytes it takes. */
  readonly size: number;
}

/** Decodes one code point at a 0-based offset; undefined when the bytes are not UTF-8. */
function decode(text: string, at: number): Decoded | undefined {
  const lead = text.charCodeAt(at);
  if (lead < 0x80) return { code: lead, size: 1 };
  const size = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  if (size === 0 || at + size > text.length) return undefined;
  let code = lead & (0x7f >> size);
  for (let i = at + 1; i < at + size; i++) {
    if (!isContinuation(text, i)) return undefined;
    code = code * 64 + (text.charCodeAt(i) & 0x3f);
  }
  return code > MAX_UNICODE || code < SMALLEST[size - 1]! ? undefined : { code, size };
}

function isContinuation(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xc0) === 0x80;
}

/** The UTF-8 bytes of a code point to U+10FFFF, surrogates as Lua writes them. */
export function encode(code: number): string {
  const last = 0x80 | (code & 0x3f);
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), last);
  const third = 0x80 | ((code >> 6) & 0x3f);
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), third, last);
  return String.fromCharCode(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), third, last);
}

function char(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'char', values);
  let text = '';
  for (let i = 1; i <= args.count; i++) {
    const code = args.integer(i);
    if (code < 0 || code > MAX_UNICODE) args.fail(i, 'value out of range');
    text += encode(code);
  }
  return text;
}

function codepoint(ex: Executor, values: LuaValue[]): LuaValue[] {
  const args = new Arguments(ex, 'codepoint', values);
  const text = args.string(1);
  const first = fromStart(args.integer(2, 1), text.length);
  const last = fromStart(args.integer(3, first), text.length);
  if (first < 1) args.fail(2, 'out of range');
  if (last > text.length) args.fail(3, 'out of range');
  const codes: number[] = [];
  for (let at = first - 1; at < last; ) {
    const decoded = decode(text, at);
    if (!decoded) throw new LuaError('invalid UTF-8 code');
    if (codes.length >= MAX_RESULTS) throw new LuaError('string slice too long');
    codes.push(decoded.code);
    at += decoded.size;
  }
  return codes;
}

/** Returns the number of code points that begin in the range, or nil and the position of the first bad byte. */
function len(ex: Executor, values: LuaValue[]): LuaValue | LuaValue[] {
  const args = new Arguments(ex, 'len', values);
  const text = args.string(1);
  const first = fromStart(args.integer(2, 1), text.length);
  const last = fromStart(args.integer(3, -1), text.length);
  if (first < 1 || first > text.length + 1) args.fail(2, 'initial position out of string');
  if (last > text.length) args.fail(3, 'final position out of string');
  chargeBytes(ex, 4 * (last - first));
  let count = 0;
  for (let at = first - 1; at < last; count++) {
    const decoded = decode(text, at);
    if (!decoded) return [undefined, at + 1];
    at += decoded.size;
  }
  return count;
}

/** Returns the byte position where the `n`th code point, counted from position `i`, begins; nil when there is none. */
function offset(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'offset', values);
  const text = args.string(1);
  let n = args.integer(2);
  const start = fromStart(args.integer(3, n >= 0 ? 1 : text.length + 1), text.length);
  if (start < 1 || start > text.length + 1) args.fail(3, 'position out of range');
  let at = start - 1;
  if (n === 0) {
    while (at > 0 && isContinuation(text, at)) at--;
    chargeBytes(ex, start - at);
    return at + 1;
  }
  if (isContinuation(text, at)) throw new LuaError('initial position is a continuation byte');
  if (n < 0) {
    for (; n < 0 && at > 0; n++) {
      do at--;
      while (at > 0 && isContinuation(text, at));
    }
  } else {
    for (n--; n > 0 && at < text.length; n--) {
      do at++;
      while (isContinuation(text, at));
    }
  }
  chargeBytes(ex, 4 * Math.abs(start - 1 - at));
  return n === 0 ? at + 1 : undefined;
}

/** Iterates over position and code point; bytes that are not UTF-8 raise. */
function codes(ex: Executor, values: LuaValue[]): LuaValue[] {
  const text = new Arguments(ex, 'codes', values).string(1);
  return [nextCode, text, 0];
}

function nextCode(ex: Executor, values: LuaValue[]): LuaValue | LuaValue[] {
  const args = new Arguments(ex, 'codes', values);
  const text = args.string(1);
  let at = args.integer(2);
  while (at > 0 && isContinuation(text, at)) at++;
  if (at < 0 || at >= text.length) return undefined;
  const decoded = decode(text, at);
  if (!decoded || isContinuation(text, at + decoded.size)) throw new LuaError('invalid UTF-8 code');
  return [at + 1, decoded.code];
}
