/** Lua's table library, with every loop counted and every result bounded, and the names of Lua 5.1. */

import { Arguments } from '../arguments.js';
import { type Executor, LuaError, type LuaValue, MAX_STRING, type Native } from '../executor.js';

/** Most values `unpack` returns. */
const MAX_UNPACK = 15_000;

/** The functions of `table`. */
export function tableLibrary(): Record<string, Native> {
  return { concat, getn, insert, move, pack, remove, sort, unpack };
}

const concat: Native = (ex, args) => {
  const a = new Arguments(ex, 'concat', args);
  const list = a.table(1);
  const separator = a.value(2) === undefined ? '' : a.string(2);
  const from = a.integer(3, 1);
  const to = a.value(4) === undefined ? ex.length(list) : a.integer(4);
  const parts: string[] = [];
  let size = 0;
  for (let i = from; i <= to; i++) {
    ex.charge(2);
    const value = ex.index(list, i);
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new LuaError(`invalid value (at index ${i}) in table for 'concat'`);
    }
    const part = ex.tostring(value);
    size += part.length + separator.length;
    if (size > MAX_STRING) throw new LuaError('resulting string too large');
    parts.push(part);
  }
  return parts.join(separator);
};

const getn: Native = (ex, args) => ex.length(new Arguments(ex, 'getn', args).table(1));

const insert: Native = (ex, args) => {
  const a = new Arguments(ex, 'insert', args);
  const list = a.table(1);
  const end = ex.length(list) + 1;
  if (a.count === 2) {
    ex.setIndex(list, end, a.value(2));
    return [];
  }
  if (a.count !== 3) throw new LuaError("wrong number of arguments to 'insert'");
  const position = a.integer(2);
  if (position < 1 || position > end) a.fail(2, 'position out of bounds');
  ex.charge((end - position) * 2);
  for (let i = end; i > position; i--) ex.setIndex(list, i, ex.index(list, i - 1));
  ex.setIndex(list, position, a.value(3));
  return [];
};

const remove: Native = (ex, args) => {
  const a = new Arguments(ex, 'remove', args);
  const list = a.table(1);
  const size = ex.length(list);
  const position = a.integer(2, size);
  if (a.count > 1 && size + 1 !== position && (position < 1 || position > size + 1) && size > 0) {
    a.fail(2, 'position out of bounds');
  }
  const removed = ex.index(list, position);
  ex.charge(Math.max(0, size - position) * 2);
  for (let i = position; i < size; i++) ex.setIndex(list, i, ex.index(list, i + 1));
  if (position <= size) ex.setIndex(list, size, undefined);
  return removed;
};

const move: Native = (ex, args) => {
  const a = new Arguments(ex, 'move', args);
  const source = a.table(1);
  const [from, to, at] = [a.integer(2), a.integer(3), a.integer(4)];
  const target = a.value(5) === undefined ? source : a.table(5);
  const count = to - from + 1;
  if (count <= 0) return target;
  ex.charge(count * 2);
  const forwards = at > to || at <= from || a.value(5) !== undefined;
  for (let n = 0; n < count; n++) {
    const i = forwards ? n : count - 1 - n;
    ex.setIndex(target, at + i, ex.index(source, from + i));
  }
  return target;
};

const pack: Native = (ex, args) => {
  const packed = ex.table({ n: args.length });
  args.forEach((value, i) => {
    ex.setIndex(packed, i + 1, value);
  });
  return packed;
};

/** `table.unpack`, and `unpack` of Lua 5.1. */
export const unpack: Native = (ex, args) => {
  const a = new Arguments(ex, 'unpack', args);
  const list = a.any(1);
  const from = a.integer(2, 1);
  const to = a.value(3) === undefined ? ex.length(list) : a.integer(3);
  const count = to - from + 1;
  if (count > MAX_UNPACK) throw new LuaError('too many results to unpack');
  const values: LuaValue[] = [];
  ex.charge(Math.max(0, count));
  for (let i = from; i <= to; i++) values.push(ex.index(list, i));
  return values;
};

const sort: Native = (ex, args) => {
  const a = new Arguments(ex, 'sort', args);
  const list = a.table(1);
  const order = a.value(2) === undefined ? undefined : a.function(2);
  const size = ex.length(list);
  ex.charge(size * 2);
  const values: LuaValue[] = [];
  for (let i = 1; i <= size; i++) values.push(ex.index(list, i));
  // An array with holes would have its undefined values sorted to the end without being compared.
  if (values.includes(undefined)) throw new LuaError('attempt to compare nil with a value in sort');
  const before = (x: LuaValue, y: LuaValue): boolean => isBefore(ex, order, x, y);
  values.sort((x, y) => (before(x, y) ? -1 : before(y, x) ? 1 : 0));
  values.forEach((value, i) => {
    ex.setIndex(list, i + 1, value);
  });
  return [];
};

function isBefore(ex: Executor, order: LuaValue, x: LuaValue, y: LuaValue): boolean {
  ex.charge(2);
  if (order === undefined) return ex.lessThan(x, y);
  const [result] = ex.call(order, [x, y]);
  return result !== undefined && result !== false;
}
