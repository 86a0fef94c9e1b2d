/** Reads exact lengths from a file that is streamed. */

import { createReadStream } from 'node:fs';
import { MoonwireError } from '../../errors.js';

export class ByteSource {
  private held: Buffer = Buffer.alloc(0);
  private readonly chunks: AsyncIterator<Buffer>;
  /** Bytes taken so far. */
  position = 0;

  constructor(readonly file: string) {
    this.chunks = createReadStream(file)[Symbol.asyncIterator]();
  }

  /** The next n bytes; undefined at the end of the file. Throws when the file ends within them. */
  async take(n: number): Promise<Buffer | undefined> {
    while (this.held.length < n) {
      const { done, value } = await this.chunks.next();
      if (done) {
        if (this.held.length === 0) return undefined;
        this.fail(`the file ends in the middle of ${n} bytes`);
      }
      // At most one short rest a chunk of the file is copied.
      this.held = Buffer.concat([this.held, value]);
    }
    this.position += n;
    const bytes = this.held.subarray(0, n);
    this.held = this.held.subarray(n);
    return bytes;
  }

  /** As `take`, for bytes that must follow. */
  async need(n: number): Promise<Buffer> {
    return (n === 0 ? Buffer.alloc(0) : await this.take(n)) ?? this.fail(`${n} more bytes must follow`);
  }

  /** Raises with the file and the place in it. */
  fail(problem: string): never {
    throw new MoonwireError('invalid_argument', `${this.file}: at byte ${this.position}: ${problem}`);
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.chunks.return?.();
  }
}
