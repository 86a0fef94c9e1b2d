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

/** A library function as compiled code calls it. A function that it makes (an iterator) is native too. */
export function wrapNative(ex: Executor, native: Native): LuaFunction {
  const makesIterator = native.name === 'gmatch' || native.name === 'codes';
  return function luaNative(...args: LuaValue[]) {
    const result = native(ex, args);
    if (!makesIterator) return result;
    const wrap = (v: LuaValue): LuaValue =>
      typeof v === 'function' ? (wrapNative(ex, v) as unknown as LuaValue) : v;
    return Array.isArray(result) ? result.map(wrap) : wrap(result);
  };
}
