/** Every codec: bytes either decode, to a value that can be encoded and then means the same, or are refused by name. */

import { defaultCodecs } from '../../../src/codecs/registry.js';
import { MoonwireError } from '../../../src/errors.js';
import { changed } from '../mutations.js';
import { Finding, type Target } from '../target.js';
import { seedsOf } from '../vectors.js';

/** What a codec is given, and where its vectors are; `same`: what it encodes means the same when it is decoded. */
interface Kind {
  readonly codec: string;
  readonly vectors: readonly string[];
  readonly options?: object;
  readonly same?: boolean;
}

const KINDS: readonly Kind[] = [
  { codec: 'json', vectors: ['senml'] },
  { codec: 'cbor', vectors: ['cbor'], same: true },
  { codec: 'msgpack', vectors: ['cbor'], same: true },
  {
    codec: 'protobuf',
    vectors: ['sparkplug_b'],
    options: { schema: 'weather.proto', type: 'weather.Reading' },
  },
  { codec: 'mqtt', vectors: ['mqtt'] },
  { codec: 'mqtt', vectors: ['mqtt'], options: { version: 5 } },
  { codec: 'coap', vectors: ['coap'], same: true },
  { codec: 'coap', vectors: ['coap'], options: { transport: 'tcp' } },
  { codec: 'senml', vectors: ['senml'] },
  { codec: 'sparkplug_b', vectors: ['sparkplug_b'] },
];

export async function codecs(): Promise<readonly Target[]> {
  const registry = defaultCodecs(['test/codecs/schemas']);
  const prototype = Object.getOwnPropertyNames(Object.prototype).length;

  /** The value; undefined where the bytes or the value are refused as they should be. */
  const attempt = (work: () => unknown, ...codes: string[]): unknown => {
    try {
      return work();
    } catch (error) {
      if (error instanceof MoonwireError && codes.includes(error.code)) return undefined;
      throw error;
    }
  };

  return KINDS.map(({ codec, vectors, options, same }): Target => {
    const seeds = seedsOf(...vectors);
    return {
      name: `codecs.${codec}${options ? `.${Object.values(options)[0]}` : ''}`,
      make: (random) =>
        random.below(4) === 0 ? random.bytes(random.below(40)) : changed(random.pick(seeds), random, seeds),
      run(input) {
        const value = attempt(() => registry.decode(codec, input, options), 'decode_error');
        if (Object.getOwnPropertyNames(Object.prototype).length !== prototype)
          throw new Finding('changes a prototype');
        if (value === undefined || !same) return;
        const bytes = attempt(() => registry.encode(codec, value, options), 'invalid_argument') as
          | Uint8Array
          | undefined;
        if (!bytes) return;
        const again = registry.encode(codec, registry.decode(codec, bytes, options), options);
        if (Buffer.compare(bytes, again) !== 0)
          throw new Finding(
            `${Buffer.from(bytes).toString('hex')} becomes ${Buffer.from(again).toString('hex')}`,
          );
      },
    };
  });
}
