/**
 * What the Lua standard library and the native `mix` functions need of whatever executes Lua.
 *
 * Values cross as plain JavaScript: nil is undefined, booleans and numbers are themselves, and a Lua string is a
 * one-byte string (each char code is a byte, 0…255), which V8 stores and compares compactly. Tables, Lua
 * functions, threads and userdata stay opaque references that only their executor can look into.
 */

/** A table, function or thread that belongs to an executor. */
export interface LuaRef {
  readonly luaRef: 'table' | 'function' | 'thread' | 'userdata';
}

/** An object of ours that scripts hold and call methods on; `kind` names its method table, as `conn`. */
export class HostObject<Data = unknown> {
  /** The executor's own form of this object, made when it is first handed to a script. */
  handle: unknown;

  constructor(
    readonly kind: string,
    readonly data: Data,
  ) {}
}

/** A value of a script as JavaScript sees it. */
export type LuaValue = undefined | boolean | number | string | LuaRef | HostObject | Native;

/**
 * A function in TypeScript that scripts can call. Arguments that were not given are absent from `args`. Returns
 * one value, or an array for any other number of results. Throws {@link LuaError} to raise in Lua.
 */
export type Native = (ex: Executor, args: LuaValue[]) => LuaValue | LuaValue[];

/** The executor as the library sees it. */
export interface Executor {
  /**
   * Counts `steps` of native work (about one Lua instruction each) against the running callback's budget.
   * Throws when it is spent. Call it before work whose size a script chooses.
   */
  charge(steps: number): void;
  /** Calls a Lua or native function and returns all its results. Errors pass through as thrown. */
  call(fn: LuaValue, args: LuaValue[]): LuaValue[];
  /** `table[key]` with metamethods. */
  index(table: LuaValue, key: LuaValue): LuaValue;
  /** `table[key] = value` with metamethods. */
  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void;
  /** `#value` with metamethods. */
  length(value: LuaValue): number;
  /** `a < b` with metamethods. */
  lessThan(a: LuaValue, b: LuaValue): boolean;
  /** A new table with these fields. */
  table(fields: Record<string, LuaValue>): LuaRef;
  /** As Lua's `tostring`, `__tostring` and `__name` included; returns a one-byte string. */
  tostring(value: LuaValue): string;
  /** As Lua's `type`. */
  type(value: LuaValue): string;
}

/** A value's type as Lua's `type` names it. */
export function luaType(value: LuaValue): string {
  switch (typeof value) {
    case 'undefined':
      return 'nil';
    case 'object':
      return value instanceof HostObject ? 'userdata' : value.luaRef;
    default:
      return typeof value;
  }
}

/** Whether a condition holds that gives this value: neither nil nor false. */
export function isTrue(value: LuaValue): boolean {
  return value !== undefined && value !== false;
}

/** Largest string, in bytes, that a script may build. */
export const MAX_STRING = 1024 * 1024;

/**
 * An error to be raised in the calling script. The executor puts the script's file and line in front of a
 * message; `value` is raised as it is instead, when given.
 */
export class LuaError extends Error {
  override readonly name = 'LuaError';

  constructor(
    message: string,
    readonly value?: LuaValue,
  ) {
    super(message);
  }
}
