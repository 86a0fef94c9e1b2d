/**
 * The timers a program started: bounded in number, stopped with it. Those of a program that is not in charge yet wait
 * for that, and then go on in the rhythm of those they replace.
 */

import type { LuaValue } from '../script/executor.js';
import type { Client } from './client.js';
import { monotonic } from './handover/monotonic.js';

/** Most timers of one script. */
export const MAX_TIMERS = 1000;
/** Node's timers hold 2^31 - 1 milliseconds. */
export const MAX_SECONDS = 2_147_483;

/** Runs the function of a timer, on behalf of the client it was started for. */
type Run = (fn: LuaValue, owner: Client | undefined) => unknown;

/** One timer; `mix.every` and `mix.after` hand it to the script. */
export class Timer {
  /** When it fires next, in milliseconds of `performance.now()`. */
  due: number;
  /** It fired, and does not again. */
  over = false;
  /** The one of older code whose turn it takes. */
  replaces: Timer | undefined;
  private handle: NodeJS.Timeout | undefined;
  /** Its first turn comes sooner than the others. */
  private shortened = false;
  /** The function is still running or waiting from the last time. */
  private busy = false;

  constructor(
    private readonly timers: Timers,
    readonly ms: number,
    readonly fn: LuaValue,
    readonly repeats: boolean,
    /** The client in whose handler it was started. */
    readonly owner: Client | undefined,
  ) {
    this.due = performance.now() + ms;
  }

  /** It has neither fired for the last time nor been cancelled. */
  get running(): boolean {
    return this.timers.has(this);
  }

  /** Begins to run, or goes on after a pause: in its turn, or at once where that was missed. */
  begin(): void {
    this.pause();
    const wait = Math.max(0, this.due - performance.now());
    this.shortened = this.repeats && wait < this.ms;
    this.handle =
      this.repeats && !this.shortened ? setInterval(fire, this.ms, this) : setTimeout(fire, wait, this);
  }

  /** Does not fire until it begins again. */
  pause(): void {
    clearTimeout(this.handle);
    this.handle = undefined;
  }

  /** Runs the function, unless it is still busy: then this turn is skipped. */
  fire(): void {
    if (this.repeats) this.nextTurn();
    else {
      this.over = true;
      this.timers.remove(this);
    }
    if (this.busy) return;
    const done = this.timers.run(this.fn, this.owner);
    if (!(done instanceof Promise)) return;
    this.busy = true;
    done.then(() => {
      this.busy = false;
    });
  }

  cancel(): void {
    this.timers.remove(this);
  }

  /** How it goes on in another process. */
  get phase(): TimerPhase {
    return { ms: this.ms, repeats: this.repeats, due: this.due - performance.now() + monotonic() };
  }

  private nextTurn(): void {
    this.due = performance.now() + this.ms;
    if (!this.shortened) return;
    this.shortened = false;
    this.handle = setInterval(fire, this.ms, this);
  }
}

function fire(timer: Timer): void {
  timer.fire();
}

/** Of which time a timer is, and when it fires next, by `monotonic`. */
export interface TimerPhase {
  readonly ms: number;
  readonly repeats: boolean;
  readonly due: number;
}

export class Timers {
  private readonly all = new Set<Timer>();
  private readonly sleeping = new Set<NodeJS.Timeout>();
  private waits = false;
  private frozen = false;
  /** Those of the program before this one, whose turns new ones may take; in the order they were started. */
  private before: Timer[] = [];

  constructor(readonly run: Run) {}

  get size(): number {
    return this.all.size;
  }

  has(timer: Timer): boolean {
    return this.all.has(timer);
  }

  /** Those that are running, in the order they were started. */
  list(): Timer[] {
    return [...this.all];
  }

  /** Lets those that are started wait for `begin`; each takes the turn of one in `before` that is like it. */
  hold(before: readonly Timer[]): void {
    this.waits = true;
    this.before = [...before];
  }

  /** Those that wait begin. Returns those whose turns they take. */
  begin(): Set<Timer> {
    this.waits = false;
    this.before = [];
    const replaced = new Set<Timer>();
    for (const timer of this.all) {
      const { replaces } = timer;
      timer.replaces = undefined;
      if (replaces) replaced.add(replaces);
      if (replaces && !replaces.over) timer.due = replaces.due;
      if (!this.frozen) timer.begin();
    }
    return replaced;
  }

  /** Starts a timer; undefined when the script has too many. */
  start(seconds: number, fn: LuaValue, repeats: boolean, owner?: Client): Timer | undefined {
    if (this.all.size >= MAX_TIMERS) return undefined;
    const timer = new Timer(this, Math.max(1, seconds * 1000), fn, repeats, owner);
    this.all.add(timer);
    if (this.waits) timer.replaces = this.take(timer);
    else if (!this.frozen) timer.begin();
    return timer;
  }

  /** One like it that belongs to no client, or that its script has stopped to hand it over. */
  private take({ ms, repeats }: Timer): Timer | undefined {
    const at = this.before.findIndex(
      (old) =>
        old.ms === ms && old.repeats === repeats && !old.over && (old.owner === undefined || !old.running),
    );
    return at < 0 ? undefined : this.before.splice(at, 1)[0];
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
    this.pause();
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    if (!this.waits) this.resume();
  }

  /** How those that belong to no client go on, in the order they were started. */
  save(): TimerPhase[] {
    return this.list().flatMap(({ owner, phase }) => (owner === undefined ? [phase] : []));
  }

  /** Gives timers the phase of those that ran for the same time before, in their order. */
  restore(phases: readonly TimerPhase[]): void {
    const rest = [...phases];
    for (const timer of this.all) {
      const { ms, repeats } = timer;
      const at = rest.findIndex((phase) => phase.ms === ms && phase.repeats === repeats);
      if (at >= 0) timer.due = rest.splice(at, 1)[0]!.due - monotonic() + performance.now();
    }
  }

  remove(timer: Timer): void {
    timer.pause();
    this.all.delete(timer);
  }

  /** Stops those for which `which` holds. */
  stop(which: (timer: Timer) => boolean): void {
    for (const timer of this.all) if (which(timer)) this.remove(timer);
  }

  /** No timer fires until it begins again. */
  pause(): void {
    for (const timer of this.all) timer.pause();
  }

  /** Lets those go on for which `which` holds. */
  resume(which: (timer: Timer) => boolean = () => true): void {
    if (this.frozen) return;
    for (const timer of this.all) if (which(timer)) timer.begin();
  }

  /** Stops all timers; handlers that sleep go on. */
  clear(): void {
    this.stop(() => true);
  }

  /** Stops all timers, and lets no sleeping handler wake up any more. */
  end(): void {
    this.clear();
    for (const handle of this.sleeping) clearTimeout(handle);
    this.sleeping.clear();
  }
}
