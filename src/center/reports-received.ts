/** Which reports have come, by node and epoch: what tells a repeat from a new one (design §9 "Reports and repeats"). */

import { RangeSet } from '../store/ranges.js';

/** Bounds of what is remembered; beyond them a node's own oldest epochs are forgotten. */
export interface ReceivedLimits {
  /** Seconds without a report after which an epoch is forgotten. */
  readonly maxAge: number;
  /** Epochs of one node; 1024. */
  readonly epochs?: number;
  /** Ranges of one node, over all its epochs; 16,384. */
  readonly nodeRanges?: number;
  /** Ranges and epochs of all nodes; 131,072. */
  readonly total?: number;
  /** Seconds of a clock that never jumps; another one is for tests. */
  readonly now?: () => number;
}

/** One epoch as it is noted: node, epoch, seconds without a report, then first and last of each range. */
export type ReceivedNote = readonly [node: number, epoch: number, idle: number, ...ends: number[]];

interface Epoch {
  readonly ranges: RangeSet;
  /** When a report came last, by the clock that never jumps. */
  touched: number;
}

class Node {
  /** The one whose last report is oldest comes first. */
  readonly epochs = new Map<number, Epoch>();
  ranges = 0;
}

/** Epochs of all nodes. */
export class Received {
  /** Epochs forgotten because of the bounds, and because of their age. */
  readonly counters = { epochsCrowdedOut: 0, epochsForgotten: 0 };

  private readonly nodes = new Map<number, Node>();
  private readonly limits: Required<ReceivedLimits>;
  private total = 0;

  constructor(limits: ReceivedLimits) {
    this.limits = {
      epochs: 1024,
      nodeRanges: 16_384,
      total: 131_072,
      now: () => performance.now() / 1000,
      ...limits,
    };
  }

  /** Ranges and epochs that are remembered. */
  get size(): number {
    return this.total;
  }

  has(node: number, epoch: number, sequence: number): boolean {
    return this.nodes.get(node)?.epochs.get(epoch)?.ranges.has(sequence) ?? false;
  }

  /** Remembers reports; `idle`: seconds for which there has been none of this epoch. */
  add(node: number, epoch: number, ranges: Iterable<readonly [first: number, last: number]>, idle = 0): void {
    const of = this.nodes.get(node) ?? new Node();
    this.nodes.set(node, of);
    const entry = of.epochs.get(epoch) ?? { ranges: new RangeSet(), touched: 0 };
    if (!of.epochs.delete(epoch)) this.total++;
    of.epochs.set(epoch, entry);
    entry.touched = this.limits.now() - idle;
    const before = entry.ranges.size;
    for (const [first, last] of ranges) entry.ranges.add(first, last);
    of.ranges += entry.ranges.size - before;
    this.total += entry.ranges.size - before;
    this.crowdOut(of);
  }

  /** Forgets the epochs that have been idle for too long. */
  forgetIdle(): void {
    const oldest = this.limits.now() - this.limits.maxAge;
    for (const [number, node] of this.nodes) {
      for (const [epoch, { touched }] of node.epochs) {
        if (touched >= oldest) continue;
        this.forget(node, epoch);
        this.counters.epochsForgotten++;
      }
      if (node.epochs.size === 0) this.nodes.delete(number);
    }
  }

  /** All of it, node by node, each as it is when it is asked for. */
  *notes(): Generator<ReceivedNote> {
    for (const [number, node] of [...this.nodes]) {
      for (const [epoch, { ranges, touched }] of [...node.epochs]) {
        yield [
          number,
          epoch,
          Math.max(0, Math.round(this.limits.now() - touched)),
          ...ranges.toJSON().flat(),
        ];
      }
    }
  }

  /** Remembers what was noted. Throws when it is no note. */
  restore(note: unknown): void {
    if (!Array.isArray(note) || note.length % 2 === 0 || !note.every(Number.isSafeInteger)) {
      throw new TypeError('not a note of what was received');
    }
    const [node, epoch, idle, ...ends] = note as number[];
    const ranges = ends.flatMap((first, at) => (at % 2 === 0 ? [[first, ends[at + 1]!] as const] : []));
    this.add(node!, epoch!, ranges, idle);
  }

  private crowdOut(node: Node): void {
    const { epochs, nodeRanges, total } = this.limits;
    while (
      node.epochs.size > 1 &&
      (node.epochs.size > epochs || node.ranges > nodeRanges || this.total > total)
    ) {
      const [oldest] = node.epochs.keys();
      this.forget(node, oldest!);
      this.counters.epochsCrowdedOut++;
    }
  }

  private forget(node: Node, epoch: number): void {
    const { size } = node.epochs.get(epoch)!.ranges;
    node.epochs.delete(epoch);
    node.ranges -= size;
    this.total -= size + 1;
  }
}
