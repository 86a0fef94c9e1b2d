/** `limits` of servers and links: what one peer, or all of them together, may take. */

import { duration, section, setting, size, wholeNumber } from '../values.js';

const DAY = 86_400;

const perConnection = {
  frameBytes: setting(size(16, 2 ** 26), '64KiB', 'Longest frame or datagram of a device.'),
  sendBufferBytes: setting(
    size(1024, 2 ** 28),
    '48KiB',
    'Bytes waiting for one peer; a send beyond it fails and is counted.',
  ),
  sendStallSeconds: setting(
    duration(1, DAY),
    '10s',
    'A peer that takes nothing for so long while bytes wait for it is closed.',
  ),
};

/** Schema of a server's `limits`. */
export const serverLimits = section({
  ...perConnection,
  connections: setting(wholeNumber(1, 1_000_000), 10_000, 'Open connections, or peers of a UDP server.'),
  acceptsPerSecond: setting(wholeNumber(1, 100_000), 1000, 'New connections or peers a second.'),
  idleSeconds: setting(duration(0, 30 * DAY), '60s', 'A silent client is closed after it; 0 never.'),
  handshakeSeconds: setting(duration(1, 600), '10s', 'Time for TLS, WebSocket and MQTT handshakes.'),
  handshakes: setting(
    wholeNumber(1, 10_000),
    256,
    'TLS handshakes under way; further clients wait for theirs.',
  ),
  pendingHandshakes: setting(
    wholeNumber(1, 1_000_000),
    4096,
    'Connections whose TLS handshake is not over, those that wait for it among them; more are refused.',
  ),
});

/** Schema of a link's `limits`. */
export const linkLimits = section({
  ...perConnection,
  idleSeconds: setting(
    duration(0, 30 * DAY),
    0,
    'A silent link is closed and opened again after it; 0 never.',
  ),
});
