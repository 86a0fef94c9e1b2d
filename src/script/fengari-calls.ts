/**
 * Fengari's calls and returns, made cheap. Its own empty the stack by `delete`, which V8 does in its slow runtime
 * for array elements: without it an engine takes 14 % less CPU where Lua does much of the work.
 *
 * Hooks at calls and returns are left out, since scripts have no `debug` and a budget counts instructions.
 */

import './fengari-adjust.js';
import defs from 'fengari/src/defs.js';
import ldo from 'fengari/src/ldo.js';
import lobject from 'fengari/src/lobject.js';
import lstate from 'fengari/src/lstate.js';

interface Slot {
  type: number;
  value: unknown;
  setfrom(other: Slot): void;
  setnilvalue(): void;
}

interface CallInfo {
  previous: CallInfo;
  next: CallInfo | null;
  func: Slot;
  funcOff: number;
  nresults: number;
  top: number;
  callstatus: number;
}

interface Thread {
  stack: (Slot | undefined)[];
  top: number;
  ci: CallInfo;
}

type NativeFunction = (L: Thread) => number;

const { LUA_TNIL: NIL, LUA_TLCF: LIGHT_FUNCTION, LUA_TCCL: CLOSURE } = defs.constant_types;
const { LUA_MINSTACK: MIN_STACK, LUA_MULTRET: ALL } = defs;

/** Moves the top of the stack, filling with nil or clearing what is above it. */
ldo.adjust_top = (L: Thread, top: number): void => {
  const { stack } = L;
  while (L.top < top) stack[L.top++] = new lobject.TValue(NIL, null);
  while (L.top > top) stack[--L.top] = undefined;
};

/** Ends a call: its `count` results, from `first` on, take the place of the function. False for "all results". */
ldo.luaD_poscall = (L: Thread, ci: CallInfo, first: number, count: number): boolean => {
  const { stack } = L;
  const { funcOff: to, nresults: wanted } = ci;
  L.ci = ci.previous;
  L.ci.next = null;
  const moved = wanted === ALL || wanted > count ? count : wanted;
  for (let i = 0; i < moved; i++) stack[to + i]!.setfrom(stack[first + i]!);
  if (wanted === ALL) {
    ldo.adjust_top(L, to + count);
    return false;
  }
  for (let i = moved; i < wanted && to + i < L.top; i++) stack[to + i]!.setnilvalue();
  ldo.adjust_top(L, to + wanted);
  return true;
};

const prepareLuaCall = ldo.luaD_precall;
/** Calls a native function and returns true; prepares the call of a Lua function and returns false. */
ldo.luaD_precall = (L: Thread, at: number, wanted: number): boolean => {
  const func = L.stack[at]!;
  let fn: NativeFunction;
  if (func.type === LIGHT_FUNCTION) fn = func.value as NativeFunction;
  else if (func.type === CLOSURE) fn = (func.value as { f: NativeFunction }).f;
  else return prepareLuaCall(L, at, wanted);
  ldo.luaD_checkstack(L, MIN_STACK);
  const ci: CallInfo = lstate.luaE_extendCI(L);
  ci.funcOff = at;
  ci.nresults = wanted;
  ci.func = func;
  ci.top = L.top + MIN_STACK;
  ci.callstatus = 0;
  const count = fn(L);
  ldo.luaD_poscall(L, ci, L.top - count, count);
  return true;
};
