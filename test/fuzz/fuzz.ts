/** Runs targets: what was found before, then new inputs for as long as is asked for. */

// Fengari is adjusted before anything of it is loaded.
import '../../src/script/fengari-adjust.js';

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded, type Target, type Targets } from './target.js';
import { api } from './targets/api.js';
import { codecs } from './targets/codecs.js';
import { config } from './targets/config.js';
import { mux } from './targets/mux.js';
import { protocols } from './targets/protocols.js';
import { wires } from './targets/wires.js';

/** By the first part of their names. */
export const TARGETS: Readonly<Record<string, Targets>> = { protocols, codecs, mux, config, wires, api };

const CORPUS = 'test/fuzz/corpus';

/** What a target did not withstand. */
export interface Found {
  readonly target: string;
  /** The seed that makes the input, or its file in the corpus. */
  readonly from: string;
  readonly hex: string;
  readonly error: Error;
}

/** Inputs that were not withstood once, `corpus/TARGET/WHAT.hex`. */
export function corpusOf(target: string): [file: string, input: Uint8Array][] {
  const folder = join(CORPUS, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => [
    file,
    Buffer.from(readFileSync(join(folder, file), 'utf8').replace(/\s+/g, ''), 'hex'),
  ]);
}

async function attempt(target: Target, from: string, input: Uint8Array): Promise<Found | undefined> {
  let stray: Error | undefined;
  const catchStray = (error: Error): void => {
    stray = error;
  };
  process.on('uncaughtException', catchStray);
  process.on('unhandledRejection', catchStray);
  try {
    await target.run(input);
  } catch (error) {
    stray = error as Error;
  } finally {
    process.off('uncaughtException', catchStray);
    process.off('unhandledRejection', catchStray);
  }
  return stray && { target: target.name, from, hex: Buffer.from(input).toString('hex'), error: stray };
}

/** Tries one target until the time is over or something is found; returns that and how many inputs were tried. */
export async function fuzz(
  target: Target,
  seed: number,
  until: number,
): Promise<{ found: Found | undefined; tried: number }> {
  let tried = 0;
  for (const [file, input] of corpusOf(target.name)) {
    tried++;
    const found = await attempt(target, file, input);
    if (found) return { found, tried };
  }
  for (let next = seed; tried === 0 || Date.now() < until; next++) {
    tried++;
    const found = await attempt(target, `seed ${next}`, target.make(seeded(next)));
    if (found) return { found, tried };
    // Servers of the same process have their turn.
    if (tried % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { found: undefined, tried };
}

/** Fewer bytes that are not withstood either: parts are left out as long as that holds. */
export async function shrink(target: Target, input: Uint8Array): Promise<Uint8Array> {
  let best = input;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await attempt(target, '', shorter)) best = shorter;
      else at += size;
    }
  }
  return best;
}
