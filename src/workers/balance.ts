/** Which worker gets a new connection. */

import type { Config } from '../config/schema.js';

/** One of `engine.balance`. */
export type Policy = Config['engine']['balance'];

/** What is chosen among. */
export interface Candidate {
  /** Its name, the same whenever it is started again. */
  readonly name: string;
  /** Connections it has. */
  readonly connections: number;
}

/**
 * Chooses among the workers there are, which is at least one; `address` is the peer's, empty when it is not known.
 * - `rr`: one after the other
 * - `random`: any
 * - `least`: the one with the fewest connections
 * - `hash`: always the same one for an address, as long as it is there; while it is not, its addresses are spread over
 *   the others, and those of the others stay where they are (rendezvous hashing)
 */
export type Balance = <C extends Candidate>(candidates: readonly C[], address: string) => C;

export function balanceBy(policy: Policy): Balance {
  let turn = 0;
  const policies: Record<Policy, Balance> = {
    rr: (candidates) => candidates[turn++ % candidates.length]!,
    random: (candidates) => candidates[Math.floor(Math.random() * candidates.length)]!,
    // Those with equally many take turns.
    least: (candidates) => lowest(rotated(candidates, turn++), ({ connections }) => connections),
    hash: (candidates, address) => lowest(candidates, ({ name }) => hash(`${name} ${address}`)),
  };
  return policies[policy];
}

function lowest<C>(candidates: readonly C[], weigh: (candidate: C) => number): C {
  return candidates.reduce((best, next) => (weigh(next) < weigh(best) ? next : best));
}

function rotated<C>(list: readonly C[], by: number): C[] {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** FNV-1a of 32 bits, its bits then mixed as MurmurHash3 does: texts that end alike are far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
