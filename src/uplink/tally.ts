/** Adds up what several nodes answer to one published message. */

import type { Done } from './routes.js';

/** Milliseconds for the answers at an engine, and at the relay: its answer is one of those the engine waits for. */
export const PUBLISH_WAIT_MS = { engine: 3000, relay: 2500 } as const;

/**
 * The counts of one published message. Every node has its copy at once; one that has not answered in time counts as
 * one failure, so that a node which hangs does not hold up whoever publishes until its heartbeat runs out.
 */
export class Tally {
  private success = 0;
  private fail = 0;
  private open = 1;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  /** `done` is called exactly once, after {@link complete}. */
  constructor(
    private readonly waitMs: number,
    private readonly done: (success: number, fail: number) => void,
  ) {}

  /** What one more copy is to be answered with; answers after the end are ignored. */
  expect(answered?: Done): Done {
    this.open++;
    return (success, fail, error) => {
      answered?.(success, fail, error);
      this.add(success, fail);
    };
  }

  /** Every copy is on its way. */
  complete(): void {
    this.add(0, 0);
    if (!this.ended) this.timer = setTimeout(() => this.end(this.open), this.waitMs).unref();
  }

  private add(success: number, fail: number): void {
    if (this.ended) return;
    this.success += success;
    this.fail += fail;
    if (--this.open === 0) this.end(0);
  }

  private end(missing: number): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.done(this.success, this.fail + missing);
  }
}
