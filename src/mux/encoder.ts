/**
 * Frames on their way out, gathered for one write. Headers and small payloads are laid out one behind the other in a
 * slab; a larger payload is put between two slab slices as it is, uncopied.
 */
import { Buffer } from 'node:buffer';
import {
  CONTROL_BYTES,
  FrameType,
  GOAWAY_FIXED_BYTES,
  HEADER_BYTES,
  writeHeader,
  writeU32,
} from './frame.js';

const SLAB_BYTES = 8192;
/** Up to here copying costs less than one more entry in the list that the system call is given (see bench/mux). */
const COPY_BYTES = 512;

/** The frame encoder: collects frames as a list of byte ranges to be written in order. */
export class FrameEncoder {
  /** Bytes gathered since the last `take`. */
  bytes = 0;
  private parts: Uint8Array[] = [];
  private slab = Buffer.alloc(0);
  /** The slab's bytes from `from` to `to` are gathered and not yet in `parts`. */
  private from = 0;
  private to = 0;

  /** Appends an RST with its error code. */
  rst(streamId: number, errorCode: number): void {
    this.control(FrameType.RST, streamId, errorCode);
  }

  /** Appends a WNDINC; `increment` is 1 … 2^31-1. */
  windowIncrement(streamId: number, increment: number): void {
    this.control(FrameType.WNDINC, streamId, increment);
  }

  /** Appends a GOAWAY. */
  goAway(lastStreamId: number, errorCode: number, debug: Uint8Array): void {
    const fixed = HEADER_BYTES + GOAWAY_FIXED_BYTES;
    this.reserve(fixed);
    this.to = writeHeader(this.slab, this.to, FrameType.GOAWAY, 0, 0, GOAWAY_FIXED_BYTES + debug.length);
    this.to = writeU32(this.slab, writeU32(this.slab, this.to, lastStreamId), errorCode);
    this.bytes += fixed;
    this.payload(debug);
  }

  /** Appends the header of a DATA frame; exactly `length` bytes of payload must follow. */
  dataHeader(streamId: number, flags: number, length: number): void {
    this.reserve(HEADER_BYTES);
    this.to = writeHeader(this.slab, this.to, FrameType.DATA, flags, streamId, length);
    this.bytes += HEADER_BYTES;
  }

  /** Appends a part of a payload. The bytes must not be changed later. */
  payload(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (bytes.length > COPY_BYTES) {
      this.seal();
      this.parts.push(bytes);
      return;
    }
    this.reserve(bytes.length);
    this.slab.set(bytes, this.to);
    this.to += bytes.length;
  }

  /** Hands over everything gathered and begins anew. */
  take(): Uint8Array[] {
    this.seal();
    const { parts } = this;
    this.parts = [];
    this.bytes = 0;
    return parts;
  }

  private control(type: 0 | 2, streamId: number, value: number): void {
    this.reserve(HEADER_BYTES + CONTROL_BYTES);
    this.to = writeU32(this.slab, writeHeader(this.slab, this.to, type, 0, streamId, CONTROL_BYTES), value);
    this.bytes += HEADER_BYTES + CONTROL_BYTES;
  }

  private reserve(bytes: number): void {
    if (this.slab.length - this.to >= bytes) return;
    this.seal();
    // Never written to twice: the transport may still hold slices of the old one.
    this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.from = 0;
    this.to = 0;
  }

  private seal(): void {
    if (this.to === this.from) return;
    this.parts.push(this.slab.subarray(this.from, this.to));
    this.from = this.to;
  }
}
