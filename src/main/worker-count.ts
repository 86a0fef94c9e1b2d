/** How many workers there are to be. */

import { availableParallelism } from 'node:os';
import type { Config } from '../config/schema.js';

/** How many a configuration asks for; 0: all in one process. With a single core `auto` is none. */
export function workerCount({ workers }: Config['engine']): number {
  if (workers !== 'auto') return workers;
  const cores = availableParallelism();
  return cores > 1 ? cores : 0;
}
