/** `memory`: how much of it the process may have of its own. */

import { optional, section, size } from '../values.js';

/** Schema of `memory`. */
export const memory = section({
  max: optional(
    size(0, 2 ** 40),
    'Memory of its own (RssAnon) that all processes together may have: less is served before it is reached; 0: any. Default: nine tenths of what the cgroup, as of MemoryMax, bounds it to.',
  ),
});
