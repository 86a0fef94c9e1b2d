/** `center`: what the centre listens on. */

import { optional, section, setting, text } from '../values.js';
import { apiServer, endpoint } from './api-server.js';
import { serverTls } from './tls.js';

/** The port of the registry, which engines connect to. */
export const REGISTRY_PORT = 6786;

const registry = section({
  ...endpoint(REGISTRY_PORT, 'the registry'),
  tls: optional(serverTls, 'Adds TLS; engines dial tls:// or wss:// then, and nothing else is accepted.'),
});

/** Schema of `center`. */
export const center = section({
  registry: setting(registry, {}, 'Where uplinks of engines arrive.'),
  apiServer: setting(apiServer(6787), {}, 'The API of the centre.'),
  joinToken: optional(text(1024), 'Secret an unknown engine must prove it has; default: engine.joinToken.'),
});
