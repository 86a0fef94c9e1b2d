/** What is fuzzed: something that takes bytes, and must never do certain things whatever they are. */

import type { Random } from '../support/random.js';

/** One try was not withstood. */
export class Finding extends Error {}

export interface Target {
  readonly name: string;
  /** An input; the same for the same random numbers. */
  make(random: Random): Uint8Array;
  /** Takes an input; rejects or throws when it is not withstood. */
  run(input: Uint8Array): void | Promise<void>;
  close?(): Promise<void>;
}

/** Opens a target, or the several of one kind. */
export type Targets = () => Promise<readonly Target[]>;

/** A random number generator of its own for each input, so that one input can be made again. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
    pick: (items) => items[below(items.length)]!,
  };
}
