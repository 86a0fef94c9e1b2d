/** Functions as bytes: Fengari's compiled code, written and read. */

import './fengari-adjust.js';
import lauxlib from 'fengari/src/lauxlib.js';
import lua from 'fengari/src/lua.js';
import { bytesOf, type LuaThread, OK, oneByte, type Slot, STRING, typeOf } from './fengari.js';

/** A string of compiled code. */
interface LuaString {
  readonly realstring: Uint8Array;
}

/** The code of a function, of which Fengari reads each string anew. */
interface Prototype {
  readonly k: Slot[];
  readonly p: readonly Prototype[];
  readonly locvars: { varname: LuaString | null }[];
  readonly upvalues: { name: LuaString | null }[];
}

/** The topmost function of the stack, names and lines included; it stays there. */
export function writeFunction(L: LuaThread): Uint8Array {
  const parts: Uint8Array[] = [];
  const write = (_: LuaThread, bytes: Uint8Array, size: number): number => {
    parts.push(bytes.slice(0, size));
    return 0;
  };
  lua.lua_dump(L, write, null, false);
  // Fengari reads through the whole buffer of what it is given.
  return Uint8Array.from(Buffer.concat(parts));
}

/** Pushes a function of {@link writeFunction}, or an error message; returns whether it could. Never for a script's own bytes. */
export function readFunction(L: LuaThread, code: Uint8Array, chunk: string): boolean {
  if (lauxlib.luaL_loadbufferx(L, code, code.length, bytesOf(chunk), bytesOf('b')) !== OK) return false;
  shareStrings((L.stack[L.top - 1]!.value as { p: Prototype }).p, new Map());
  return true;
}

/** One object for each string, as the compiler makes them: each remembers by what it is found as a key. */
function shareStrings({ k, p, locvars, upvalues }: Prototype, strings: Map<string, LuaString>): void {
  const shared = (string: LuaString): LuaString => {
    const text = oneByte(string.realstring);
    const known = strings.get(text);
    if (!known) strings.set(text, string);
    return known ?? string;
  };
  for (const slot of k) if (typeOf(slot) === STRING) slot.value = shared(slot.value as LuaString);
  for (const variable of locvars) if (variable.varname) variable.varname = shared(variable.varname);
  for (const upvalue of upvalues) if (upvalue.name) upvalue.name = shared(upvalue.name);
  for (const inner of p) shareStrings(inner, strings);
}
