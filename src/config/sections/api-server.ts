/** `apiServer`: the HTTP and WebSocket API; the centre and every engine have one. */

import {
  bindAddress,
  duration,
  list,
  optional,
  port,
  reader,
  section,
  setting,
  size,
  wholeNumber,
} from '../values.js';
import { serverTls } from './tls.js';

const ORIGIN = /^https?:\/\/[A-Za-z0-9._-]{1,253}(:\d{1,5})?$/;

/** Where pages of browsers come from, as they say it in `Origin`. */
const origin = reader(
  'an origin such as https://console.example or http://localhost:8080',
  (value) => (typeof value === 'string' && ORIGIN.test(value) ? value : undefined),
  { type: 'string', pattern: ORIGIN.source },
);

const limits = section({
  connections: setting(wholeNumber(1, 100_000), 1000, 'Open connections, WebSockets among them.'),
  bodyBytes: setting(
    size(1024, 2 ** 26),
    '1MiB',
    'Longest body of a request, and longest WebSocket message.',
  ),
  sendBufferBytes: setting(
    size(65_536, 2 ** 28),
    '16MiB',
    'Bytes waiting for one WebSocket; it is closed when there are more.',
  ),
});

/** A listening address of Moonwire itself: on loopback unless `bind` says otherwise. */
export function endpoint(defaultPort: number, what: string) {
  return {
    port: setting(port(), defaultPort, `TCP port of ${what}; 0 takes any free one.`),
    bind: setting(bindAddress(), '127.0.0.1', `Address on which ${what} listens.`),
  };
}

/** Schema of an `apiServer` with its default port. */
export function apiServer(defaultPort: number) {
  return section({
    ...endpoint(defaultPort, 'the API'),
    readBufferSize: setting(size(0, 2 ** 24), 1024, 'A hint, kept for CONNMIX files.'),
    writeBufferSize: setting(size(0, 2 ** 24), 1024, 'A hint, kept for CONNMIX files.'),
    readTimeout: setting(duration(1, 86_400), '60s', 'An idle API connection is closed after it.'),
    writeTimeout: setting(duration(1, 86_400), '60s', 'An API client that takes nothing is closed after it.'),
    cors: setting(
      list(origin, 100),
      [],
      'Origins whose web pages may use the API; pages from elsewhere are refused.',
    ),
    tls: optional(serverTls, 'Adds TLS: https and wss, and nothing else.'),
    limits: setting(limits, {}, 'What API clients may take.'),
  });
}
