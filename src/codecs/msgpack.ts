/** MessagePack, by msgpackr. */
import { createRequire } from 'node:module';
import type { Codec } from './codec.js';
import { scanMsgpack } from './msgpack_scan.js';
import { type Coders, scannedCodec } from './scanned.js';

/** The part of msgpackr that is used. */
type Msgpackr = Pick<typeof import('msgpackr'), 'Packr'>;

// Records and structures are msgpackr's own extensions, and state between calls: off.
const PLAIN = { useRecords: false, int64AsType: 'bigint', variableMapSize: true } as const;

/**
 * MessagePack as plain values. Reading: binary is a Uint8Array; integers beyond 2^53 are decimal strings; a map is an
 * object, or a Map when a key is no text; a timestamp is its Unix seconds. Other extension types, text that is not
 * UTF-8, nesting beyond 64 and bytes after the end are errors. Writing: whole numbers of up to 32 bits are integers,
 * larger numbers float64, which holds them to 2^53.
 *
 * msgpackr is loaded at the first call.
 */
export function msgpackCodec(): Codec {
  const load = (): Coders => {
    const { Packr } = createRequire(import.meta.url)('msgpackr') as Msgpackr;
    const objects = new Packr({ ...PLAIN, mapsAsObjects: true, encodeUndefinedAsNil: true });
    const maps = new Packr({ ...PLAIN, mapsAsObjects: false });
    return {
      write: (value) => objects.pack(value),
      objects: (bytes) => objects.unpack(bytes),
      maps: (bytes) => maps.unpack(bytes),
    };
  };
  return scannedCodec('msgpack', load, (bytes) => ({ bytes, special: scanMsgpack(bytes).special }));
}
