/**
 * Leaves a unit alone that does not answer. Closed: requests pass. Open: they fail at once, until it is time for a
 * probe. Half open: the probe is under way. Times in milliseconds of `performance.now()`.
 */

/** When it opens and for how long. */
export interface BreakerSettings {
  /** Failures in a row that open it; 0 never. */
  readonly failures: number;
  /** Seconds until the first probe; doubled by each that fails, up to `maxSeconds`. */
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export class Breaker {
  state: BreakerState = 'closed';
  /** Why it is open. */
  reason: string | undefined;
  /** When the next probe may pass. */
  nextProbe = 0;
  private failures = 0;
  private opened = 0;

  constructor(private readonly settings: BreakerSettings) {}

  /** The unit answered, if only with an error. */
  succeeded(): void {
    this.state = 'closed';
    this.reason = undefined;
    this.failures = 0;
    this.opened = 0;
  }

  /** No good reply came. */
  failed(reason: string, now: number): void {
    this.failures++;
    const { failures, minSeconds, maxSeconds } = this.settings;
    if (failures === 0 || (this.state === 'closed' && this.failures < failures)) return;
    this.state = 'open';
    this.reason = reason;
    this.nextProbe = now + Math.min(maxSeconds, minSeconds * 2 ** Math.min(this.opened, 32)) * 1000;
    this.opened++;
  }

  /** A probe goes out. */
  probe(): void {
    this.state = 'half_open';
  }

  /** The probe did not get its turn. */
  abandonProbe(): void {
    if (this.state === 'half_open') this.state = 'open';
  }
}
