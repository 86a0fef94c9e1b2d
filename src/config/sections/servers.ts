/** `engine.servers[]`: what devices connect to. */

import * as v from 'valibot';
import {
  bindAddress,
  choice,
  duration,
  optional,
  port,
  required,
  section,
  setting,
  size,
  toName,
} from '../values.js';
import { serverLimits } from './limits.js';
import { scriptHost } from './script-host.js';
import { deviceTls } from './tls.js';
import { webSocket } from './websocket.js';

const fields = section({
  ...scriptHost,
  port: required(port(), 'Port to listen on; 0 takes any free one.'),
  bind: setting(bindAddress(), '0.0.0.0', 'Address to listen on; every one unless said otherwise.'),
  transport: optional(
    choice(['tcp', 'udp', 'ws']),
    'tcp, udp or ws: the same bytes in WebSocket messages; default: udp for coap, else tcp.',
  ),
  protocol: setting(
    choice(['socket', 'websocket', 'mqtt', 'coap', 'http', 'auto']),
    'socket',
    'What is spoken: plain bytes to the script, or a protocol Moonwire knows; auto is socket, websocket and http on one port, told apart by the first bytes.',
  ),
  tls: optional(deviceTls, 'Adds TLS; not over UDP.'),
  websocket: setting(
    webSocket,
    {},
    'What concerns WebSockets, for protocol websocket or auto, or transport ws.',
  ),
  limits: setting(serverLimits, {}, 'What devices may take.'),
  readTimeout: optional(duration(0, 30 * 86_400), 'CONNMIX name of limits.idleSeconds.'),
  writeTimeout: optional(duration(1, 86_400), 'CONNMIX name of limits.sendStallSeconds.'),
  readBufferSize: setting(size(0, 2 ** 24), 1024, 'A hint, kept for CONNMIX files.'),
  writeBufferSize: setting(size(0, 2 ** 24), 1024, 'A hint, kept for CONNMIX files.'),
});

/** Schema of one server. In the result names are derived and CONNMIX's time-outs have become limits. */
export const server = v.pipe(
  fields,
  v.transform(({ readTimeout, writeTimeout, readBufferSize: _, writeBufferSize: __, ...rest }) => {
    const transport = rest.transport ?? (rest.protocol === 'coap' ? 'udp' : 'tcp');
    return {
      ...rest,
      transport,
      name: rest.name ?? toName(`${transport}-${rest.port}`),
      limits: {
        ...rest.limits,
        idleSeconds: readTimeout ?? rest.limits.idleSeconds,
        sendStallSeconds: writeTimeout ?? rest.limits.sendStallSeconds,
      },
    };
  }),
);
