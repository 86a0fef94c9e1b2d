/** A histogram of durations with fixed bounds: counting is two additions and a short search, and allocates nothing. */

/** Upper bounds of the buckets in seconds; one more bucket takes what is above. */
export const BUCKETS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

export class Histogram {
  /** Durations within each bound and above the one before; not cumulative. */
  readonly counts = new Float64Array(BUCKETS.length + 1);
  /** Sum of all durations in seconds. */
  sum = 0;

  add(seconds: number): void {
    let i = 0;
    while (i < BUCKETS.length && seconds > BUCKETS[i]!) i++;
    this.counts[i]!++;
    this.sum += seconds;
  }

  /** Goes on from what another one has counted. */
  restore({ counts, sum }: { readonly counts: Float64Array; readonly sum: number }): void {
    if (counts.length !== this.counts.length) return;
    this.counts.set(counts);
    this.sum = sum;
  }
}
