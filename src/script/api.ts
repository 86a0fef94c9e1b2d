/**
 * The Lua API as data: each function of `mix`, and each method of its objects, is one entry. Argument checks,
 * the reference and the editor types come from these entries, so they cannot differ from what runs.
 */

import { Failure } from '../errors.js';
import { HostObject, type LuaRef, type LuaValue } from './executor.js';

/**
 * How an argument reaches `run`, and how a result goes back:
 * - `bytes`: a Lua string as a Uint8Array (read only), and back
 * - `string`: a Lua string as a one-byte JavaScript string, and back
 * - `text`: a Lua string read and written as UTF-8
 * - `number`, `integer` (whole, to 2^53), `boolean`
 * - `value`: any value converted deeply: tables are arrays (keys 1…n) or objects, strings are text where they are
 *   valid UTF-8 and Uint8Array otherwise
 * - `options`: a table converted deeply, its strings one-byte strings, objects of ours what they hold
 * - `function`, `raw`: as the executor holds it; a {@link HostObject} is how a result with methods is returned
 */
export type ApiType =
  | 'bytes'
  | 'string'
  | 'text'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'value'
  | 'options'
  | 'function'
  | 'raw';

/** A parameter or a result. */
export interface ApiValue {
  name: string;
  type: ApiType;
  /** May be absent or nil; `run` then gets undefined. */
  optional?: boolean;
  /** Stands for any number of further arguments or results (last entry only). */
  rest?: boolean;
  /** A value that cannot be converted (a cycle, a function) is a {@link Failure}, where others raise. */
  refusable?: boolean;
  /** What it means, its unit, its range. */
  doc?: string;
}

/**
 * One function. `run` gets the host object that the functions of this table were registered with, then the
 * arguments as their types say. It returns the result (an array when `returns` has several entries), a
 * {@link Failure}, or a promise of either when `waits` is set.
 */
export interface ApiFunction<Host> {
  /** Full name as scripts write it: `mix.crc`, `conn:send`. */
  name: string;
  /** One sentence, then whatever a user must know: units, limits, failure values. */
  doc: string;
  params: ApiValue[];
  returns: ApiValue[];
  /** Suspends the calling handler until it has its result; raises where waiting is not allowed. */
  // biome-ignore lint/suspicious/noExplicitAny: parameters follow `params`, which types cannot express.
  waits?: boolean | ((...args: any[]) => boolean);
  /** How a {@link Failure} reaches the script: `nil, err` (default), or the message alone as CONNMIX does. */
  failure?: 'nil-error' | 'error';
  /** A complete, runnable Lua snippet. */
  example: string;
  // biome-ignore lint/suspicious/noExplicitAny: parameters follow `params`, which types cannot express.
  run(host: Host, ...args: any[]): unknown;
}

/** Shorthand for entries: a required parameter or result. */
export function value(name: string, type: ApiType, doc?: string): ApiValue {
  return doc === undefined ? { name, type } : { name, type, doc };
}

/** Shorthand for entries: an optional parameter. */
export function optional(name: string, type: ApiType, doc?: string): ApiValue {
  return { ...value(name, type, doc), optional: true };
}

/** Shorthand for entries: any number of further values. */
export function rest(name: string, type: ApiType, doc?: string): ApiValue {
  return { ...value(name, type, doc), rest: true };
}

export { Failure, HostObject, type LuaRef, type LuaValue };
