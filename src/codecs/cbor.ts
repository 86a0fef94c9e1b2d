/** CBOR (RFC 8949), by cbor-x. */
import { createRequire } from 'node:module';
import { MoonwireError, messageOf } from '../errors.js';
import { scanCbor } from './cbor_scan.js';
import type { Codec } from './codec.js';
import { plain } from './plain.js';
import { tidy } from './tidy.js';

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
  let coders: { objects: InstanceType<CborX['Encoder']>; maps: InstanceType<CborX['Encoder']> } | undefined;
  const load = () => {
    if (!coders) {
      const { Encoder } = createRequire(import.meta.url)('cbor-x') as CborX;
      coders = {
        objects: new Encoder({ ...PLAIN, mapsAsObjects: true }),
        maps: new Encoder({ ...PLAIN, mapsAsObjects: false }),
      };
    }
    return coders;
  };
  return {
    name: 'cbor',

    encode(value) {
      const copy = plain(
        value,
        (bytes) => bytes,
        (integer) => integer,
      );
      try {
        // What cbor-x returns is a part of a larger buffer that it keeps.
        return new Uint8Array(load().objects.encode(copy));
      } catch (error) {
        throw new MoonwireError('invalid_argument', messageOf(error), undefined, { cause: error });
      }
    },

    decode(bytes) {
      const scanned = scanCbor(bytes);
      // A view of its own, since cbor-x leaves a property on what it reads.
      const own = scanned.bytes.subarray();
      try {
        return scanned.special ? tidy(load().maps.decode(own)) : load().objects.decode(own);
      } catch (error) {
        throw new MoonwireError('decode_error', messageOf(error), undefined, { cause: error });
      }
    },
  };
}
