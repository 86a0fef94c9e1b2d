import type { Logger } from '../log.js';

/** Time between two looks at the event loop. */
const LOOK_MS = 250;
/** Looks in a row that begin and end an overload: one long pause, as of a collection of garbage, is none. */
const LOOKS = 2;

/** Tells whether the process keeps up with its work, by how late its timers run. */
export class Overload {
  /** Whether it does not. */
  active = false;
  /** How late the last timer ran, in seconds. */
  lag = 0;
  private timer: NodeJS.Timeout | undefined;
  private expected = 0;
  /** Looks in a row that speak against what holds. */
  private against = 0;

  /** `lagSeconds`: what counts as late; 0: nothing does. */
  constructor(
    private readonly lagSeconds: number,
    private readonly log: Logger,
  ) {}

  start(): void {
    if (this.lagSeconds === 0) return;
    this.expected = performance.now() + LOOK_MS;
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const now = performance.now();
    this.lag = Math.max(0, now - this.expected) / 1000;
    this.expected = now + LOOK_MS;
    this.against = this.lag > this.lagSeconds === this.active ? 0 : this.against + 1;
    if (this.against < LOOKS) return;
    this.against = 0;
    this.active = !this.active;
    if (this.active)
      this.log.warn(
        `overloaded: the event loop is late by ${this.lag.toFixed(1)} s; new connections are refused`,
      );
    else this.log.info('no longer overloaded: new connections are let in');
  }
}
