/** MessagePack, by msgpackr. */
import { createRequire } from 'node:module';
import { MoonwireError, messageOf } from '../errors.js';
import type { Codec } from './codec.js';
import { scanMsgpack } from './msgpack_scan.js';
import { plain } from './plain.js';
import { tidy } from './tidy.js';

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
  let coders: { objects: InstanceType<Msgpackr['Packr']>; maps: InstanceType<Msgpackr['Packr']> } | undefined;
  const load = () => {
    if (!coders) {
      const { Packr } = createRequire(import.meta.url)('msgpackr') as Msgpackr;
      coders = {
        objects: new Packr({ ...PLAIN, mapsAsObjects: true, encodeUndefinedAsNil: true }),
        maps: new Packr({ ...PLAIN, mapsAsObjects: false }),
      };
    }
    return coders;
  };
  return {
    name: 'msgpack',

    encode(value) {
      const copy = plain(
        value,
        (bytes) => bytes,
        (integer) => integer,
      );
      try {
        // What msgpackr returns is a part of a larger buffer that it keeps.
        return new Uint8Array(load().objects.pack(copy));
      } catch (error) {
        throw new MoonwireError('invalid_argument', messageOf(error), undefined, { cause: error });
      }
    },

    decode(bytes) {
      const { special } = scanMsgpack(bytes);
      // A view of its own, since msgpackr leaves a property on what it reads.
      const own = bytes.subarray();
      try {
        return special ? tidy(load().maps.unpack(own)) : load().objects.unpack(own);
      } catch (error) {
        throw new MoonwireError('decode_error', messageOf(error), undefined, { cause: error });
      }
    },
  };
}
