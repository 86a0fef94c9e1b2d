/**
 * A codec over a library that reads what was looked through before: it writes copies of plain values, and reads maps
 * as objects, or, where a scan found keys or integers that objects cannot hold, as Maps that are tidied.
 */
import { MoonwireError, messageOf } from '../errors.js';
import type { Codec } from './codec.js';
import { plain } from './plain.js';
import { tidy } from './tidy.js';

/** What a library does. */
export interface Coders {
  write(value: unknown): Uint8Array;
  /** Reads maps as objects. */
  objects(bytes: Uint8Array): unknown;
  /** Reads maps as Maps. */
  maps(bytes: Uint8Array): unknown;
}

/** What a scan found: the bytes to read, and whether objects cannot hold all that is in them. */
export interface Looked {
  readonly bytes: Uint8Array;
  readonly special: boolean;
}

/** `load` is called once, with the first value: libraries take megabytes. */
export function scannedCodec(name: string, load: () => Coders, scan: (bytes: Uint8Array) => Looked): Codec {
  let loaded: Coders | undefined;
  const coders = (): Coders => {
    loaded ??= load();
    return loaded;
  };
  return {
    name,

    encode(value) {
      const copy = plain(
        value,
        (bytes) => bytes,
        (integer) => integer,
      );
      try {
        // What the libraries return is a part of a larger buffer that they keep.
        return new Uint8Array(coders().write(copy));
      } catch (error) {
        throw new MoonwireError('invalid_argument', messageOf(error), undefined, { cause: error });
      }
    },

    decode(bytes) {
      const looked = scan(bytes);
      // A view of its own, since the libraries leave a property on what they read.
      const own = looked.bytes.subarray();
      try {
        return looked.special ? tidy(coders().maps(own)) : coders().objects(own);
      } catch (error) {
        throw new MoonwireError('decode_error', messageOf(error), undefined, { cause: error });
      }
    },
  };
}
