/** `logging`: where the log goes and how much of it. */

import { choice, optional, path, section, setting, wholeNumber } from '../values.js';

/** Schema of `logging`. */
export const logging = section({
  filename: optional(
    path(),
    'File to write to, rotated each day; without it the log goes to standard error.',
  ),
  maxFiles: setting(wholeNumber(1, 365), 7, 'Rotated files kept.'),
  level: setting(
    choice(['debug', 'info', 'warn', 'error']),
    'info',
    'Least weight of a line that is written; a change takes effect at once.',
  ),
});
