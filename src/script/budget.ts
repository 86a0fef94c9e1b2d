/**
 * One budget per callback (design §3.5): instructions, native steps, memory. It is shared by everything the
 * callback starts, coroutines included, and once spent it stays spent until the next callback.
 */

import { getHeapStatistics } from 'node:v8';
import { LuaError } from './executor.js';
import { api, HOOK_COUNT, type LuaThread, raise } from './fengari.js';

/** Limits of one callback. */
export interface BudgetLimits {
  /** Lua instructions and native steps; 1,000,000 are about 100 ms of work on a small board. */
  instructions: number;
  /** Bytes the heap may grow by while one callback runs. */
  memoryBytes: number;
}

export const DEFAULT_BUDGET: BudgetLimits = { instructions: 1_000_000, memoryBytes: 64 * 1024 * 1024 };

/** Instructions between two looks at the budget. */
const HOOK_EVERY = 1000;
/**
 * What a millisecond of CPU counts as at least: a fifth of the usual speed. Where instructions are that slow the time
 * goes into native work (comparing long strings, unwinding deep errors), which is bounded so to about half a second.
 * Time the process did not run does not count.
 */
const STEPS_PER_MS = 2000;

/** The budget of one VM; its callbacks run one at a time. */
export class Budget {
  private remaining = 0;
  private reason: string | undefined;
  private heapAtStart = 0;
  private lastLook = 0;
  /** Steps counted since then. */
  private steps = 0;
  private depth = 0;

  constructor(readonly limits: BudgetLimits) {}

  /**
   * Begins a callback with `factor` times the usual instructions, unless one is running already: what a callback
   * calls shares its budget.
   */
  enter(factor = 1): void {
    if (this.depth++ > 0) return;
    this.remaining = this.limits.instructions * factor;
    this.reason = undefined;
    this.heapAtStart = 0;
    this.lastLook = 0;
    this.steps = 0;
  }

  /** Ends what the matching `enter` began. */
  leave(): void {
    this.depth--;
  }

  /** Why the running callback must stop; undefined while it may go on. */
  get exceeded(): string | undefined {
    return this.reason;
  }

  /** Counts native work; throws when the budget is spent. Work outside callbacks (loading) is not counted. */
  charge(steps: number): void {
    if (this.depth === 0) return;
    this.remaining -= steps;
    this.steps += steps;
    if (this.remaining < 0) this.spend(`more than ${this.limits.instructions} instructions`);
    if (this.reason !== undefined) throw new LuaError(this.reason);
  }

  /** Makes `L` count its instructions from here on; threads it creates inherit that. */
  watch(L: LuaThread): void {
    api.setHook(L, this.hook, HOOK_COUNT, HOOK_EVERY);
  }

  /** Counts what a coroutine executed since its hook last ran; `before` is its `hookcount` when it was resumed. */
  settle(co: LuaThread, before: number): void {
    this.remaining -= before - co.hookcount;
  }

  private spend(what: string): void {
    this.reason ??= `budget exceeded: ${what} in one callback`;
  }

  private readonly hook = (L: LuaThread): void => {
    if (this.depth > 0 && this.reason === undefined) this.examine(HOOK_EVERY);
    if (this.reason === undefined) return;
    // From now on every instruction stops, so that no pcall outlives the budget.
    api.setHook(L, this.hook, HOOK_COUNT, 1);
    // An error handler (xpcall) runs inside this hook: let it be stopped too.
    L.allowhook = 1;
    raise(L, this.reason, 0);
  };

  /** Counts steps, and nothing else: for what ran before a callback ended. Never throws. */
  count(steps: number): void {
    this.remaining -= steps;
    this.steps += steps;
  }

  /** Counts steps of compiled code, with time and memory. Throws when the budget is spent. */
  look(steps: number): void {
    if (this.reason === undefined) this.examine(steps);
    if (this.reason !== undefined) throw new LuaError(this.reason);
  }

  private examine(steps: number): void {
    const { user, system } = process.cpuUsage();
    const now = (user + system) / 1000;
    const counted = this.steps + steps;
    const atLeast = this.lastLook === 0 ? 0 : (now - this.lastLook) * STEPS_PER_MS;
    this.remaining -= steps + Math.max(0, atLeast - counted);
    this.lastLook = now;
    this.steps = 0;
    if (this.remaining < 0) this.spend(`more than ${this.limits.instructions} instructions`);

    const heap = getHeapStatistics();
    const used = heap.used_heap_size + heap.external_memory;
    if (this.heapAtStart === 0 || used < this.heapAtStart) this.heapAtStart = used;
    if (used - this.heapAtStart > this.limits.memoryBytes) {
      this.spend(`more than ${this.limits.memoryBytes} bytes of memory`);
    }
  }
}
