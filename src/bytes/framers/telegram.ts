/** What the text protocols of meters share: IEC 62056-21, 6.3, and the P1 port that is made after it. */
import type { ChunkQueue } from '../chunks.js';

/** "/", the first byte of identifications and requests. */
export const SLASH = 0x2f;
export const CR = 0x0d;
export const LF = 0x0a;

/** The bytes of `/XXX` and one more, or of `/?`, which tell a header from a slash in a unit (m3/h). */
const HEADER_LENGTH = 5;

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/**
 * Whether an identification (slash, three letters of the manufacturer, something else) or a request (/?) begins at
 * `at`, where a slash stands; undefined when too little is held to tell.
 */
export function headerAt(queue: ChunkQueue, at: number): boolean | undefined {
  if (at + 1 < queue.length && queue.at(at + 1) === 0x3f) return true;
  for (let i = 1; i < HEADER_LENGTH; i++) {
    if (at + i >= queue.length) return undefined;
    if (isLetter(queue.at(at + i)) !== i < HEADER_LENGTH - 1) return false;
  }
  return true;
}
