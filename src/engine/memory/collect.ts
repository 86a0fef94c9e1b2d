/** Collection of garbage when memory is short: V8 leaves it lying until its heap is nearly full. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage, which holds the process up: about 1 ms for each MiB that is kept. */
export type Collect = () => void;

/** What V8 gives programs that ask for it by a flag, which holds for contexts that are made from then on. */
export function collector(): Collect {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
