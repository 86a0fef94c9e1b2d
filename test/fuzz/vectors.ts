/** Real bytes to begin with: everything in the vectors of test/vectors that is some. */

import { existsSync, readFileSync } from 'node:fs';

const HEX = /^(?:[0-9a-f]{2}){3,}$/i;
const SENTENCE = /^[!$#*+@/[({<&]/;
/** Longer ones take more time than they find. */
const MOST_BYTES = 2048;

function collect(value: unknown, found: Map<string, Uint8Array>): void {
  if (typeof value === 'string') {
    if (HEX.test(value)) found.set(value, Buffer.from(value, 'hex'));
    else if (SENTENCE.test(value)) found.set(value, Buffer.from(`${value}\r\n`, 'latin1'));
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) collect(item, found);
  }
}

/** The bytes in the first of these vector files that there is; a few of any kind without one. */
export function seedsOf(...names: readonly string[]): Uint8Array[] {
  const found = new Map<string, Uint8Array>();
  const file = [...names, 'framing']
    .map((name) => `test/vectors/${name}.json`)
    .find((path) => existsSync(path))!;
  collect((JSON.parse(readFileSync(file, 'utf8')) as { cases: unknown }).cases, found);
  return [...found.values()].filter(({ length }) => length <= MOST_BYTES);
}
