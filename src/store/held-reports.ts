/** The reports in memory, by epoch and sequence, and what they take there. */

import type { Held } from './spool.js';

/** What an object in memory takes, about, beside its bytes in CBOR, and for each of these. */
const OBJECT_BYTES = 300;
const OBJECT_FACTOR = 3;

/** What a report of so many bytes in CBOR takes in memory. */
export function weightOf(bytes: number): number {
  return OBJECT_BYTES + OBJECT_FACTOR * bytes;
}

/** Reports in memory, in the order they came. */
export class HeldReports {
  /** What all of them take. */
  weight = 0;
  private readonly epochs = new Map<number, Map<number, Held>>();

  get(epoch: number, seq: number): Held | undefined {
    return this.epochs.get(epoch)?.get(seq);
  }

  /** Whether this very report is in memory, not another one of its number. */
  has(held: Held): boolean {
    return this.get(held.epoch, held.record[0]) === held;
  }

  add(held: Held): void {
    let reports = this.epochs.get(held.epoch);
    if (!reports) {
      reports = new Map();
      this.epochs.set(held.epoch, reports);
    }
    reports.set(held.record[0], held);
    this.weight += weightOf(held.bytes);
  }

  /** Returns whether it was there. */
  remove(held: Held): boolean {
    const reports = this.epochs.get(held.epoch);
    if (!reports?.delete(held.record[0])) return false;
    this.weight -= weightOf(held.bytes);
    if (reports.size === 0) this.epochs.delete(held.epoch);
    return true;
  }

  /** Those of an epoch from sequence `first` to `last`. */
  *between(epoch: number, first: number, last: number): Generator<Held> {
    const reports = this.epochs.get(epoch);
    if (!reports) return;
    // Whoever names more sequences than there are reports must not cost more than these.
    if (last - first >= reports.size) {
      for (const [seq, held] of reports) if (seq >= first && seq <= last) yield held;
    } else {
      for (let seq = first; seq <= last; seq++) {
        const held = reports.get(seq);
        if (held) yield held;
      }
    }
  }

  /** Those that `choose` takes, as a list. */
  filter(choose: (held: Held) => boolean): Held[] {
    const chosen: Held[] = [];
    for (const reports of this.epochs.values()) {
      for (const held of reports.values()) if (choose(held)) chosen.push(held);
    }
    return chosen;
  }
}
