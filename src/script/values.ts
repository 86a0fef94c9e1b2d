/**
 * How values cross between a VM's slots and JavaScript, shallowly: strings become one-byte strings, tables and
 * functions stay references. `convert.ts` does the deep conversion.
 */

import { HostObject, type LuaRef, type LuaValue, type Native } from './executor.js';
import {
  BOOLEAN,
  booleanSlot,
  bytesOf,
  bytesSlot,
  type CFunction,
  copySlot,
  functionSlot,
  type LuaTable,
  type LuaThread,
  NIL,
  NUMBER,
  nilSlot,
  numberSlot,
  oneByte,
  type Slot,
  STRING,
  stringBytes,
  typeOf,
  USERDATA,
  userdataOf,
  userdataSlot,
} from './fengari.js';

/** What can be handed to Lua: bytes are taken over as a string without a copy. */
export type Pushable = LuaValue | Uint8Array | null;

/** The value conversions of one VM. */
export class Values {
  private readonly functions = new WeakMap<Native, CFunction>();

  constructor(
    private readonly main: LuaThread,
    private readonly wrap: (native: Native) => CFunction,
    private readonly metatableOf: (kind: string) => LuaTable,
  ) {}

  /** A slot as JavaScript sees it. References are copies that can be kept. */
  read(slot: Slot): LuaValue {
    switch (typeOf(slot)) {
      case NIL:
        return undefined;
      case BOOLEAN:
      case NUMBER:
        return slot.value as boolean | number;
      case STRING:
        return oneByte(stringBytes(slot));
      case USERDATA:
        return userdataOf(slot) as HostObject;
      default:
        return copySlot(slot);
    }
  }

  /** A slot for a value from JavaScript. */
  slot(value: Pushable): Slot {
    switch (typeof value) {
      case 'string':
        return bytesSlot(bytesOf(value));
      case 'number':
        return numberSlot(value);
      case 'boolean':
        return booleanSlot(value);
      case 'function':
        return functionSlot(this.functionOf(value));
      case 'undefined':
        return nilSlot();
      default:
    }
    if (value === null) return nilSlot();
    if (value instanceof HostObject) return this.handleOf(value);
    if (value instanceof Uint8Array) return bytesSlot(value);
    return slotOf(value);
  }

  private functionOf(native: Native): CFunction {
    let fn = this.functions.get(native);
    if (!fn) {
      fn = this.wrap(native);
      this.functions.set(native, fn);
    }
    return fn;
  }

  private handleOf(object: HostObject): Slot {
    object.handle ??= userdataSlot(this.main, object, this.metatableOf(object.kind));
    return object.handle as Slot;
  }
}

/** The slot behind a reference. */
export function slotOf(ref: LuaRef): Slot {
  return ref as Slot;
}
