/** `engine.outbox`: what devices report, until somebody has taken it. */

import { duration, list, optional, section, setting, size, text, wholeNumber } from '../values.js';

/** Schema of `engine.outbox`. */
export const outbox = section({
  maxBytes: optional(
    size(2 ** 20, 2 ** 40),
    'Most bytes of reports on disk; half of store.maxBytes, a quarter where the centre or sinks share the store.',
  ),
  memoryBytes: setting(
    size(2 ** 18, 2 ** 30),
    '8MiB',
    'Most bytes that reports in memory take, about; beyond, they go to disk.',
  ),
  spillDelay: setting(
    duration(0.1, 3600),
    '5s',
    'How long a report that is not durable may be in memory only. Longer wears flash less.',
  ),
  drainRate: setting(
    wholeNumber(1, 1_000_000),
    1000,
    'Most reports a second that are sent of those that had to wait.',
  ),
  maxReportBytes: setting(size(256, 128 * 1024), '64KiB', 'Most bytes of the values of one report.'),
  urgentTopics: setting(list(text(256), 64), [], 'Topics that are sent before all others, and dropped last.'),
});
