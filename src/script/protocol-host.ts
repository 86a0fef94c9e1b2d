/** What a protocol needs of whatever runs its module: Fengari's VM, or compiled code. */

import type { CarryHost } from './carry.js';
import type { LuaRef, LuaValue } from './executor.js';

export interface ProtocolHost extends CarryHost {
  /** A field of a table, without metamethods. */
  field(table: LuaValue, key: string | number): LuaValue;
  /** A new table; bytes become strings. */
  table(fields: Record<string, LuaValue | Uint8Array>): LuaRef;
  type(value: LuaValue): string;
  tostring(value: LuaValue): string;
  /** Calls a function that must not wait; bytes become strings. Throws ScriptError. */
  invoke(fn: LuaValue, args: readonly (LuaValue | Uint8Array | null)[], owner?: unknown): LuaValue[];
  /** `invoke` from a native function of a script that runs: on its budget, and errors are raised in it. */
  invokeInside(fn: LuaValue, args: readonly LuaValue[]): LuaValue[];
  /** A value from plain JavaScript. Throws LuaError for what no script can hold. */
  fromJs(value: unknown): LuaValue;
  /** A value as plain JavaScript. */
  toJs(value: LuaValue | Uint8Array | null): unknown;
}
