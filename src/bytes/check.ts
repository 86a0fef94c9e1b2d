/** A checksum or CRC of a range of bytes, whatever its algorithm. */
export interface Check {
  /** Its name, as scripts and configuration write it. */
  readonly name: string;
  /** Bytes it takes on the wire. */
  readonly size: number;
  /** Over `bytes[from]` up to but not including `bytes[to]`. A number below 2^32, or a bigint where it is wider. */
  compute(bytes: Uint8Array, from?: number, to?: number): number | bigint;
}
