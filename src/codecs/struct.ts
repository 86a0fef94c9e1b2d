/** `mix.struct`: binary structures described as data and compiled to JavaScript once. */
import { MoonwireError } from '../errors.js';
import * as runtime from './struct_runtime.js';
import { DecoderSource, EncoderSource } from './struct_source.js';
import { Layout, readLayout } from './struct_spec.js';

/** What `decode` found: the fields, and the offset of the first byte behind the structure. */
export interface Decoded {
  readonly value: Record<string, unknown>;
  readonly next: number;
}

type Decode = (
  b: Uint8Array,
  p: number,
  e: number,
  r: typeof runtime,
  k: readonly unknown[],
) => Decoded | MoonwireError;
type Encode = (v: unknown, w: runtime.Writer, r: typeof runtime, k: readonly unknown[]) => void;

/** A compiled structure; it can also be the `of` of an array in another. */
export class Struct extends Layout {
  private readonly decoder: Decode;
  private readonly decoderConstants: readonly unknown[];
  private readonly encoder: Encode;
  private readonly encoderConstants: readonly unknown[];

  /**
   * @param spec the description: a list of fields with options, as a Lua table, a Map, an object or an array.
   * @throws MoonwireError `invalid_argument` naming the field and what it may be.
   */
  constructor(spec: unknown) {
    super(readLayout(spec).fields);
    const decode = new DecoderSource().generate(this);
    const encode = new EncoderSource().generate(this);
    this.decoder = new Function('b', 'p', 'e', 'r', 'k', decode.body) as Decode;
    this.decoderConstants = decode.constants;
    this.encoder = new Function('v', 'w', 'r', 'k', encode.body) as Encode;
    this.encoderConstants = encode.constants;
  }

  /**
   * Decodes the structure that begins at `offset` (0-based). Returns its fields and where it ends, or an error
   * `decode_error` that names the field: bytes are missing, a digit is none, a checksum differs. Byte strings in the
   * result share memory with `bytes`.
   */
  decode(bytes: Uint8Array, offset = 0): Decoded | MoonwireError {
    return this.decoder(bytes, offset, bytes.length, runtime, this.decoderConstants);
  }

  /** Encodes a value: its bytes, or an error `invalid_argument` that names the field and its range. */
  encode(value: unknown): Uint8Array | MoonwireError {
    const writer = new runtime.Writer();
    try {
      this.encoder(value, writer, runtime, this.encoderConstants);
    } catch (error) {
      if (error instanceof MoonwireError) return error;
      throw error;
    }
    return writer.finish();
  }
}
