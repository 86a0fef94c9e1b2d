/**
 * How values pass between an entry script's VM and the compiled protocol module beside it: messages one way, what is to
 * be encoded the other. Tables are copied, once; what is the same table within a value is the same one in its copy.
 */

import type { CompiledVm } from './compile/compiled-vm.js';
import { LuaTable } from './compile/runtime/table.js';
import { HostObject, LuaError, type LuaRef, type LuaValue } from './executor.js';
import {
  append,
  bytesOf,
  bytesSlot,
  copySlot,
  type LuaTable as FengariTable,
  newTable,
  numberSlot,
  rawSet,
  type Slot,
  stringHash,
  TABLE,
  tableOf,
  tableSlot,
  typeOf,
} from './fengari.js';
import type { Pushable } from './values.js';
import type { Vm } from './vm.js';

/** Deepest nesting of tables that passes. */
const MAX_DEPTH = 200;
/** Names of fields that are kept as they are in the VM; they are few, unless a protocol takes them from its frames. */
const MAX_KEYS = 1000;

interface Key {
  readonly slot: Slot;
  readonly hash: string;
}

export class Crossing {
  private readonly keys = new Map<string, Key>();

  constructor(
    private readonly vm: Vm,
    private readonly compiled: CompiledVm,
  ) {}

  /** A value of compiled code for the script. Throws LuaError for a function, or a table with a metatable. */
  toScript(value: Pushable): Pushable {
    return value instanceof LuaTable ? this.copyOut(value, 0, new Map()) : this.plain(value);
  }

  /** A value of the script for compiled code. Throws LuaError as {@link toScript} does. */
  fromScript(value: LuaValue): LuaValue {
    return isTable(value) ? this.copyIn(tableOf(value), 0, new Map()) : (this.plain(value) as LuaValue);
  }

  /** What is the same on both sides. */
  private plain(value: Pushable): Pushable {
    if (typeof value === 'function') throw cannotPass('function');
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof HostObject || value instanceof Uint8Array) return value;
    throw cannotPass(value.luaRef);
  }

  private copyOut(from: LuaTable, depth: number, known: Map<LuaTable, LuaRef>): LuaRef {
    if (from.metatable !== undefined) throw cannotPass('table with a metatable');
    checkDepth(depth);
    const { main, values } = this.vm;
    const table = newTable(main);
    const copy = tableSlot(table);
    known.set(from, copy);
    // An entry has a slot of its own, which an assignment to its field changes.
    const slot = (value: LuaValue): Slot => {
      if (value instanceof LuaTable)
        return copySlot((known.get(value) ?? this.copyOut(value, depth + 1, known)) as Slot);
      const own = values.slot(this.plain(value));
      return typeof value === 'object' ? copySlot(own) : own;
    };
    for (let at = from.used(0); at >= 0; at = from.used(at + 1)) {
      const key = from.keyAt(at);
      const value = slot(from.valueAt(at));
      if (typeof key === 'string') {
        const known = this.key(key);
        append(table, known.hash, copySlot(known.slot), value);
      } else if (typeof key === 'number') append(table, key, numberSlot(key), value);
      else rawSet(main, table, slot(key), value);
    }
    return copy;
  }

  private key(name: string): Key {
    let key = this.keys.get(name);
    if (key === undefined) {
      key = { slot: bytesSlot(bytesOf(name)), hash: stringHash(name) };
      if (this.keys.size < MAX_KEYS) this.keys.set(name, key);
    }
    return key;
  }

  private copyIn(from: FengariTable, depth: number, known: Map<FengariTable, LuaTable>): LuaTable {
    if (from.metatable !== null) throw cannotPass('table with a metatable');
    checkDepth(depth);
    const copy = this.compiled.newTable();
    known.set(from, copy);
    const value = (slot: Slot): LuaValue => {
      if (typeOf(slot) !== TABLE) return this.plain(this.vm.values.read(slot)) as LuaValue;
      const table = tableOf(slot);
      return known.get(table) ?? this.copyIn(table, depth + 1, known);
    };
    for (let entry = from.f; entry; entry = entry.n) copy.set(value(entry.key), value(entry.value));
    return copy;
  }
}

function isTable(value: LuaValue): value is Slot {
  return typeof value === 'object' && !(value instanceof HostObject) && value.luaRef === 'table';
}

function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new LuaError(`tables are nested deeper than ${MAX_DEPTH}`);
}

function cannotPass(what: string): LuaError {
  return new LuaError(
    `a ${what} cannot pass between a script and a compiled protocol (script.compile: off runs both in one VM)`,
  );
}
