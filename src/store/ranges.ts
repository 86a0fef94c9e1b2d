/** A set of sequences, kept as the ranges it consists of. */

import type { Ranges } from './reported.js';

/** Most ranges of a set. */
const MAX_RANGES = 4096;

/**
 * Whole numbers, of which most lie together. Beyond its bound the set forgets its lowest range: what is forgotten is
 * taken once more if it comes again, whereas closing a gap would deny what never came.
 */
export class RangeSet {
  /** Ranges forgotten. */
  forgotten = 0;
  /** Ends of the ranges, ascending; no range touches the next. */
  private readonly firsts: number[] = [];
  private readonly lasts: number[] = [];

  constructor(private readonly maxRanges = MAX_RANGES) {}

  static from(ranges: Ranges, maxRanges?: number): RangeSet {
    const set = new RangeSet(maxRanges);
    for (const [first, last] of ranges) set.add(first, last);
    return set;
  }

  /** Number of ranges. */
  get size(): number {
    return this.firsts.length;
  }

  has(sequence: number): boolean {
    const at = this.find(sequence);
    return at < this.firsts.length && this.firsts[at]! <= sequence;
  }

  /** Adds a range, both ends included. Returns whether anything of it was missing. */
  add(first: number, last = first): boolean {
    const { firsts, lasts } = this;
    // All ranges that overlap or touch the new one become one with it.
    const from = this.find(first - 1);
    if (from < firsts.length && firsts[from]! <= first && lasts[from]! >= last) return false;
    let to = from;
    while (to < firsts.length && firsts[to]! <= last + 1) to++;
    if (to > from) {
      const least = Math.min(first, firsts[from]!);
      const most = Math.max(last, lasts[to - 1]!);
      firsts[from] = least;
      lasts[from] = most;
      if (to > from + 1) {
        firsts.splice(from + 1, to - from - 1);
        lasts.splice(from + 1, to - from - 1);
      }
      return true;
    }
    firsts.splice(from, 0, first);
    lasts.splice(from, 0, last);
    if (firsts.length > this.maxRanges) {
      const lowest = from === 0 ? 1 : 0;
      firsts.splice(lowest, 1);
      lasts.splice(lowest, 1);
      this.forgotten++;
    }
    return true;
  }

  toJSON(): Ranges {
    return this.firsts.map((first, at) => [first, this.lasts[at]!] as const);
  }

  /** Index of the first range that ends at or after a sequence. */
  private find(sequence: number): number {
    const { lasts } = this;
    // Nearly always the newest range, or behind it.
    const end = lasts.length;
    if (end === 0 || lasts[end - 1]! < sequence) return end;
    let [low, high] = [0, end - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lasts[middle]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
