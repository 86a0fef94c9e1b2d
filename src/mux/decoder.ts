/**
 * Cuts received bytes into frames. It is pushed chunks and asked for pieces; it holds an incomplete header at most,
 * and owns no socket. DATA is handed out in pieces as it arrives, so nothing is buffered for a declared length.
 */
import { Buffer } from 'node:buffer';
import { MuxError } from './errors.js';
import {
  CONTROL_BYTES,
  describeFrame,
  type FrameHeader,
  FrameType,
  GOAWAY_FIXED_BYTES,
  HEADER_BYTES,
  MAX_31,
  readHeader,
  readU32,
} from './frame.js';

const NOTHING = Buffer.alloc(0);

/**
 * A push-in, frames-out decoder. After `next()` returned true the fields describe one frame, or for DATA one piece
 * of a frame; they are overwritten by the next call. This saves an object for each of them.
 */
export class FrameDecoder {
  /** The frame's header. */
  header: FrameHeader = { length: 0, type: 0, flags: 0, streamId: 0 };
  /** DATA: this piece begins the frame. */
  first = true;
  /** DATA: this piece completes the frame. */
  last = true;
  /** DATA: this piece's payload, sharing memory with what was pushed. GOAWAY: the debug bytes kept, a copy. */
  payload: Uint8Array = NOTHING;
  /** RST and GOAWAY: the error code. WNDINC: the increment, 1 … 2^31-1. */
  value = 0;
  /** GOAWAY: the last stream id. */
  lastStreamId = 0;
  /** Frames of unknown types skipped so far. */
  skippedFrames = 0;

  private readonly chunks: Uint8Array[] = [];
  /** Position in `chunks[0]`. */
  private at = 0;
  /** Bytes of the current body not yet seen; its header is `header`. */
  private remaining = 0;
  private inBody = false;
  /** What `take` found: `taken` from `takenAt` on. */
  private taken: Uint8Array = NOTHING;
  private takenAt = 0;
  /** Where a header or a short body that came in parts is put together. */
  private readonly scratch = Buffer.alloc(HEADER_BYTES);
  private scratchLength = 0;
  private debugLength = 0;

  /** @param maxDebugBytes how many of a GOAWAY's debug bytes are kept; the others are skipped */
  constructor(private readonly maxDebugBytes: number) {}

  /** Appends received bytes, which must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.chunks.push(chunk);
  }

  /** True while a frame has begun and not ended: the transport must not end here. */
  get midFrame(): boolean {
    return this.inBody || this.scratchLength > 0;
  }

  /**
   * Moves on to the next frame or piece; false when more bytes are needed.
   * @throws MuxError `frame_size` or `protocol` for what ends a session by README §1; the decoder is spent then
   */
  next(): boolean {
    for (;;) {
      if (!this.inBody) {
        if (!this.take(HEADER_BYTES)) return false;
        this.header = readHeader(this.taken, this.takenAt);
        this.remaining = this.header.length;
        this.inBody = true;
        this.first = true;
        check(this.header);
        this.payload = NOTHING;
      }
      switch (this.header.type) {
        case FrameType.DATA:
          return this.dataPiece();
        case FrameType.RST:
        case FrameType.WNDINC:
          return this.control();
        case FrameType.GOAWAY:
          return this.goAway();
        default:
          if (!this.skipBody()) return false;
          this.skippedFrames++;
      }
    }
  }

  private dataPiece(): boolean {
    if (this.remaining > 0) {
      // A first piece was handed out before if some of the body is gone already.
      this.first = this.remaining === this.header.length;
      const piece = this.cut(this.remaining);
      if (!piece) return false;
      this.payload = piece;
      this.remaining -= piece.length;
    }
    this.last = this.remaining === 0;
    this.inBody = !this.last;
    return true;
  }

  private control(): boolean {
    if (!this.take(CONTROL_BYTES)) return false;
    this.value = readU32(this.taken, this.takenAt);
    if (this.header.type === FrameType.WNDINC) {
      // The increment's top bit is reserved (README §1).
      this.value &= MAX_31;
      if (this.value === 0)
        throw new MuxError('protocol', `${describeFrame(this.header)}: an increment of zero`);
    }
    this.inBody = false;
    return true;
  }

  private goAway(): boolean {
    if (this.remaining === this.header.length) {
      if (!this.take(GOAWAY_FIXED_BYTES)) return false;
      this.lastStreamId = readU32(this.taken, this.takenAt) & MAX_31;
      this.value = readU32(this.taken, this.takenAt + 4);
      this.remaining -= GOAWAY_FIXED_BYTES;
      this.payload = Buffer.alloc(Math.min(this.remaining, this.maxDebugBytes));
      this.debugLength = 0;
    }
    while (this.debugLength < this.payload.length) {
      const piece = this.cut(this.payload.length - this.debugLength);
      if (!piece) return false;
      this.payload.set(piece, this.debugLength);
      this.debugLength += piece.length;
      this.remaining -= piece.length;
    }
    return this.skipBody();
  }

  private skipBody(): boolean {
    while (this.remaining > 0) {
      const piece = this.cut(this.remaining);
      if (!piece) return false;
      this.remaining -= piece.length;
    }
    this.inBody = false;
    return true;
  }

  /** Up to `max` bytes of the first chunk, uncopied; undefined when there are none. */
  private cut(max: number): Uint8Array | undefined {
    const chunk = this.chunks[0];
    if (!chunk) return undefined;
    const from = this.at;
    const to = Math.min(chunk.length, from + max);
    this.advance(chunk, to);
    return from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
  }

  /** Makes `count` (at most 8) bytes readable in one piece at `taken[takenAt]`; false when they are not all here. */
  private take(count: number): boolean {
    let chunk = this.chunks[0];
    if (chunk && this.scratchLength === 0 && chunk.length - this.at >= count) {
      this.taken = chunk;
      this.takenAt = this.at;
      this.advance(chunk, this.at + count);
      return true;
    }
    for (; chunk; chunk = this.chunks[0]) {
      const to = Math.min(chunk.length, this.at + count - this.scratchLength);
      this.scratch.set(chunk.subarray(this.at, to), this.scratchLength);
      this.scratchLength += to - this.at;
      this.advance(chunk, to);
      if (this.scratchLength === count) {
        this.taken = this.scratch;
        this.takenAt = 0;
        this.scratchLength = 0;
        return true;
      }
    }
    return false;
  }

  private advance(chunk: Uint8Array, to: number): void {
    if (to === chunk.length) {
      this.chunks.shift();
      this.at = 0;
    } else {
      this.at = to;
    }
  }
}

/** README §1, second table. */
function check(header: FrameHeader): void {
  const { type, length, streamId } = header;
  if (type > FrameType.GOAWAY) return;
  const wrongSize =
    type === FrameType.GOAWAY
      ? length < GOAWAY_FIXED_BYTES
      : type !== FrameType.DATA && length !== CONTROL_BYTES;
  if (wrongSize) throw new MuxError('frame_size', `${describeFrame(header)}: wrong length`);
  if (streamId > MAX_31) throw new MuxError('protocol', `${describeFrame(header)}: the id's top bit is set`);
  if ((streamId === 0) !== (type === FrameType.GOAWAY)) {
    throw new MuxError('protocol', `${describeFrame(header)}: not allowed on this stream id`);
  }
}
