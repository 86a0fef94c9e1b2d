/** `apiServer`: the HTTP and WebSocket API; the centre and every engine have one. */

import { bindAddress, duration, port, section, setting, size } from '../values.js';

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
  });
}
