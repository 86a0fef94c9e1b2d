/** `watchdog`: what ends a process whose event loop hangs. */

import { duration, section, setting } from '../values.js';

/** Schema of `watchdog`. */
export const watchdog = section({
  seconds: setting(
    duration(0, 3600),
    0,
    'A thread ends the process when its event loop does not turn for so long, and tells what it was doing; 0: no thread.',
  ),
});
