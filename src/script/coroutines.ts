/**
 * Lua's coroutine library, made to carry waits through: when a function such as `mix.sleep` waits inside a
 * coroutine that a script made, every coroutine around it waits too, up to the handler, and all go on together.
 */

import { LuaError } from './executor.js';
import {
  api,
  bytesOf,
  bytesSlot,
  type CFunction,
  type Continuation,
  functionSlot,
  type LuaThread,
  OK,
  push,
  type Slot,
  STRING,
  THREAD,
  typeOf,
  YIELD,
} from './fengari.js';
import type { Vm } from './vm.js';

/** What a coroutine costs its maker beside the instructions it runs. */
const CREATE_STEPS = 50;
const RESUME_STEPS = 10;

/** The functions that replace Fengari's `create`, `resume` and `wrap`. */
export function coroutineFunctions(vm: Vm): Record<'create' | 'resume' | 'wrap', CFunction> {
  /** Resumes `co` with what is on `L` above it; leaves the results on `L`. Returns their number, or -1: an error. */
  const advance = (L: LuaThread, co: LuaThread, args: number, then: Continuation): number => {
    if (vm.isWaiting(co)) return failure(L, 'cannot resume a coroutine that waits');
    if (!api.checkStack(co, args)) return failure(L, 'too many arguments to resume');
    if (api.status(co) === OK && co.top === co.ci.funcOff + 1) {
      return failure(L, 'cannot resume dead coroutine');
    }
    api.moveTo(L, co, args);
    return go(L, co, args, then);
  };

  const go = (L: LuaThread, co: LuaThread, args: number, then: Continuation): number => {
    vm.budget.charge(RESUME_STEPS);
    const before = co.hookcount;
    const status = vm.nested(L, () => api.resume(co, L, args));
    vm.budget.settle(co, before);
    if (status === YIELD && vm.isSuspending()) {
      vm.markWaiting(co, true);
      return api.yieldWith(L, 0, co, then);
    }
    if (status !== OK && status !== YIELD) {
      api.moveTo(co, L, 1);
      return -1;
    }
    const results = co.top - (co.ci.funcOff + 1);
    if (!api.checkStack(L, results + 1)) return failure(L, 'too many results to resume');
    api.moveTo(co, L, results);
    return results;
  };

  const failure = (L: LuaThread, message: string): number => {
    push(L, bytesSlot(bytesOf(message)));
    return -1;
  };

  const finishResume = (L: LuaThread, results: number): number => {
    push(L, vm.values.slot(results >= 0));
    const count = results >= 0 ? results : 1;
    api.insert(L, -(count + 1));
    return count + 1;
  };

  const finishWrap = (L: LuaThread, results: number): number => {
    if (results >= 0) return results;
    if (typeOf(L.stack[L.top - 1]!) === STRING) {
      api.where(L, 1);
      api.insert(L, -2);
      api.concat(L, 2);
    }
    return api.error(L);
  };

  /** Goes on with a coroutine after the wait inside it has ended. */
  const continuation = (finish: (L: LuaThread, results: number) => number): Continuation => {
    const then: Continuation = (L, _status, co) => {
      vm.markWaiting(co as LuaThread, false);
      return finish(L, go(L, co as LuaThread, 0, then));
    };
    return then;
  };
  const resumeAgain = continuation(finishResume);
  const wrapAgain = continuation(finishWrap);

  const create = (L: LuaThread): LuaThread => {
    const fn = L.stack[L.ci.funcOff + 1];
    if (fn?.luaRef !== 'function' || L.ci.funcOff + 1 >= L.top) {
      throw new LuaError('bad argument #1 (function expected)');
    }
    vm.budget.charge(CREATE_STEPS);
    const co = api.newThread(L);
    push(co, fn);
    return co;
  };

  return {
    create: vm.guard((L) => {
      create(L);
      return 1;
    }),
    resume: vm.guard((L) => {
      const slot: Slot | undefined = L.ci.funcOff + 1 < L.top ? L.stack[L.ci.funcOff + 1] : undefined;
      if (slot === undefined || typeOf(slot) !== THREAD) {
        throw new LuaError("bad argument #1 to 'resume' (coroutine expected)");
      }
      const args = L.top - L.ci.funcOff - 2;
      return finishResume(L, advance(L, slot.value as LuaThread, args, resumeAgain));
    }),
    wrap: vm.guard((L) => {
      const co = create(L);
      push(
        L,
        functionSlot((caller) =>
          finishWrap(caller, advance(caller, co, caller.top - caller.ci.funcOff - 1, wrapAgain)),
        ),
      );
      return 1;
    }),
  };
}
