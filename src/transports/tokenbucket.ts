/**
 * A rate limit: up to `perSecond` events a second on average, and as many at once after a second of rest.
 * Infinity lets everything through.
 */
export class TokenBucket {
  private tokens: number;
  private refilled = performance.now();

  constructor(private readonly perSecond: number) {
    this.tokens = perSecond;
  }

  /** Takes one token. False: the rate is exceeded. `now` in milliseconds of the monotonic clock. */
  take(now = performance.now()): boolean {
    if (this.tokens === Number.POSITIVE_INFINITY) return true;
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.refilled) / 1000) * this.perSecond);
    this.refilled = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
