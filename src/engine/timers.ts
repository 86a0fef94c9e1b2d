/** The timers a script started: bounded in number, stopped with their script. */

import type { LuaValue } from '../script/executor.js';
import type { Station } from './station.js';

/** Most timers of one script. */
export const MAX_TIMERS = 1000;
/** Node's timers hold 2^31 - 1 milliseconds. */
export const MAX_SECONDS = 2_147_483;

/** One running timer; `mix.every` and `mix.after` hand it to the script. */
export class Timer {
  /** The function is still running or waiting from the last time. */
  private busy = false;
  private handle: NodeJS.Timeout | undefined;
  /** When it fires next, on the clock of `performance.now`. */
  private due: number;

  constructor(
    private readonly timers: Timers,
    private readonly fn: LuaValue,
    /** Milliseconds. */
    private readonly every: number,
    private readonly repeats: boolean,
  ) {
    this.due = performance.now() + every;
  }

  /** Fires when it is due, from then on in steps of its time where it repeats. */
  run(): void {
    const fire = (): void => this.fire();
    const wait = this.due - performance.now();
    if (!this.repeats) this.handle = setTimeout(fire, Math.max(1, wait));
    else if (wait > this.every - 1) this.handle = setInterval(fire, this.every);
    else {
      this.handle = setTimeout(
        () => {
          this.handle = setInterval(fire, this.every);
          fire();
        },
        Math.max(1, wait),
      );
    }
  }

  /** Fires no more until it is {@link run} again. */
  halt(): void {
    clearTimeout(this.handle);
  }

  cancel(): void {
    this.timers.remove(this);
  }

  /** How it goes on in another process. */
  get phase(): TimerPhase {
    return { every: this.every, repeats: this.repeats, left: this.due - performance.now() };
  }

  /** Fires as much later as `phase` says. */
  set phase({ left }: TimerPhase) {
    this.due = performance.now() + left;
  }

  /** Runs the function, unless it is still busy: then this turn is skipped. */
  private fire(): void {
    this.due = performance.now() + this.every;
    if (!this.repeats) this.timers.remove(this);
    if (this.busy) return;
    const done = this.timers.station.runHandler('timer', undefined, this.fn, []);
    if (!(done instanceof Promise)) return;
    this.busy = true;
    done.then(() => {
      this.busy = false;
    });
  }
}

/** Of which time a timer is, and in how many milliseconds it fires next. */
export interface TimerPhase {
  readonly every: number;
  readonly repeats: boolean;
  readonly left: number;
}

export class Timers {
  private readonly running = new Set<Timer>();
  private readonly sleeping = new Set<NodeJS.Timeout>();
  private frozen = false;

  constructor(readonly station: Station) {}

  /** Starts a timer; undefined when the script has too many. */
  start(seconds: number, fn: LuaValue, repeats: boolean): Timer | undefined {
    if (this.running.size >= MAX_TIMERS) return undefined;
    const timer = new Timer(this, fn, Math.max(1, seconds * 1000), repeats);
    this.running.add(timer);
    if (!this.frozen) timer.run();
    return timer;
  }

  /** Resolves after so many seconds; never, when the script ends before. */
  sleep(seconds: number): Promise<void> {
    return new Promise((resolve) => {
      const handle = setTimeout(() => {
        this.sleeping.delete(handle);
        resolve();
      }, seconds * 1000);
      this.sleeping.add(handle);
    });
  }

  /** Lets no timer fire until `thaw`; handlers that sleep go on. */
  freeze(): void {
    this.frozen = true;
    for (const timer of this.running) timer.halt();
  }

  thaw(): void {
    this.frozen = false;
    for (const timer of this.running) timer.run();
  }

  /** How all timers go on, in the order they were started. */
  save(): TimerPhase[] {
    return [...this.running].map(({ phase }) => phase);
  }

  /** Gives timers the phase of those that ran for the same time before, in their order. */
  restore(phases: readonly TimerPhase[]): void {
    const left = [...phases];
    for (const timer of this.running) {
      const { every, repeats } = timer.phase;
      const at = left.findIndex((phase) => phase.every === every && phase.repeats === repeats);
      if (at >= 0) timer.phase = left.splice(at, 1)[0]!;
    }
  }

  remove(timer: Timer): void {
    timer.halt();
    this.running.delete(timer);
  }

  /** Stops all timers; handlers that sleep go on. */
  clear(): void {
    for (const timer of this.running) this.remove(timer);
  }

  /** Stops all timers, and lets no sleeping handler wake up any more. */
  end(): void {
    this.clear();
    for (const handle of this.sleeping) clearTimeout(handle);
    this.sleeping.clear();
  }
}
