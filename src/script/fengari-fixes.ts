/**
 * Repairs Fengari's core after it has loaded and before its libraries copy its functions (see
 * `fengari-adjust.ts` for what must be set even earlier): numbers, bitwise operators, and protected calls.
 */

import './fengari-adjust.js';
import lapi from 'fengari/src/lapi.js';
import lobject from 'fengari/src/lobject.js';
import ltm from 'fengari/src/ltm.js';
import lvm from 'fengari/src/lvm.js';
import { oneByte } from './fengari-adjust.js';
import { type BitOperator, bitwise, isBitOperand, parseNumber } from './numbers.js';

interface Slot {
  type: number;
  value: unknown;
  setfltvalue(n: number): void;
}

interface Thread {
  ci: { callstatus: number };
  allowhook: number;
}

lobject.TValue.prototype.ttisinteger = () => false;

const MAX_INT32 = 2 ** 31 - 1;

/** Fengari's API takes positions and counts as 32-bit integers; anything else is "no integer". */
lvm.luaV_tointeger = (slot: Slot) => {
  const n = lvm.tonumber(slot);
  return typeof n === 'number' && Number.isInteger(n) && Math.abs(n) <= MAX_INT32 ? n : false;
};
lvm.tointeger = lvm.luaV_tointeger;

lobject.luaO_str2num = (bytes: Uint8Array, slot: Slot) => {
  // The lexer hands over a buffer that may end in NUL.
  const end = bytes.length > 0 && bytes[bytes.length - 1] === 0 ? bytes.length - 1 : bytes.length;
  const n = parseNumber(oneByte(bytes.subarray(0, end)));
  if (n === undefined) return 0;
  slot.setfltvalue(n);
  return end + 1;
};

const TMS = ltm.TMS as Record<string, number>;
const BIT_EVENTS = new Map<number, BitOperator>([
  [TMS.TM_BAND!, 'band'],
  [TMS.TM_BOR!, 'bor'],
  [TMS.TM_BXOR!, 'bxor'],
  [TMS.TM_SHL!, 'shl'],
  [TMS.TM_SHR!, 'shr'],
  [TMS.TM_BNOT!, 'bnot'],
]);

/** Computes a bitwise operator on two values that convert to whole numbers; false when they do not. */
function tryBitwise(event: number, a: Slot, b: Slot, result: Slot): boolean {
  const operator = BIT_EVENTS.get(event);
  if (operator === undefined) return false;
  const x = lvm.tonumber(a);
  const y = lvm.tonumber(b);
  if (x === false || y === false || !isBitOperand(x) || !isBitOperand(y)) return false;
  result.setfltvalue(bitwise(operator, x, y));
  return true;
}

const tryBinaryMetamethod = ltm.luaT_trybinTM;
ltm.luaT_trybinTM = (L: Thread, a: Slot, b: Slot, result: Slot, event: number) => {
  if (!tryBitwise(event, a, b, result)) tryBinaryMetamethod(L, a, b, result, event);
};

// Constant folding: bitwise operators on literals go the same way, at run time.
const arithmetic = lobject.luaO_arith;
/** Operators of the API are numbered from here, in the order of their metamethods. */
const LUA_OPADD = 0;
const FIRST_ARITHMETIC_EVENT = TMS.TM_ADD!;
lobject.luaO_arith = (L: Thread, op: number, a: Slot, b: Slot, result: Slot) => {
  if (!tryBitwise(op - LUA_OPADD + FIRST_ARITHMETIC_EVENT, a, b, result)) arithmetic(L, op, a, b, result);
};

// A protected call inside a coroutine notes whether hooks were allowed, but Fengari never sets the bit: after a
// caught error hooks stayed off, and with them the budget.
const protectedCall = lapi.lua_pcallk;
lapi.lua_pcallk = (L: Thread, ...rest: unknown[]) => {
  L.ci.callstatus |= L.allowhook;
  return protectedCall(L, ...rest);
};
