/** Encodes values as bytes and back; one file a codec. */
export interface Codec {
  /** As scripts and configuration write it. */
  readonly name: string;
  /** @throws MoonwireError `invalid_argument` for a value that it cannot express. */
  encode(value: unknown, options?: unknown): Uint8Array;
  /** @throws MoonwireError `decode_error` for bytes that are not one whole value. */
  decode(bytes: Uint8Array, options?: unknown): unknown;
}
