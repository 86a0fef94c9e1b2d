/**
 * Fengari with the runtime's number rules, and the part of it the runtime uses, typed.
 * Everything that knows Fengari's insides is here and in the other files that begin with `fengari-`.
 */

import './fengari-fixes.js';
import './fengari-calls.js';
import lauxlib from 'fengari/src/lauxlib.js';
import lbaselib from 'fengari/src/lbaselib.js';
import lcorolib from 'fengari/src/lcorolib.js';
import lobject from 'fengari/src/lobject.js';
import lstring from 'fengari/src/lstring.js';
import ltable from 'fengari/src/ltable.js';
import lua from 'fengari/src/lua.js';
import type { LuaRef } from './executor.js';
import { oneByte } from './fengari-adjust.js';

export { oneByte };

// -- What Fengari's objects look like ---------------------------------------------------------------------------

/** Basic types: the low four bits of a slot's tag. */
export const NIL = 0;
export const BOOLEAN = 1;
export const NUMBER = 3;
export const STRING = 4;
export const TABLE = 5;
export const FUNCTION = 6;
export const USERDATA = 7;
export const THREAD = 8;

/** A tagged value: what stack slots, table entries and references hold. */
export interface Slot extends LuaRef {
  type: number;
  value: unknown;
}

/** A string object; the bytes are never changed. */
interface LuaString {
  realstring: Uint8Array;
}

/** One entry of a table's insertion-ordered list. */
interface Entry {
  key: Slot;
  value: Slot;
  /** The previous and the next entry. */
  p: Entry | undefined;
  n: Entry | undefined;
}

/** A table object. */
export interface LuaTable {
  /** First and last entry. */
  f: Entry | undefined;
  l: Entry | undefined;
  strong: Map<unknown, Entry>;
  metatable: LuaTable | null;
}

/** A userdata object; `data` is ours to set. */
interface Userdata {
  data: unknown;
  metatable: LuaTable | null;
}

/** A Lua thread (`lua_State`); the main one stands for its whole VM. */
export interface LuaThread {
  stack: Slot[];
  top: number;
  ci: { funcOff: number };
  allowhook: number;
  hookcount: number;
  basehookcount: number;
  l_G: { readonly l_registry: Slot; onLargeString?: (L: LuaThread, bytes: number) => void };
}

/** A function as Fengari calls it: returns how many results it left on the stack. */
export type CFunction = (L: LuaThread) => number;

/** Called in place of a suspended function's return when its thread is resumed. */
export type Continuation = (L: LuaThread, status: number, context: unknown) => number;

// -- Values -----------------------------------------------------------------------------------------------------

const REF_NAMES: Record<number, LuaRef['luaRef']> = {
  [TABLE]: 'table',
  [FUNCTION]: 'function',
  [THREAD]: 'thread',
  [USERDATA]: 'userdata',
};

// A slot kept outside the stack is what the rest of the runtime knows as a LuaRef.
Object.defineProperty(lobject.TValue.prototype, 'luaRef', {
  get(this: Slot) {
    return REF_NAMES[this.type & 15];
  },
});

const NIL_TAG: number = lua.LUA_TNIL;
const STRING_TAG: number = lua.LUA_TSTRING | 16;
const LIGHT_FUNCTION_TAG: number = lua.LUA_TFUNCTION | 16;

function slot(type: number, value: unknown): Slot {
  return new lobject.TValue(type, value);
}

export const nilSlot = (): Slot => slot(NIL_TAG, null);
export const booleanSlot = (b: boolean): Slot => slot(BOOLEAN, b);
export const numberSlot = (n: number): Slot => slot(NUMBER, n);
/** A string from its bytes, which it takes over. */
export const bytesSlot = (bytes: Uint8Array): Slot => slot(STRING_TAG, new lstring.TString(null, bytes));
export const functionSlot = (fn: CFunction): Slot => slot(LIGHT_FUNCTION_TAG, fn);
export const tableSlot = (table: LuaTable): Slot => slot(TABLE, table);
export const threadSlot = (L: LuaThread): Slot => slot(THREAD, L);
/** A copy that can be kept outside the stack. */
export const copySlot = (from: Slot): Slot => slot(from.type, from.value);

