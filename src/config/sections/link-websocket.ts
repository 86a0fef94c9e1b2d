/** `websocket` of a link: a WebSocket that the engine opens. */

import { urls } from '../url.js';
import {
  duration,
  flag,
  headerValue,
  list,
  namedMap,
  optional,
  required,
  section,
  setting,
  text,
} from '../values.js';
import { connecting, MAX_ADDRESSES } from './remote.js';
import { clientTls } from './tls.js';

/** Schema of a link's `websocket`. */
export const webSocketLink = section({
  url: required(
    urls(['ws', 'wss'], true, MAX_ADDRESSES),
    'Where it is, ws:// or wss://; a list is tried in turn.',
  ),
  headers: setting(
    namedMap(headerValue(), 32),
    {},
    'Headers of the request, such as Authorization; secrets best from the environment.',
  ),
  subprotocols: setting(list(text(256), 16), [], 'Subprotocols offered, the preferred one first.'),
  stream: setting(
    flag(),
    false,
    'Its messages are the bytes of a stream for the protocol of the script; otherwise on_message gets each as {type, data, finish}.',
  ),
  pingSeconds: setting(
    duration(0, 86_400),
    '30s',
    'Time between pings; a peer that is silent from one to the next is closed; 0 never.',
  ),
  compression: setting(flag(), false, 'Offers compression (permessage-deflate).'),
  ...connecting,
  tls: optional(clientTls, 'What wss:// uses.'),
});
