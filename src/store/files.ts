/**
 * The few file operations the store is made of. Every file is readable by its owner alone: the state holds the
 * engine's private key.
 */

import type * as promises from 'node:fs/promises';
import { dirname } from 'node:path';

/** The part of `node:fs/promises` the store uses; tests put a failing one in its place. */
export type FileSystem = Pick<typeof promises, 'open' | 'readdir' | 'rename' | 'unlink' | 'mkdir'>;

/** Mode of every file. */
export const FILE_MODE = 0o600;

/** Makes a created, renamed or removed name itself durable. */
export async function syncFolder(fs: FileSystem, folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The first `max` bytes of a file. */
export function readBounded(fs: FileSystem, path: string, max: number): Promise<Buffer> {
  return readRange(fs, path, 0, max);
}

/** At most `max` bytes of a file from an offset on; fewer when it ends before. */
export async function readRange(fs: FileSystem, path: string, offset: number, max: number): Promise<Buffer> {
  const handle = await fs.open(path, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(size - offset, max)));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, offset + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** Puts a whole file in place: after a power cut there is either the old one or the new one. */
export async function replaceFile(fs: FileSystem, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await fs.open(temporary, 'w', FILE_MODE);
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, path);
  await syncFolder(fs, dirname(path));
}
