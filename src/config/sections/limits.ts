/** `limits` of servers and links: what one peer, or all of them together, may take. */

import { getHeapStatistics } from 'node:v8';
import { choice, duration, optional, section, setting, size, wholeNumber } from '../values.js';

const DAY = 86_400;

const perConnection = {
  frameBytes: setting(size(16, 2 ** 26), '64KiB', 'Longest frame or datagram of a device.'),
  sendBufferBytes: setting(
    size(1024, 2 ** 28),
    '48KiB',
    'Bytes waiting for one peer; what happens beyond them says sendOverflow.',
  ),
  sendOverflow: setting(
    choice(['refuse', 'close', 'dropOldest']),
    'refuse',
    'A send beyond sendBufferBytes fails, or closes the client, or takes the place of the oldest messages that wait.',
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
  connectionsPerAddress: setting(
    wholeNumber(0, 1_000_000),
    0,
    'Open connections or peers of one address, of IPv6 its /64; 0 any number.',
  ),
  acceptsPerSecondPerAddress: setting(
    wholeNumber(0, 100_000),
    0,
    'New connections or peers a second from one address, of IPv6 its /64; 0 any number.',
  ),
  messagesPerSecond: setting(
    wholeNumber(0, 1_000_000),
    0,
    'Frames, datagrams or packets a second that one client may send; 0 any number.',
  ),
  messagesBurst: optional(
    wholeNumber(1, 1_000_000),
    'How many of them may come at once after a rest; as many as in a second by default.',
  ),
  messageOverflow: setting(
    choice(['slow', 'drop', 'close']),
    'slow',
    'Messages beyond that are read later (datagrams are dropped when too many wait), or dropped, or close the client.',
  ),
  idleSeconds: setting(duration(0, 30 * DAY), '60s', 'A silent client is closed after it; 0 never.'),
  handshakeSeconds: setting(
    duration(1, 600),
    '10s',
    'Time for TLS, WebSocket and MQTT handshakes, and for an HTTP request.',
  ),
  sniffSeconds: setting(
    duration(0.1, 60),
    '2s',
    'With protocol auto or tls.plain: how long the first bytes are waited for; a silent client speaks the protocol of the script.',
  ),
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

/** What V8's heap may grow to, which the memory profile of a board bounds. */
function heapShare(share: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Math.floor(getHeapStatistics().heap_size_limit / share)));
}

/** Schema of `engine.limits`: what all servers of an engine may take together. */
export const engineLimits = section({
  connections: setting(
    wholeNumber(1, 10_000_000),
    // An idle TCP client takes about 4 KiB.
    () => heapShare(4096, 1000, 1_000_000),
    'Clients of all servers together; by default as many as fit the heap, which a memory profile bounds.',
  ),
  acceptsPerSecond: setting(
    wholeNumber(1, 1_000_000),
    10_000,
    'New connections or peers a second at all servers together.',
  ),
  handshakes: setting(
    wholeNumber(1, 100_000),
    512,
    'TLS handshakes under way at all servers; further clients wait for theirs.',
  ),
  pendingHandshakes: setting(
    wholeNumber(1, 1_000_000),
    16_384,
    'Connections of all servers whose TLS handshake is not over; more are refused.',
  ),
  pendingBytes: setting(
    size(65_536, 2 ** 34),
    () => heapShare(8, 2 ** 22, 2 ** 28),
    'Bytes waiting for all clients; beyond them each is sent no more than its equal share. Default: an eighth of the heap.',
  ),
  lagSeconds: setting(
    duration(0, 60),
    '3s',
    'While the event loop is late by more, new connections are refused; 0 never.',
  ),
});
