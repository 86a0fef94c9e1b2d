/**
 * Received bytes that wait to be cut. Chunks stay as they came; bytes are copied only when a cut crosses chunks,
 * when many tiny chunks come in a row, or when a few bytes would keep a large chunk in memory.
 */

const EMPTY = new Uint8Array(0);
/** A chunk up to this size that follows others is copied into a block with them: bytes that come one by one. */
const SMALL = 512;
/** Sizes of such a block: as much as is held already, within these bounds, so that there are few of them. */
const BLOCK_MIN = 64;
const BLOCK_MAX = 8192;
/** A rest that is less than a quarter of its memory, where that is more than this, is copied out. */
const PIN_MIN = 512;

/** A queue of bytes. Positions count from 0 at the first byte held. Values it returns may share its memory. */
export class ChunkQueue {
  /** The first chunk and how much of it is gone. */
  private first: Uint8Array = EMPTY;
  private gone = 0;
  /** The other chunks in order. */
  private rest: Uint8Array[] = [];
  /** The block of which the last chunk is a part and how much of it is used; small chunks are added to it. */
  private block: Uint8Array = EMPTY;
  private used = 0;
  /** Where the last look beyond the first chunk ended: index in `rest` and the position of that chunk's start. */
  private seen = 0;
  private seenAt = 0;
  private size = 0;

  /** Bytes held. */
  get length(): number {
    return this.size;
  }

  /** Appends bytes; the caller must not change them afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.size === 0) this.first = bytes;
    else if (bytes.length <= SMALL) this.append(bytes);
    else {
      this.rest.push(bytes);
      this.block = EMPTY;
    }
    this.size += bytes.length;
  }

  private append(bytes: Uint8Array): void {
    if (this.block.length - this.used >= bytes.length) {
      this.block.set(bytes, this.used);
      this.used += bytes.length;
      const chunk = this.block.subarray(0, this.used);
      if (this.rest.length > 0) this.rest[this.rest.length - 1] = chunk;
      else this.first = chunk;
    } else {
      this.block = new Uint8Array(
        Math.max(bytes.length, Math.min(BLOCK_MAX, Math.max(BLOCK_MIN, this.size))),
      );
      this.block.set(bytes);
      this.used = bytes.length;
      this.rest.push(this.block.subarray(0, this.used));
    }
  }

  /** The byte at `position`, which must be below `length`. */
  at(position: number): number {
    const index = this.gone + position;
    return index < this.first.length ? this.first[index]! : this.atRest(position);
  }

  private atRest(position: number): number {
    this.seek(position);
    return this.rest[this.seen]![position - this.seenAt]!;
  }

  /** Moves `seen` to the chunk of `rest` that holds `position`; looks mostly go forward, so it starts where it was. */
  private seek(position: number): void {
    if (this.seenAt === 0 || position < this.seenAt) {
      this.seen = 0;
      this.seenAt = this.first.length - this.gone;
    }
    while (position - this.seenAt >= this.rest[this.seen]!.length) {
      this.seenAt += this.rest[this.seen]!.length;
      this.seen++;
    }
  }

  /** The position of the first `byte` at or after `from`, or -1. */
  indexOfByte(byte: number, from = 0): number {
    let start = this.first.length - this.gone;
    if (from < start) {
      const index = this.first.indexOf(byte, this.gone + from);
      if (index >= 0) return index - this.gone;
    }
    for (const chunk of this.rest) {
      if (from < start + chunk.length) {
        const index = chunk.indexOf(byte, Math.max(0, from - start));
        if (index >= 0) return start + index;
      }
      start += chunk.length;
    }
    return -1;
  }

  /** The position of the first occurrence of `pattern` (at least one byte) at or after `from`, or -1. */
  indexOf(pattern: Uint8Array, from = 0): number {
    for (let at = from; ; at++) {
      at = this.indexOfByte(pattern[0]!, at);
      if (at < 0 || at + pattern.length > this.size) return -1;
      if (this.matches(pattern, at)) return at;
    }
  }

  /** Whether `pattern` stands at `position`, as far as bytes are held: a part of it at the end counts. */
  matches(pattern: Uint8Array, position: number): boolean {
    const end = Math.min(pattern.length, this.size - position);
    for (let i = 0; i < end; i++) if (this.at(position + i) !== pattern[i]) return false;
    return true;
  }

  /** Bytes from `from` up to but not including `to` (at most `length`), in one piece. They stay in the queue. */
  peek(from: number, to: number): Uint8Array {
    if (this.gone + to > this.first.length) this.join(to);
    return this.first.subarray(this.gone + from, this.gone + to);
  }

  /**
   * All bytes held, in one piece. What follows is added to it where it is small, so that asking again whenever a few
   * bytes came does not copy all of it again.
   */
  whole(): Uint8Array {
    if (this.rest.length > 0) {
      const { size } = this;
      const block = new Uint8Array(2 * size);
      block.set(this.peek(0, size));
      this.first = block.subarray(0, size);
      this.gone = 0;
      this.block = block;
      this.used = size;
    }
    return this.first.subarray(this.gone);
  }

  /** Makes the first `length` bytes one chunk. */
  private join(length: number): void {
    const joined = new Uint8Array(length);
    joined.set(this.first.subarray(this.gone));
    let filled = this.first.length - this.gone;
    let taken = 0;
    while (filled < length) {
      const chunk = this.rest[taken]!;
      const part = Math.min(chunk.length, length - filled);
      joined.set(part === chunk.length ? chunk : chunk.subarray(0, part), filled);
      filled += part;
      if (part < chunk.length) {
        this.rest[taken] = chunk.subarray(part);
        break;
      }
      taken++;
    }
    this.rest.splice(0, taken);
    this.first = joined;
    this.gone = 0;
    this.seenAt = 0;
    // The block's chunk may have been taken or cut; the next small chunk begins a new one.
    this.block = EMPTY;
  }

  /** Drops the first `length` bytes (at most as many as are held). */
  skip(length: number): void {
    this.seenAt = 0;
    this.size -= length;
    if (this.size === 0) {
      this.first = EMPTY;
      this.gone = 0;
      if (this.rest.length > 0) this.rest = [];
      this.block = EMPTY;
      return;
    }
    this.gone += length;
    let taken = 0;
    while (this.gone >= this.first.length) {
      this.gone -= this.first.length;
      this.first = this.rest[taken++]!;
    }
    if (taken > 0) this.rest.splice(0, taken);
  }

  /** Takes the first `length` bytes out, in one piece. */
  shift(length: number): Uint8Array {
    const bytes = this.peek(0, length);
    this.skip(length);
    return bytes;
  }

  /** Drops everything. */
  clear(): void {
    this.skip(this.size);
  }

  /**
   * To be called when what is held will wait for more: copies a small rest out of a large chunk, so that a few
   * bytes of an idle connection do not keep a socket's whole read buffer in memory.
   */
  settle(): void {
    if (this.size === 0 || this.rest.length > 0) return;
    const memory = this.first.buffer.byteLength;
    if (memory <= PIN_MIN || this.size * 4 >= memory) return;
    // Not slice(), which for a Buffer shares memory.
    this.first = new Uint8Array(this.first.subarray(this.gone));
    this.gone = 0;
    this.block = EMPTY;
  }
}
