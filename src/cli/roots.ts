import { dirname, resolve } from 'node:path';
import { LIBRARY_ROOT } from '../package.js';

/** Script roots for a script given by its path: the usual ones, its folder and the one above (`lua/protocols/x`). */
export function scriptRoots(file: string): string[] {
  const folder = dirname(resolve(file));
  return ['lua', dirname(folder), folder, LIBRARY_ROOT];
}
