/** What generated code can reach: these names and nothing else. */

import type { LuaValue } from '../../executor.js';
import { type Calls, many, one } from './calls.js';
import { CallIteration, type Iteration, ListIteration, TableIteration } from './iteration.js';
import type { Meter } from './meter.js';
import { modulo, type Names, type Operators } from './operators.js';
import { LuaTable } from './table.js';

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
  return {
    $G: globals,
    $M: meter,
    $T: LuaTable,
    $none: [],
    $one: one,
    $many: many,
    $floor: Math.floor,
    $modulo: modulo,
    $field(object: LuaValue, key: string, name: Names): LuaValue {
      if (object instanceof LuaTable) {
        const value = object.getString(key);
        if (value !== undefined || object.metatable === undefined) return value;
      } else if (typeof object === 'string') return calls.strings.getString(key);
      return calls.index(object, key, name);
    },
    $index(object: LuaValue, key: LuaValue, name: Names): LuaValue {
      if (object instanceof LuaTable) {
        const { array } = object;
        if (typeof key === 'number' && key >= 1 && key <= array.length) {
          const value = array[key - 1];
          if (value !== undefined) return value;
        }
        const value = object.get(key);
        if (value !== undefined || object.metatable === undefined) return value;
      }
      return calls.index(object, key, name);
    },
    $setIndex(object: LuaValue, key: LuaValue, value: LuaValue, name: Names): void {
      if (object instanceof LuaTable && object.metatable === undefined) object.set(key, value);
      else calls.setIndex(object, key, value, name);
    },
    /** An array as a table's: it must not end in nil. */
    $list(values: LuaValue[]): LuaValue[] {
      while (values.length > 0 && values[values.length - 1] === undefined) values.pop();
      return values;
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
      if (value instanceof LuaTable && value.metatable === undefined) return value.array.length;
      return operators.length(value, name);
    },
    $forNumber: operators.forNumber.bind(operators),
  };
}
