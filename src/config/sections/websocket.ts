/** `websocket` of a server: whom it lets in by the handshake, and how it keeps in touch. */

import { duration, flag, list, optional, section, setting, text } from '../values.js';

/** Schema of a server's `websocket`. */
export const webSocket = section({
  path: optional(
    text(1024, 'a path'),
    'The only path served, without query; default: option path, else any.',
  ),
  subprotocols: optional(
    list(text(256), 100),
    'Subprotocols spoken, the preferred one first; clients must offer one of them. Default: none is agreed on.',
  ),
  origins: optional(
    list(text(1024), 1000),
    'Origins whose pages may connect, such as https://*.example.com; default: any.',
  ),
  compression: setting(flag(), false, 'Compresses messages (permessage-deflate), for up to 60 KB a client.'),
  pingSeconds: optional(
    duration(0, 86_400),
    'Time between pings, which keep quiet clients from being idle; 0 never. Default: a third of limits.idleSeconds, or 30 s without it.',
  ),
});
