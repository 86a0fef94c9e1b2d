/** Code that is not in charge any more: what of it is under way goes on to its end, within bounds. */

import { ownerOf } from '../mix/host.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';
import type { Timer } from '../timers.js';

/** Seconds for what belongs to no client: timers that fire once, and what waits in timers. */
const DRAIN_SECONDS = 30;
/** Programs of one station that may still have something under way; beyond them the oldest ends. */
const MAX_FORMER = 3;

/**
 * Whether a timer goes on though newer code is in charge: those of clients, until these close; of the others those that
 * fire once, unless newer code has taken their turn.
 */
export function goesOn({ replaced }: Program, timer: Timer): boolean {
  if (timer.owner !== undefined) return !timer.owner.closed;
  return !timer.repeats && !replaced.has(timer);
}

export class Former {
  private readonly programs = new Map<Program, { readonly until: number; drained: boolean }>();

  constructor(private readonly station: Station) {}

  /** How many still have something under way. */
  get size(): number {
    return this.programs.size;
  }

  *[Symbol.iterator](): Generator<Program> {
    yield* this.programs.keys();
  }

  /** A program will not be in charge again. */
  add(program: Program): void {
    program.timers.stop((timer) => !goesOn(program, timer));
    this.programs.set(program, { until: performance.now() + DRAIN_SECONDS * 1000, drained: false });
    for (const oldest of this.programs.keys()) {
      if (this.programs.size <= MAX_FORMER) break;
      this.end(oldest);
    }
    this.check(performance.now());
  }

  /** Ends all of them and this one at once: what they keep is too much. */
  endAll(program: Program): void {
    for (const former of [...this.programs.keys(), program]) this.end(former);
  }

  /** Ends what is over. Called about once a second. */
  check(now: number): void {
    for (const [program, state] of this.programs) {
      if (now >= state.until && !state.drained) {
        state.drained = true;
        program.timers.stop(({ owner }) => owner === undefined);
        this.drop(program, (owner) => ownerOf(owner) === undefined);
      }
      if (program.vm.waiting === 0 && program.timers.size === 0 && !this.serves(program)) {
        this.programs.delete(program);
      }
    }
  }

  /** A client is gone: with it the timers it had. */
  forget(client: object): void {
    for (const program of this.programs.keys()) program.timers.stop(({ owner }) => owner === client);
  }

  /** Ends all. */
  close(): void {
    for (const program of this.programs.keys()) program.timers.end();
    this.programs.clear();
  }

  /** Clients that wait in it, or have a command there. */
  private serves(program: Program): boolean {
    for (const client of this.station.clients) if (client.program === program) return true;
    return false;
  }

  private end(program: Program): void {
    program.timers.end();
    this.drop(program, () => true);
    this.programs.delete(program);
  }

  private drop(program: Program, which: (owner: unknown) => boolean): void {
    const dropped = program.vm.drop(which, 'its code was replaced, and it did not come to an end');
    if (dropped > 0)
      this.station.log.warn('callbacks of replaced code were given up', { callbacks: dropped });
  }
}
