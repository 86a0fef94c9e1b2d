/** CBOR (RFC 8949), by cbor-x. */
import { createRequire } from 'node:module';
import { scanCbor } from './cbor_scan.js';
import type { Codec } from './codec.js';
import { type Coders, scannedCodec } from './scanned.js';

/** The part of cbor-x that is used. */
type CborX = Pick<typeof import('cbor-x'), 'Encoder'>;

// Records, shared structures and a tag for Maps are cbor-x's own extensions, and state between calls: off.
const PLAIN = {
  useRecords: false,
  tagUint8Array: false,
  useTag259ForMaps: false,
  variableMapSize: true,
} as const;

/**
 * CBOR as plain values. Reading: byte strings are Uint8Arrays; integers beyond 2^53 and bignums are decimal strings;
 * a map is an object, or a Map when a key is no text; tags are left out, so an epoch date (tag 1) is its Unix
 * seconds and a text date (tag 0) its text. A simple value without meaning, nesting beyond 64, bytes after the end
 * and anything not well-formed are errors. Writing: numbers are written as integers where they are whole.
 *
 * cbor-x takes 2 MB and 20 ms to load, so that waits for the first call.
 */
export function cborCodec(): Codec {
  const load = (): Coders => {
    const { Encoder } = createRequire(import.meta.url)('cbor-x') as CborX;
    const objects = new Encoder({ ...PLAIN, mapsAsObjects: true });
    const maps = new Encoder({ ...PLAIN, mapsAsObjects: false });
    return {
      write: (value) => objects.encode(value),
      objects: (bytes) => objects.decode(bytes),
      maps: (bytes) => maps.decode(bytes),
    };
  };
  return scannedCodec('cbor', load, scanCbor);
}
