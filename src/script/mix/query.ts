/** Query strings as PHP's `parse_str` reads them. Strings in here are one-byte strings. */

import { MoonwireError } from '../../errors.js';

/** PHP's bounds (`max_input_vars`, `max_input_nesting_level`). */
const MAX_VARIABLES = 1000;
const MAX_NESTING = 64;

/** A table of a script: text or further tables by name or number. */
export type QueryTable = Map<QueryKey, Uint8Array | QueryTable>;
type QueryKey = string | number;

/** The key `[]`: the number behind the largest one in use. */
const NEXT = Symbol('next');

/**
 * Parses `a=1&b[]=2&c[x][y]=3`. A later value replaces an earlier one of the same name; `[]` appends, counting
 * from 1 as Lua does; spaces and dots in the first part of a name become underscores, as in PHP.
 * @throws MoonwireError `too_large` beyond 1000 variables or 64 levels of brackets.
 */
export function parseQuery(query: string): QueryTable {
  const table: QueryTable = new Map();
  const pairs = query.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_VARIABLES)
    throw new MoonwireError('too_large', `more than ${MAX_VARIABLES} variables`);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = unescapeQuery(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : unescapeQuery(pair.slice(equals + 1));
    const path = namePath(name);
    if (path) insert(table, path, Buffer.from(value, 'latin1'));
  }
  return table;
}

/** Undoes percent-encoding and "+"; a "%" without two hexadecimal digits stays as it is. */
function unescapeQuery(text: string): string {
  return text.replace(/\+|%([0-9a-fA-F]{2})/g, (_, hex?: string) =>
    hex === undefined ? ' ' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The keys that a name with brackets goes through; undefined when it names nothing. */
function namePath(written: string): (QueryKey | typeof NEXT)[] | undefined {
  const zero = written.indexOf('\0');
  const name = (zero < 0 ? written : written.slice(0, zero)).replace(/^ +/, '');
  const bracket = name.indexOf('[');
  const base = (bracket < 0 ? name : name.slice(0, bracket)).replace(/[ .]/g, '_');
  if (base === '') return undefined;
  const path: (QueryKey | typeof NEXT)[] = [keyOf(base)];
  for (let at = bracket; at >= 0 && name[at] === '['; ) {
    const close = name.indexOf(']', at);
    if (close < 0) {
      // A bracket that is never closed is part of the name before it.
      if (path.length === 1) path[0] = keyOf(`${base}_${name.slice(at + 1).replace(/[ .[]/g, '_')}`);
      break;
    }
    const key = name.slice(at + 1, close);
    path.push(/^\s?$/.test(key) ? NEXT : keyOf(key));
    if (path.length > MAX_NESTING + 1) {
      throw new MoonwireError('too_large', `names nest deeper than ${MAX_NESTING}`);
    }
    at = close + 1;
  }
  return path;
}

/** Decimal integers are numbers, as PHP's array keys are. */
function keyOf(text: string): QueryKey {
  return /^(?:0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

function insert(root: QueryTable, path: (QueryKey | typeof NEXT)[], value: Uint8Array): void {
  let table = root;
  path.forEach((step, i) => {
    const key = step === NEXT ? nextKey(table) : step;
    if (i === path.length - 1) {
      table.set(key, value);
      return;
    }
    const inner = table.get(key);
    if (inner instanceof Map) {
      table = inner;
    } else {
      const made: QueryTable = new Map();
      table.set(key, made);
      table = made;
    }
  });
}

function nextKey(table: QueryTable): number {
  let largest = 0;
  for (const key of table.keys()) if (typeof key === 'number' && key > largest) largest = key;
  return largest + 1;
}
