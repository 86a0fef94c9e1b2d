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

  constructor(
    private readonly timers: Timers,
    readonly handle: NodeJS.Timeout,
    private readonly fn: LuaValue,
    private readonly repeats: boolean,
  ) {}

  /** Runs the function, unless it is still busy: then this turn is skipped. */
  fire(station: Station): void {
    if (!this.repeats) this.timers.remove(this);
    if (this.busy) return;
    const done = station.runHandler('timer', undefined, this.fn, []);
    if (!(done instanceof Promise)) return;
    this.busy = true;
    done.then(() => {
      this.busy = false;
    });
  }

  cancel(): void {
    this.timers.remove(this);
  }
}

export class Timers {
  private readonly running = new Set<Timer>();
  private readonly sleeping = new Set<NodeJS.Timeout>();

  constructor(private readonly station: Station) {}

  /** Starts a timer; undefined when the script has too many. */
  start(seconds: number, fn: LuaValue, repeats: boolean): Timer | undefined {
    if (this.running.size >= MAX_TIMERS) return undefined;
    const fire = (): void => timer.fire(this.station);
    const ms = Math.max(1, seconds * 1000);
    const timer: Timer = new Timer(this, repeats ? setInterval(fire, ms) : setTimeout(fire, ms), fn, repeats);
    this.running.add(timer);
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

  remove(timer: Timer): void {
    clearTimeout(timer.handle);
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
