/** `script`: where Lua is found and what a callback may use (design §3.5). */

import { choice, duration, list, path, section, setting, size, wholeNumber } from '../values.js';

/** Schema of `script`. */
export const script = section({
  roots: setting(list(path(), 16), ['lua'], 'Folders require() looks in; nothing outside them is readable.'),
  instructions: setting(
    wholeNumber(1000, 1_000_000_000),
    1_000_000,
    'Instructions of one callback and the coroutines it starts; the default is about 100 ms of work.',
  ),
  memoryBytes: setting(size(2 ** 20, 2 ** 32), '32MiB', 'Growth of the heap one callback may cause.'),
  compile: setting(
    choice(['auto', 'off']),
    'auto',
    'Whether pure protocol modules are compiled to JavaScript.',
  ),
  probation: setting(
    duration(0, 86_400),
    '30s',
    'Time in which a burst of errors puts the code before a reload in charge again; 0: never.',
  ),
});
