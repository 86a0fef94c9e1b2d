/** Counts what compiled code executes against the callback's budget, in slices that cost little to count. */

import type { Budget } from '../../budget.js';

/** Steps between two looks at the budget. */
const SLICE = 20_000;

/** Real time between two looks at CPU time and memory. */
const LOOK_EVERY_MS = 1;

/** Most steps that are taken at once; more than any budget's. */
const MOST = 2 ** 30;

export class Meter {
  /** What is left of the slice. Compiled code takes from it and calls {@link refill} below zero. */
  fuel = 0;
  private depth = 0;
  /** When the budget last looked at time and memory, by the process's clock in milliseconds. */
  private looked = 0;

  constructor(readonly budget: Budget) {}

  /** Begins a callback, or a part of the one that runs. */
  enter(factor: number): void {
    this.budget.enter(factor);
    if (this.depth++ === 0) this.fuel = SLICE;
  }

  /** Ends it; what was used of the slice is counted. Never throws. */
  leave(): void {
    if (--this.depth === 0) this.budget.count(SLICE - this.fuel);
    this.budget.leave();
  }

  /** Takes `steps`. Throws when the budget is spent. */
  charge(steps: number): void {
    // Small and whole, as V8 keeps it without a heap number.
    this.fuel = (this.fuel - Math.min(steps, MOST)) | 0;
    if (this.fuel < 0) this.refill();
  }

  /** Counts the used slice, and begins another. Throws when the budget is spent, from then on every time. */
  refill(): void {
    if (this.depth === 0) {
      this.fuel = SLICE;
      return;
    }
    const used = SLICE - this.fuel;
    // Whatever is thrown, the end of the stack among it, leaves the slice used up.
    const now = performance.now();
    // Less CPU time than real time has passed, and little memory can have been taken meanwhile: both cost to look at.
    if (now - this.looked < LOOK_EVERY_MS) this.budget.charge(used);
    else {
      this.budget.look(used);
      this.looked = now;
    }
    this.fuel = SLICE;
  }

  /** Why everything must stop; undefined while it may go on. */
  get exceeded(): string | undefined {
    return this.budget.exceeded;
  }
}