/** A new userdata holding `data`, with `metatable`. */
export function userdataSlot(L: LuaThread, data: unknown, metatable: LuaTable): Slot {
  const object: Userdata = new lobject.Udata(L, 0);
  object.data = data;
  object.metatable = metatable;
  return slot(USERDATA, object);
}

/** What a userdata holds. */
export const userdataOf = (from: Slot): unknown => (from.value as Userdata).data;
/** The basic type of a slot. */
export const typeOf = (from: Slot): number => from.type & 15;
/** The bytes of a string slot; not to be changed. */
export const stringBytes = (from: Slot): Uint8Array => (from.value as LuaString).realstring;
/** The table of a table slot. */
export const tableOf = (from: Slot): LuaTable => from.value as LuaTable;

/** The bytes of a one-byte string. */
export function bytesOf(text: string): Uint8Array {
  const length = text.length;
  if (length > 32) {
    const buffer = Buffer.from(text, 'latin1');
    return new Uint8Array(buffer.buffer, buffer.byteOffset, length);
  }
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export const newTable = (L: LuaThread): LuaTable => ltable.luaH_new(L);
/** Raw `table[key] = value`; the key must not be nil or NaN. */
export function rawSet(L: LuaThread, table: LuaTable, key: Slot, value: Slot): void {
  ltable.luaH_setfrom(L, table, key, value);
  ltable.invalidateTMcache(table);
}
/**
 * Adds an entry to a table that was just made and has none with this key; both slots become the table's. `hash` is the
 * number itself of a number, {@link stringHash} of a string.
 */
export function append(table: LuaTable, hash: string | number, key: Slot, value: Slot): void {
  const previous = table.l;
  const entry: Entry = { key, value, p: previous, n: undefined };
  if (previous) previous.n = entry;
  else table.f = entry;
  table.l = entry;
  table.strong.set(hash, entry);
}
/** What a one-byte string is found by as a key. */
export const stringHash = (text: string): string => lstring.luaS_hash(bytesOf(text));
/** Raw `table[key]`; a nil slot when absent. The slot belongs to the table. */
export const rawGet = (L: LuaThread, table: LuaTable, key: Slot): Slot => ltable.luaH_get(L, table, key);
/** Raw `table[i]` for a whole `i`. */
export const rawGetAt = (table: LuaTable, i: number): Slot => ltable.luaH_getint(table, i);
/** Raw `#table`. */
export const rawLength = (table: LuaTable): number => ltable.luaH_getn(table);

/** Pushes a copy of a slot. The caller has made sure of stack space (20 slots are there in a native function). */
export function push(L: LuaThread, from: Slot): void {
  L.stack[L.top++] = slot(from.type, from.value);
}

/** Takes the topmost `n` slots off the stack, in order. */
export function popSlots(L: LuaThread, n: number): Slot[] {
  const slots = L.stack.slice(L.top - n, L.top);
  lua.lua_settop(L, -n - 1);
  return slots;
}

// -- API --------------------------------------------------------------------------------------------------------

/** Status of a thread after running: finished, suspended; anything else is an error, its value on top. */
export const OK = 0;
export const YIELD = 1;
/** "All results" for calls. */
export const ALL = -1;

/** Fengari's C-like API as far as it is used, under plain names. */
export const api = {
  newState: lauxlib.luaL_newstate as () => LuaThread,
  newThread: lua.lua_newthread as (L: LuaThread) => LuaThread,
  resume: lua.lua_resume as (L: LuaThread, from: LuaThread | null, args: number) => number,
  yieldWith: lua.lua_yieldk as (
    L: LuaThread,
    results: number,
    context: unknown,
    then: Continuation,
  ) => number,
  call: lua.lua_call as (L: LuaThread, args: number, results: number) => void,
  pcall: lua.lua_pcall as (L: LuaThread, args: number, results: number, handler: number) => number,
  error: lua.lua_error as (L: LuaThread) => never,
  status: lua.lua_status as (L: LuaThread) => number,
  setTop: lua.lua_settop as (L: LuaThread, index: number) => void,
  checkStack: lua.lua_checkstack as (L: LuaThread, slots: number) => boolean,
  isYieldable: lua.lua_isyieldable as (L: LuaThread) => boolean,
  insert: lua.lua_insert as (L: LuaThread, index: number) => void,
  getTable: lua.lua_gettable as (L: LuaThread, index: number) => number,
  setTable: lua.lua_settable as (L: LuaThread, index: number) => void,
  /** Pushes the length. */
  length: lua.lua_len as (L: LuaThread, index: number) => void,
  lessThan: ((L, a, b) => lua.lua_compare(L, a, b, lua.LUA_OPLT) !== 0) as (
    L: LuaThread,
    a: number,
    b: number,
  ) => boolean,
  setUpvalue: lua.lua_setupvalue as (L: LuaThread, index: number, n: number) => unknown,
  moveTo: lua.lua_xmove as (from: LuaThread, to: LuaThread, n: number) => void,
  /** Pushes and returns what Lua's `tostring` gives. */
  toLuaString: lauxlib.luaL_tolstring as (L: LuaThread, index: number) => Uint8Array,
  /** Pushes "chunk:line: " of the function at that level; empty when unknown. */
  where: lauxlib.luaL_where as (L: LuaThread, level: number) => void,
  concat: lua.lua_concat as (L: LuaThread, n: number) => void,
  setHook: lua.lua_sethook as (L: LuaThread, hook: CFunctionHook | null, mask: number, every: number) => void,
};

type CFunctionHook = (L: LuaThread) => void;

/** Mask of a hook that runs every so many instructions. */
export const HOOK_COUNT: number = lua.LUA_MASKCOUNT;

/** Compiles source text and pushes the function, or the error message; returns whether it compiled. */
export function compile(L: LuaThread, source: Uint8Array, chunk: string): boolean {
  return lauxlib.luaL_loadbufferx(L, source, source.length, bytesOf(chunk), bytesOf('t')) === OK;
}

/** Raises `message` (a one-byte string), preceded by file and line of the function at `level` (0: running). */
export function raise(L: LuaThread, message: string, level: number): never {
  api.where(L, level);
  push(L, bytesSlot(bytesOf(message)));
  api.concat(L, 2);
  return api.error(L);
}

/** The traceback of `of`, from `level` up, as text. */
export function traceback(L: LuaThread, of: LuaThread, level: number): string {
  lauxlib.luaL_traceback(L, of, null, level);
  return oneByte(stringBytes(popSlots(L, 1)[0]!));
}

/** The globals table. */
export function globals(L: LuaThread): LuaTable {
  lua.lua_pushglobaltable(L);
  return tableOf(popSlots(L, 1)[0]!);
}

/** Makes `metatable` the metatable of all strings. */
export function setStringMetatable(L: LuaThread, metatable: LuaTable): void {
  push(L, bytesSlot(new Uint8Array(0)));
  push(L, tableSlot(metatable));
  lua.lua_setmetatable(L, -2);
  lua.lua_settop(L, -2);
}

/** Turns a JavaScript exception that crosses Lua into the Lua error value that `convert` returns. */
export function onNativeError(L: LuaThread, convert: (thrown: unknown) => string): void {
  lua.lua_atnativeerror(L, (thread: LuaThread) => {
    push(thread, bytesSlot(bytesOf(convert(lua.lua_touserdata(thread, 1)))));
    return 1;
  });
}

/** Fengari's own base functions (in the globals) and coroutine functions. */
export function openLibraries(L: LuaThread): { base: LuaTable; coroutine: LuaTable } {
  const open = (opener: CFunction) => {
    opener(L);
    return tableOf(popSlots(L, 1)[0]!);
  };
  return {
    base: open(lbaselib.luaopen_base),
    coroutine: open(lcorolib.luaopen_coroutine),
  };
}
