/** What fuzzers found before, and a short run of each with new inputs; `npm run fuzz` goes on for longer. */

import type { Test } from 'tap';
import { fuzz, TARGETS } from './fuzz.js';

/** Tries all targets of a kind for `ms` milliseconds together. */
export async function withstands(t: Test, kind: string, ms: number): Promise<void> {
  const targets = await TARGETS[kind]!();
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  for (const target of targets) {
    const { found, tried } = await fuzz(target, seed, Date.now() + ms / targets.length);
    const what = found && `${found.from}: ${found.error.stack}\n${found.hex}`;
    t.equal(what, undefined, `${target.name}: ${tried} inputs`);
  }
  for (const { close } of targets) await close?.();
}
