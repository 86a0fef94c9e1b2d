/** A file of lines that makes way for a new one when it is long or old: `x`, the one before `x.1`, then `x.2`, … */

import type { FileHandle } from 'node:fs/promises';
import * as promises from 'node:fs/promises';
import { dirname } from 'node:path';

/** How a file is kept. */
export interface RotationSettings {
  readonly path: string;
  /** Bytes at which a new file begins. */
  readonly rotateBytes: number;
  /** Seconds after which a new file begins; 0 never. */
  readonly rotateAge: number;
  /** Old files that are kept. */
  readonly keep: number;
}

/** What is read at a time in search of the last line's end. */
const CHUNK = 64 * 1024;
const NEWLINE = 0x0a;

export class RotatedFile {
  private handle: FileHandle | undefined;
  /** Bytes of whole lines. */
  private size = 0;
  /** Unix milliseconds. */
  private began = 0;

  constructor(private readonly settings: RotationSettings) {}

  /**
   * Appends whole lines and resolves when they are on disk. Opens the file first when it is not: a last line that
   * was cut short by a crash is removed then. Rejects with the file system's error; what was written of the lines
   * is removed before the next ones.
   */
  async append(lines: Uint8Array): Promise<void> {
    const { rotateBytes, rotateAge } = this.settings;
    let handle = this.handle ?? (await this.open());
    const isOld = rotateAge > 0 && Date.now() - this.began > rotateAge * 1000;
    if (this.size > 0 && (this.size + lines.length > rotateBytes || isOld)) {
      await this.rotate();
      handle = await this.open();
    }
    try {
      for (let done = 0; done < lines.length; ) {
        const { bytesWritten } = await handle.write(lines, done, lines.length - done, this.size + done);
        done += bytesWritten;
      }
      await handle.datasync();
      this.size += lines.length;
    } catch (error) {
      // Opening it again cuts off what is not a whole line, but whole lines would stay.
      await handle.truncate(this.size).catch(() => {});
      await this.close();
      throw error;
    }
  }

  /** Never fails. */
  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close().catch(() => {});
  }

  private async open(): Promise<FileHandle> {
    const { path } = this.settings;
    await promises.mkdir(dirname(path), { recursive: true });
    // Not for appending, which would ignore positions.
    const handle = await promises.open(path, promises.constants.O_RDWR | promises.constants.O_CREAT, 0o640);
    try {
      const { size, birthtimeMs, mtimeMs } = await handle.stat();
      this.size = await wholeLines(handle, size);
      if (this.size < size) await handle.truncate(this.size);
      this.began = size === 0 ? Date.now() : birthtimeMs || mtimeMs;
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    this.handle = handle;
    return handle;
  }

  private async rotate(): Promise<void> {
    const { path, keep } = this.settings;
    await this.close();
    for (let i = keep; i > 0; i--) {
      await promises.rename(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
    }
  }
}

/** Bytes up to the end of the last line of a file of `size` bytes. */
async function wholeLines(handle: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - CHUNK);
    const { bytesRead } = await handle.read(chunk, 0, end - from, from);
    const at = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (at !== -1) return from + at + 1;
    end = from;
  }
  return 0;
}
