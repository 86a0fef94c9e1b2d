/**
 * A rate limit: up to `perSecond` events a second on average, and up to `burst` (default: a second's worth) at once
 * after a rest. Infinity lets everything through.
 */
export class TokenBucket {
  private tokens: number;
  private refilled = performance.now();

  constructor(
    private readonly perSecond: number,
    private readonly burst = perSecond,
  ) {
    this.tokens = burst;
  }

  /** Takes one token. False: the rate is exceeded. `now` in milliseconds of the monotonic clock. */
  take(now = performance.now()): boolean {
    if (this.secondsToNext(now) > 0) return false;
    this.tokens--;
    return true;
  }

  /** Seconds until a token is there; 0: there is one. */
  secondsToNext(now = performance.now()): number {
    if (this.tokens === Number.POSITIVE_INFINITY) return 0;
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.refilled) / 1000) * this.perSecond);
    this.refilled = now;
    return this.tokens >= 1 ? 0 : (1 - this.tokens) / this.perSecond;
  }

  /** Whether it is as if nothing had ever been taken. */
  isFull(now = performance.now()): boolean {
    return this.tokens + ((now - this.refilled) / 1000) * this.perSecond >= this.burst;
  }
}
