/** `store`: durable state. */

import { duration, path, section, setting, size } from '../values.js';

/** Schema of `store`. */
export const store = section({
  path: setting(path(), './data', 'Folder of the durable state, relative to the working folder.'),
  maxBytes: setting(size(2 ** 20, 2 ** 40), '64MiB', 'Most bytes on disk.'),
  maxAge: setting(duration(60, 3650 * 86_400), '7d', 'Reports and idle epochs older than this are dropped.'),
});
