/** Which codecs there are: one row each. */
import { MoonwireError } from '../errors.js';
import { cborCodec } from './cbor.js';
import { coap } from './coap.js';
import type { Codec } from './codec.js';
import { json } from './json.js';
import { mqttCodec } from './mqtt.js';
import { msgpackCodec } from './msgpack.js';
import { protobufCodec } from './protobuf.js';
import { senmlCodec } from './senml.js';
import { sparkplugCodec } from './sparkplug_b.js';

/** Codecs by name, for `mix.codec` and sinks. Each engine has its own. */
export class CodecRegistry {
  private readonly codecs = new Map<string, Codec>();

  constructor(codecs: Iterable<Codec> = []) {
    for (const codec of codecs) this.register(codec);
  }

  /**
   * Adds a codec:
   *
   *     const codecs = defaultCodecs();
   *     codecs.register({ name: 'hex', encode: (v) => Buffer.from(String(v), 'hex'), decode: (b) => Buffer.from(b).toString('hex') });
   *     codecs.decode('hex', bytes);
   *
   * @throws MoonwireError `conflict` when the name is taken.
   */
  register(codec: Codec): void {
    if (this.codecs.has(codec.name)) {
      throw new MoonwireError('conflict', `there is a codec named "${codec.name}" already`);
    }
    this.codecs.set(codec.name, codec);
  }

  /** @throws MoonwireError `not_found` listing the names there are. */
  get(name: string): Codec {
    const codec = this.codecs.get(name);
    if (codec) return codec;
    throw new MoonwireError('not_found', `no codec named "${name}": there are ${this.names.join(', ')}`);
  }

  get names(): string[] {
    return [...this.codecs.keys()].sort();
  }

  /** Bytes of a value. @throws MoonwireError `not_found`, or `invalid_argument` for what cannot be expressed. */
  encode(name: string, value: unknown, options?: unknown): Uint8Array {
    return this.get(name).encode(value, options);
  }

  /** The value of bytes. @throws MoonwireError `not_found`, or `decode_error` unless they are one whole value. */
  decode(name: string, bytes: Uint8Array, options?: unknown): unknown {
    return this.get(name).decode(bytes, options);
  }
}

/** A registry with the codecs Moonwire brings. `roots`: the script roots, where Protobuf schemas are looked for. */
export function defaultCodecs(roots: readonly string[] = []): CodecRegistry {
  const cbor = cborCodec();
  return new CodecRegistry([
    json,
    cbor,
    msgpackCodec(),
    protobufCodec(roots),
    mqttCodec(),
    coap,
    senmlCodec(cbor),
    sparkplugCodec(),
  ]);
}
