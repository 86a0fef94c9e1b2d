/** What all parts of the campaign share: chance, the clock, what was found, and what is to be undone at its end. */

import type { Random } from '../support/random.js';

/** Something that must never be. */
export interface Violation {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly what: string;
  readonly detail: string;
}

/** Violations that are kept; more are counted only. */
const MOST_KEPT = 200;
const SLOW_MS = 60_000;

export class Campaign {
  readonly violations: Violation[] = [];
  violationCount = 0;
  /** How often each thing was done or seen. */
  readonly tally = new Map<string, number>();
  /** Devices connect and send. */
  active = false;
  /** Commands are given. */
  commanding = false;
  /** Nothing begins any more. */
  over = false;
  private slowUntil = 0;
  private readonly began = Date.now();
  private readonly undo: (() => unknown)[] = [];

  constructor(
    readonly random: Random,
    private readonly print: (line: string) => void,
  ) {}

  /** The machine itself was too busy within the last minute: processes had no turn for a second and more. */
  get slow(): boolean {
    return Date.now() < this.slowUntil;
  }

  wasSlow(): void {
    this.slowUntil = Date.now() + SLOW_MS;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (Date.now() - this.began) / 1000;
  }

  /** As `teardown` of a test: is called at the end, the last first. */
  teardown(step: () => unknown): void {
    this.undo.push(step);
  }

  async end(): Promise<void> {
    this.over = true;
    this.active = false;
    for (let step = this.undo.pop(); step; step = this.undo.pop()) {
      try {
        await step();
      } catch (error) {
        this.note(`at the end: ${String(error)}`);
      }
    }
  }

  violation(what: string, detail: string): void {
    this.violationCount++;
    if (this.violations.length < MOST_KEPT) {
      this.violations.push({ at: Math.round(this.seconds), what, detail });
    }
    this.note(`VIOLATION ${what}: ${detail}`);
  }

  count(what: string, by = 1): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + by);
  }

  note(text: string): void {
    this.print(`${this.seconds.toFixed(1).padStart(8)}  ${text}`);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a condition; resolves to whether it came true in time. */
export async function within(
  seconds: number,
  condition: () => boolean | Promise<boolean | undefined>,
): Promise<boolean> {
  for (const until = Date.now() + seconds * 1000; ; await pause(100)) {
    if (await condition()) return true;
    if (Date.now() > until) return false;
  }
}
