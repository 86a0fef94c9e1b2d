/** What a protocol needs of whatever runs its module: Fengari's VM, or compiled code. */

import type { LuaRef, LuaValue } from './executor.js';

export interface ProtocolHost {
  /** A field of a table, without metamethods. */
  field(table: LuaValue, key: string | number): LuaValue;
  /** A new table; bytes become strings. */
  table(fields: Record<string, LuaValue | Uint8Array>): LuaRef;
  type(value: LuaValue): string;
  tostring(value: LuaValue): string;
  /** Calls a function that must not wait; bytes become strings. Throws ScriptError. */
  invoke(fn: LuaValue, args: readonly (LuaValue | Uint8Array | null)[], owner?: unknown): LuaValue[];
  /** A value as plain JavaScript. */
  toJs(value: LuaValue | Uint8Array | null): unknown;
}
