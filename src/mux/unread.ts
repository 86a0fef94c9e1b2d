/**
 * Bytes a stream has received and nobody has read. Large chunks are kept as they came; small ones are copied into
 * blocks, so that a few bytes never keep the transport's whole read buffer in memory, and a million one-byte frames
 * do not become a million objects.
 */
import { Buffer } from 'node:buffer';

/** A chunk is kept as it is when it is at least this part of the memory it holds on to. */
const KEPT_SHARE = 1 / 4;
/** Sizes of a block: as much as is held already, within these bounds. */
const BLOCK_MIN = 64;
const BLOCK_MAX = 4096;

/** A first-in, first-out queue of bytes. */
export class UnreadQueue {
  /** Bytes held. */
  bytes = 0;
  private readonly chunks: Uint8Array[] = [];
  /** Where small chunks are collected; the filled part comes after everything in `chunks`. */
  private block: Uint8Array | undefined;
  private filled = 0;

  /** Appends a chunk, which must not be changed later. */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (chunk.length >= chunk.buffer.byteLength * KEPT_SHARE) {
      this.seal();
      this.chunks.push(chunk);
      return;
    }
    if (this.block && this.block.length - this.filled < chunk.length) this.seal();
    this.block ??= Buffer.allocUnsafe(Math.max(chunk.length, BLOCK_MIN, Math.min(BLOCK_MAX, this.bytes)));
    this.block.set(chunk, this.filled);
    this.filled += chunk.length;
  }

  /** Takes out the next bytes, as many as lie in one piece; undefined when there are none. */
  shift(): Uint8Array | undefined {
    if (this.chunks.length === 0) this.seal();
    const chunk = this.chunks.shift();
    if (chunk) this.bytes -= chunk.length;
    return chunk;
  }

  private seal(): void {
    if (!this.block) return;
    this.chunks.push(this.block.subarray(0, this.filled));
    this.block = undefined;
    this.filled = 0;
  }
}
