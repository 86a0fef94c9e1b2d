/**
 * Adjusts Fengari before its first use. Its modules copy each other's exports while they load, so what is set
 * here, ahead of them, reaches all of them without touching their source.
 *
 * Fengari's integers have 32 bits and wrap silently; scripts must never meet that (design §9). So the integer
 * tag becomes an alias of the float tag, no value counts as an integer, and every number is a double. Its
 * strings are hashed without padding, so that "\1\17" and "\17\1" would be one table key and bytes below 16
 * would sort wrongly; they are hashed as one-byte strings, which equal and collate as the bytes do.
 */

import defs from 'fengari/src/defs.js';
import lstring from 'fengari/src/lstring.js';
import luaconf from 'fengari/src/luaconf.js';
import { numberToString } from './numbers.js';

/** Most slots of one Lua stack: runaway recursion ends in "stack overflow" while memory is still small. */
const MAX_STACK = 20_000;

defs.constant_types.LUA_TNUMINT = defs.constant_types.LUA_TNUMFLT;

luaconf.LUAI_MAXSTACK = MAX_STACK;
luaconf.LUA_COMPAT_FLOATSTRING = true;
luaconf.lua_number2str = numberToString;
// Sends every bitwise operator down the metamethod path, where `fengari.ts` answers it with 64-bit semantics.
luaconf.lua_numbertointeger = () => false;

const latin1Slice = (Buffer.prototype as unknown as { latin1Slice(start: number, end: number): string })
  .latin1Slice;

/** The bytes of a Lua string as a one-byte JavaScript string. */
export function oneByte(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

// The prefix keeps keys apart from Object's own property names, where Fengari uses plain objects as maps.
lstring.luaS_hash = (bytes: Uint8Array) => `|${oneByte(bytes)}`;
lstring.luaS_hashlongstr = (string: { hash: string | null; realstring: Uint8Array }) => {
  string.hash ??= `|${oneByte(string.realstring)}`;
  return string.hash;
};

/** Strings from this size on are reported to the VM's budget; smaller ones cost less than asking. */
const LARGE_STRING = 1024;

// The concatenation operator builds its result here without a function call that a budget could count.
const bless = lstring.luaS_bless;
lstring.luaS_bless = (
  L: { l_G: { onLargeString?: (L: unknown, bytes: number) => void } } | null,
  bytes: Uint8Array,
) => {
  if (bytes.length >= LARGE_STRING) L?.l_G.onLargeString?.(L, bytes.length);
  return bless(L, bytes);
};
