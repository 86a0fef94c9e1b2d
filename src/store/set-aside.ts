/**
 * Keeps bytes that could not be read for whoever wants to look at them, within a bound.
 */

import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { FILE_MODE, type FileSystem } from './files.js';

/** Most files set aside in one folder; later damage is only counted and logged. */
const MAX_FILES = 16;
/** Most bytes of one damaged part. */
const MAX_BYTES = 64 * 1024;

/** Copies `bytes` to `<name>.bad` in `folder`, unless that is there already. Never fails. */
export async function setAside(
  fs: FileSystem,
  folder: string,
  name: string,
  bytes: Uint8Array,
  log: Logger,
): Promise<void> {
  const file = join(folder, `${name}.bad`);
  log.error('a part of the store cannot be read and is set aside', { file, bytes: bytes.length });
  try {
    const names = await fs.readdir(folder);
    if (names.filter((found) => found.endsWith('.bad')).length >= MAX_FILES) return;
    const handle = await fs.open(file, 'wx', FILE_MODE);
    try {
      await handle.writeFile(bytes.subarray(0, MAX_BYTES));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    log.warn('a damaged part of the store could not be copied', { file, reason: messageOf(error) });
  }
}
