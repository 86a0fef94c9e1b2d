/**
 * Files a configuration names. A relative path counts from the working folder, as it does in CONNMIX, and when
 * nothing is there, from the folder of the configuration file.
 */

import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

/** What paths are relative to, in the order in which they are tried: absolute folders. */
export type Bases = readonly string[];

/** The absolute path of a readable file or folder; undefined when there is none. */
export function findPath(written: string, kind: 'file' | 'folder', bases: Bases): string | undefined {
  if (written.includes('\0')) return undefined;
  return candidates(written, bases).find((path) => {
    try {
      accessSync(path, constants.R_OK);
      const found = statSync(path);
      return kind === 'file' ? found.isFile() : found.isDirectory();
    } catch {
      return false;
    }
  });
}

/** The absolute paths `written` may mean. */
export function candidates(written: string, bases: Bases): string[] {
  return [...new Set(bases.map((base) => resolve(base, written)))];
}
