/** `engine`: one gateway, its servers and links, its uplink. */

import { hostname } from 'node:os';
import { parseRegistryAddress, type RegistryAddress } from '../address.js';
import {
  choice,
  duration,
  list,
  name,
  namedMap,
  optional,
  reader,
  section,
  setting,
  text,
  toName,
} from '../values.js';
import { addedLinks } from './added-links.js';
import { apiServer, endpoint } from './api-server.js';
import { REGISTRY_PORT } from './center.js';
import { engineLimits } from './limits.js';
import { link } from './links.js';
import { luavm } from './luavm.js';
import { mqtt } from './mqtt.js';
import { outbox } from './outbox.js';
import { server } from './servers.js';
import { clientTls } from './tls.js';
import { workerCount } from './workers.js';

const MAX_CENTERS = 16;

const centerRegistry = reader<readonly RegistryAddress[]>(
  `an address such as center.example:6786 or tls://center.example:6786, or a list of at most ${MAX_CENTERS}`,
  (value) => {
    const written = Array.isArray(value) ? value : [value];
    const addresses = written.map((item) =>
      typeof item === 'string' ? parseRegistryAddress(item, REGISTRY_PORT) : undefined,
    );
    if (addresses.length > MAX_CENTERS) return undefined;
    return addresses.every((address) => address !== undefined) ? addresses : undefined;
  },
  { type: ['string', 'array'] },
);

const heartbeat = section({
  interval: setting(duration(1, 3600), '10s', 'Time between heartbeats; minutes on a metered link.'),
  tolerance: setting(duration(1, 3600), '15s', 'Further silence after which the uplink counts as dead.'),
});

/** Schema of `engine`. */
export const engine = section({
  name: setting(name(), () => toName(hostname()), 'Name of this engine; the name of the machine by default.'),
  labels: setting(namedMap(text(256), 64), {}, 'Free facts about this engine, shown wherever it is named.'),
  centerRegistry: setting(centerRegistry, [], 'Centres, tried in turn; none: the engine works alone.'),
  centerTls: optional(clientTls, 'Certificates and versions towards centres at tls:// and wss://.'),
  joinToken: optional(text(1024), 'Secret an engine shows to a centre that does not know it yet.'),
  heartbeat: setting(heartbeat, {}, 'How soon a dead uplink is noticed.'),
  meshPoint: setting(section(endpoint(6788, 'the mesh point')), {}, 'Where other engines arrive.'),
  apiServer: setting(apiServer(6789), {}, 'The API of the engine.'),
  outbox: setting(outbox, {}, 'Reports that wait to be taken.'),
  luavm: setting(luavm, {}, 'What all scripts share.'),
  mqtt: setting(mqtt, {}, 'What MQTT servers keep for their devices.'),
  workers: setting(
    workerCount,
    0,
    'Processes that serve devices, each an engine of its own; auto: one for each core. 0: all in one process.',
  ),
  balance: setting(
    choice(['rr', 'random', 'least', 'hash']),
    'rr',
    'Which worker gets a connection: in turn, any, the one with the fewest, or the same one for an address.',
  ),
  workerTimeout: setting(
    duration(1, 600),
    '30s',
    'A worker that says nothing for so long hangs, and is replaced.',
  ),
  limits: setting(engineLimits, {}, 'What all servers may take together.'),
  servers: setting(list(server, 256), [], 'What devices connect to.'),
  links: setting(list(link, 256), [], 'Connections the engine opens itself.'),
  addedLinks: setting(addedLinks, {}, 'Links that are added while the engine runs.'),
});
