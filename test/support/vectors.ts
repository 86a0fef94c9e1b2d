/** Test vectors as files in test/vectors hold them, and the streams that are made of them. */

import { readFileSync } from 'node:fs';
import type { Random } from './random.js';

/** The cases of test/vectors/`name`.json. */
export function vectors<Case>(name: string): Case[] {
  return (JSON.parse(readFileSync(`test/vectors/${name}.json`, 'utf8')) as { cases: Case[] }).cases;
}

/** A frame with some of its bytes changed, removed, doubled or cut off. */
export function mutate(frame: Uint8Array, rng: Random): Uint8Array {
  const bytes = [...frame];
  for (let n = 1 + rng.below(4); n > 0 && bytes.length > 0; n--) {
    const at = rng.below(bytes.length);
    switch (rng.below(5)) {
      case 0:
        bytes.splice(at, 1);
        break;
      case 1:
        bytes.splice(at, 0, rng.below(256));
        break;
      case 2:
        bytes.length = at;
        break;
      default:
        bytes[at] = rng.pick([0, 0xff, 0x7f, 0x80, rng.below(256)]);
    }
  }
  return Uint8Array.from(bytes);
}
