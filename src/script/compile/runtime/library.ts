/** The standard library for compiled code: the shared one, and the calls that protocols live on straight. */

import type { Executor, LuaValue, Native } from '../../executor.js';
import { bitLibrary } from '../../stdlib/bit.js';
import { mathLibrary } from '../../stdlib/math.js';
import { osLibrary } from '../../stdlib/os.js';
import { stringLibrary } from '../../stdlib/string.js';
import { tableLibrary } from '../../stdlib/table.js';
import { utf8Library } from '../../stdlib/utf8.js';
import type { LuaFunction } from './calls.js';
import { LuaTable } from './table.js';

/** Fresh libraries by name. */
export function libraries(): Record<string, Record<string, LuaValue>> {
  return {
    string: stringLibrary(),
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

type Find = (library: string, name: string) => { slow: LuaFunction; replace(fast: LuaFunction): void };

/** Puts the usual case of a few functions in front of the library's own; whatever else comes goes there. */
export function fastFunctions(find: Find): void {
  const faster = (library: string, name: string, make: (slow: LuaFunction) => LuaFunction) => {
    const { slow, replace } = find(library, name);
    replace(make(slow));
  };
  faster('string', 'byte', (slow) => (...args) => {
    const [s, i, j] = args;
    if (typeof s === 'string' && j === undefined) {
      const at = i === undefined ? 1 : i;
      if (typeof at === 'number' && at >= 1 && at <= s.length && Number.isInteger(at))
        return s.charCodeAt(at - 1);
    }
    return slow(...args);
  });
  faster('string', 'sub', (slow) => (...args) => {
    const [s, i, j] = args;
    if (typeof s === 'string' && typeof i === 'number' && i >= 1 && Number.isInteger(i)) {
      if (j === undefined) return s.slice(i - 1);
      if (typeof j === 'number' && Number.isInteger(j)) {
        const end = j < 0 ? s.length + j + 1 : j;
        return end < i ? '' : s.slice(i - 1, end);
      }
    }
    return slow(...args);
  });
  faster('string', 'char', (slow) => (...args) => {
    const [code] = args;
    if (args.length === 1 && typeof code === 'number' && code >= 0 && code <= 255 && Number.isInteger(code)) {
      return String.fromCharCode(code);
    }
    return slow(...args);
  });
  faster('math', 'floor', (slow) => (...args) => {
    const [x] = args;
    return typeof x === 'number' ? Math.floor(x) : slow(...args);
  });
  faster('table', 'insert', (slow) => (...args) => {
    const [list, value] = args;
    if (args.length === 2 && list instanceof LuaTable && list.metatable === undefined) {
      list.set(list.length + 1, value);
      return [];
    }
    return slow(...args);
  });
  const { slow, replace } = find('string', 'len');
  replace((...args) => (typeof args[0] === 'string' ? args[0].length : slow(...args)));
}
