/** Which reports are done with: acknowledged, or dropped. */

import { RangeSet } from './ranges.js';

/** Sequences by epoch. What a set forgets beyond its bound is only offered once more. */
export class Settled {
  private readonly epochs = new Map<number, RangeSet>();

  has(epoch: number, seq: number): boolean {
    return this.epochs.get(epoch)?.has(seq) ?? false;
  }

  add(epoch: number, first: number, last = first): void {
    let set = this.epochs.get(epoch);
    if (!set) {
      set = new RangeSet();
      this.epochs.set(epoch, set);
    }
    set.add(first, last);
  }

  /** Forgets the epochs that are not `needed`. */
  keep(needed: (epoch: number) => boolean): void {
    for (const epoch of this.epochs.keys()) if (!needed(epoch)) this.epochs.delete(epoch);
  }
}
