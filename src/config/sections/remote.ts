/** What links over a network have in common. */

import { duration, setting } from '../values.js';

/** Most addresses of one link. */
export const MAX_ADDRESSES = 16;

const DAY = 86_400;

/** How a connection is opened, and how the system finds out that its peer is gone. */
export const connecting = {
  timeoutSeconds: setting(
    duration(1, 600),
    '10s',
    'Time a connection may take to open, handshakes included.',
  ),
  keepAliveSeconds: setting(
    duration(0, DAY),
    '60s',
    'Silence after which the system probes whether the peer still exists (TCP keep-alive); 0 never.',
  ),
};
