/** `mix.now`, `mix.monotonic`. */

import { type ApiFunction, value } from '../api.js';

export const clockFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.now',
    doc: 'The time: Unix seconds, UTC, with a fraction. It may jump when the clock is set.',
    params: [],
    returns: [value('seconds', 'number')],
    example: 'print(os.date("!%Y-%m-%d %H:%M:%S", mix.now()))',
    run: () => Date.now() / 1000,
  },
  {
    name: 'mix.monotonic',
    doc: 'Seconds, with a fraction, since the engine started. It never jumps: for measuring how long something took.',
    params: [],
    returns: [value('seconds', 'number')],
    example: 'local t = mix.monotonic()\nprint(mix.monotonic() - t)',
    run: () => performance.now() / 1000,
  },
];
