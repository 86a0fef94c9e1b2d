/**
 * The `string` library of Lua 5.3 (manual §6.4) without `dump`. Strings are bytes; positions count from 1, from
 * the end when negative. The table is also the strings' metatable index, so `s:sub(1, 2)` finds it.
 */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, type Native } from '../executor.js';
import { formatFunction } from './format.js';
import { packFunctions } from './pack.js';
import { type GenerateSearch, searchFunctions } from './string-search.js';
import { chargeBytes, checkSize, fromStart } from './strings.js';

/** Most bytes that `string.byte` returns and `string.char` takes at once (Lua's stack sets a similar bound). */
const MAX_BYTES = 15_000;

/**
 * A new instance of the library: its caches belong to one executor. `generate` makes functions of patterns, for executors
 * that generate code.
 */
export function stringLibrary(generate?: GenerateSearch): Record<string, Native> {
  return {
    byte,
    char,
    len,
    lower,
    rep,
    reverse,
    sub,
    upper,
    format: formatFunction(),
    ...packFunctions(),
    ...searchFunctions(generate),
  };
}

function byte(ex: Executor, values: LuaValue[]): LuaValue | LuaValue[] {
  const args = new Arguments(ex, 'byte', values);
  const text = args.string(1);
  const first = fromStart(args.integer(2, 1), text.length);
  const last = Math.min(fromStart(args.integer(3, first), text.length), text.length);
  const from = Math.max(first, 1);
  if (from === last) return text.charCodeAt(last - 1);
  if (last - from >= MAX_BYTES) throw new LuaError('string slice too long');
  const bytes: number[] = [];
  for (let i = from; i <= last; i++) bytes.push(text.charCodeAt(i - 1));
  return bytes;
}

function char(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'char', values);
  if (values.length > MAX_BYTES) throw new LuaError('too many arguments');
  const codes: number[] = [];
  for (let i = 1; i <= args.count; i++) {
    const code = args.integer(i);
    if (code < 0 || code > 255) args.fail(i, 'value out of range');
    codes.push(code);
  }
  return String.fromCharCode(...codes);
}

function len(ex: Executor, values: LuaValue[]): LuaValue {
  return new Arguments(ex, 'len', values).string(1).length;
}

function lower(ex: Executor, values: LuaValue[]): LuaValue {
  const text = new Arguments(ex, 'lower', values).string(1);
  chargeBytes(ex, text.length);
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function upper(ex: Executor, values: LuaValue[]): LuaValue {
  const text = new Arguments(ex, 'upper', values).string(1);
  chargeBytes(ex, text.length);
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function rep(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'rep', values);
  const text = args.string(1);
  const count = args.integer(2);
  const separator = args.value(3) === undefined ? '' : args.string(3);
  if (count <= 0) return '';
  const size = text.length * count + separator.length * (count - 1);
  checkSize(size);
  chargeBytes(ex, size);
  return separator === '' ? text.repeat(count) : (text + separator).repeat(count - 1) + text;
}

function reverse(ex: Executor, values: LuaValue[]): LuaValue {
  const text = new Arguments(ex, 'reverse', values).string(1);
  chargeBytes(ex, text.length);
  return Buffer.from(text, 'latin1').reverse().toString('latin1');
}

function sub(ex: Executor, values: LuaValue[]): LuaValue {
  const args = new Arguments(ex, 'sub', values);
  const text = args.string(1);
  const first = Math.max(fromStart(args.integer(2), text.length), 1);
  const last = fromStart(args.integer(3, -1), text.length);
  return text.slice(first - 1, Math.max(last, first - 1));
}
