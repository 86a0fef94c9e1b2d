/** The standard library for compiled code: the shared one, and the calls that protocols live on straight. */

import type { Executor, LuaValue, Native } from '../../executor.js';
import { bitLibrary } from '../../stdlib/bit.js';
import { mathLibrary } from '../../stdlib/math.js';
import { osLibrary } from '../../stdlib/os.js';
import { generateSearch } from '../../stdlib/pattern-generator.js';
import { stringLibrary } from '../../stdlib/string.js';
import { tableLibrary } from '../../stdlib/table.js';
import { utf8Library } from '../../stdlib/utf8.js';
import type { LuaFunction } from './calls.js';

/** Fresh libraries by name. */
export function libraries(): Record<string, Record<string, LuaValue>> {
  return {
    string: stringLibrary(generateSearch),
    table: tableLibrary(),
    math: mathLibrary(),
    utf8: utf8Library(),
    os: osLibrary(),
    bit: bitLibrary(),
  };
}

/** Functions that make a function: an iterator, native too. */
const MAKERS = new Set(['gmatch', 'codes']);

/** A library function, of this name, as compiled code calls it. */
export function wrapNative(ex: Executor, native: Native, name: string): LuaFunction {
  if (!MAKERS.has(name)) {
    return function luaNative(...args: LuaValue[]) {
      return native(ex, args);
    };
  }
  const wrap = (v: LuaValue): LuaValue =>
    typeof v === 'function' ? (wrapNative(ex, v, '') as unknown as LuaValue) : v;
  return function luaNative(...args: LuaValue[]) {
    const result = native(ex, args);
    return Array.isArray(result) ? result.map(wrap) : wrap(result);
  };
}
