/** `access`: who may use the API, and whether doors may stand open. */

import { choice, flag, list, reader, required, section, setting, text } from '../values.js';

const HOST_PATTERN = /^[0-9A-Za-z*][0-9A-Za-z.:*-]{0,252}$/;

/** A pattern of peer addresses: `*` for all, or `*` in place of a part (`172.*.*.*`). */
const hostPattern = reader(
  'an address in which * stands for any part, such as * or 172.16.*.*',
  (value) => (typeof value === 'string' && HOST_PATTERN.test(value) ? value : undefined),
  { type: 'string' },
);

const user = section({
  username: required(text(128), 'Name to log in with.'),
  password: required(text(1024), 'Password, best taken from the environment. There is no default.'),
  roles: setting(list(choice(['read', 'write']), 2), ['read'], 'What the user may do: read, write or both.'),
  host: setting(hostPattern, '*', 'Addresses the user may come from; * stands for any part.'),
});

/** Schema of `access`. */
export const access = section({
  users: setting(list(user, 1000), [], 'Users of the API; a change takes effect at once.'),
  open: setting(flag(), false, 'true: listening beyond this machine without users or a join token is meant.'),
});
