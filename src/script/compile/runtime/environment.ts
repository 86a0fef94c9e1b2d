/** What generated code can reach: these names and nothing else. */

import type { LuaValue } from '../../executor.js';
import { type Calls, many, one } from './calls.js';
import { Fields, Reading, Writing } from './field.js';
import { CallIteration, type Iteration, ListIteration, TableIteration } from './iteration.js';
import type { Meter } from './meter.js';
import { modulo, type Names, type Operators } from './operators.js';
import { LuaTable, NOTHING } from './table.js';

/** The parameters of a generated script, by name. */
export type Environment = Record<string, unknown>;

/** `next` and the function that `ipairs` returns, which loops step through without calling them. */
export interface Steppers {
  next: LuaValue;
  ipairs: LuaValue;
}

export function environment(
  globals: LuaTable,
  meter: Meter,
  calls: Calls,
  operators: Operators,
  steppers: Steppers,
): Environment {
  const fields = new Fields(calls);
  return {
    $G: globals,
    $S: calls.strings,
    $B: calls.strings.shape.slot('byte'),
    $byte: calls.strings.getString('byte'),
    $M: meter,
    $T: LuaTable,
    $R: calls.root,
    $N: NOTHING,
    $shape: calls.root.withAll.bind(calls.root),
    $Reading: Reading,
    $Writing: Writing,
    $none: [],
    $one: one,
    $many: many,
    $floor: Math.floor,
    $modulo: modulo,
    $field: fields.get.bind(fields),
    $setField: fields.set.bind(fields),
    $index(object: LuaValue, key: LuaValue, name: Names): LuaValue {
      if (object instanceof LuaTable) {
        if (typeof key === 'number' && key > 0 && key < object.items.length) {
          const value = object.items[key];
          if (value !== undefined) return value;
        }
        const value = object.get(key);
        if (value !== undefined || object.metatable === undefined) return value;
      }
      return calls.index(object, key, name);
    },
    $setIndex(object: LuaValue, key: LuaValue, value: LuaValue, name: Names): void {
      if (object instanceof LuaTable && object.metatable === undefined) {
        const { items } = object;
        if (typeof key === 'number' && value !== undefined) {
          if (key > 0 && key < items.length && Number.isInteger(key)) {
            items[key] = value;
            return;
          }
          if (key === items.length) {
            object.append(value);
            return;
          }
        }
        object.set(key, value);
      } else calls.setIndex(object, key, value, name);
    },
    /** The array of a table: it must not end in nil. */
    $list(items: LuaValue[]): LuaValue[] {
      while (items.length > 1 && items[items.length - 1] === undefined) items.pop();
      return items;
    },
    $append(table: LuaTable, from: number, result: LuaValue | LuaValue[]): void {
      many(result).forEach((value, i) => {
        table.set(from + i + 1, value);
      });
    },
    $iterate([fn, state, control]: LuaValue[]): Iteration {
      if (fn === steppers.next && state instanceof LuaTable && control === undefined)
        return new TableIteration(state);
      if (fn === steppers.ipairs && control === 0) return new ListIteration(state, calls);
      return new CallIteration(calls.callable(fn, undefined), state, control);
    },
    $call: (value: LuaValue, name: Names) => calls.callable(value, name),
    $arith: operators.arith.bind(operators),
    $bits: operators.bits.bind(operators),
    $concat(a: LuaValue, b: LuaValue, nameA: Names, nameB: Names): LuaValue {
      if (typeof a === 'string' && typeof b === 'string' && a.length + b.length < 256) return a + b;
      return operators.concat(a, b, nameA, nameB);
    },
    $equal: operators.equal.bind(operators),
    $less: operators.less.bind(operators),
    $lessEqual: operators.lessEqual.bind(operators),
    $length(value: LuaValue, name: Names): LuaValue {
      if (value instanceof LuaTable && value.metatable === undefined) return value.items.length - 1;
      return operators.length(value, name);
    },
    $forNumber: operators.forNumber.bind(operators),
  };
}
