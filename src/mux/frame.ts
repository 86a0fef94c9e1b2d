/**
 * The layout of frames on the wire (README §1). All integers are big endian.
 */
import type { Buffer } from 'node:buffer';

/** Bytes of every frame's header. */
export const HEADER_BYTES = 8;
/** Largest body a header can declare. */
export const MAX_LENGTH = 0xffffff;
/** Largest stream id, and largest window or increment. */
export const MAX_31 = 0x7fffffff;
/** Largest error code and stream type. */
export const MAX_32 = 0xffffffff;

/** Frame types; numbers above these are skipped. */
export const FrameType = { RST: 0, DATA: 1, WNDINC: 2, GOAWAY: 3 } as const;
/** Ends the sender's half of the stream. Flag of DATA. */
export const FIN = 1;
/** Begins a stream. Flag of DATA. */
export const SYN = 2;

/** Body bytes of RST and of WNDINC, and of GOAWAY before its debug bytes. */
export const CONTROL_BYTES = 4;
export const GOAWAY_FIXED_BYTES = 8;

/** What a header says. */
export interface FrameHeader {
  /** Body bytes, 0 … 2^24-1. */
  length: number;
  /** 0 … 15, see {@link FrameType}. */
  type: number;
  /** 0 … 15; meaningful for DATA only. */
  flags: number;
  /** 0 … 2^31-1; a received one may carry the reserved top bit. */
  streamId: number;
}

/** Writes a header at `at` and returns the position after it. Throws a RangeError when a field does not fit. */
export function writeHeader(
  into: Buffer,
  at: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): number {
  if (!(length >= 0 && length <= MAX_LENGTH))
    throw new RangeError(`length ${length} is outside 0 … ${MAX_LENGTH}`);
  if (!(streamId >= 0 && streamId <= MAX_31))
    throw new RangeError(`stream id ${streamId} is outside 0 … ${MAX_31}`);
  // Single stores: faster here than writeUInt24BE and friends, which check each argument again.
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = (type << 4) | flags;
  return writeU32(into, at + 4, streamId);
}

/** Reads the header at `at`; the caller has made sure that 8 bytes are there. */
export function readHeader(from: Uint8Array, at: number): FrameHeader {
  return {
    length: (from[at]! << 16) | (from[at + 1]! << 8) | from[at + 2]!,
    type: from[at + 3]! >>> 4,
    flags: from[at + 3]! & 15,
    streamId: readU32(from, at + 4),
  };
}

/** Writes a 32-bit number at `at` and returns the position after it. */
export function writeU32(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

/** Reads the 32-bit number at `at`, 0 … 2^32-1. */
export function readU32(from: Uint8Array, at: number): number {
  return ((from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!) >>> 0;
}

/** One line for a log or a failing test: `DATA #3 SYN+FIN 5 bytes`. */
export function describeFrame({ type, flags, streamId, length }: FrameHeader): string {
  const name = (['RST', 'DATA', 'WNDINC', 'GOAWAY'] as const)[type] ?? `type ${type}`;
  const marks =
    type === FrameType.DATA
      ? [flags & SYN ? 'SYN' : '', flags & FIN ? 'FIN' : ''].filter(Boolean).join('+')
      : '';
  return [name, `#${streamId}`, marks, `${length} bytes`].filter(Boolean).join(' ');
}
