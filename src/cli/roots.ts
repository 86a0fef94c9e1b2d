import { dirname, resolve } from 'node:path';
import { LIBRARY_ROOT } from '../package.js';

/**
 * Script roots: the working folder's `lua`, then the library; between them, for a script given by its path, the
 * folder above it and its own (`lua/protocols/x.lua`).
 */
export function scriptRoots(file?: string): string[] {
  const own = file === undefined ? [] : [dirname(dirname(resolve(file))), dirname(resolve(file))];
  return [...new Set(['lua', ...own, LIBRARY_ROOT].map((root) => resolve(root)))];
}
