// Who takes part in what, and how each is started for it.
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/ports.mjs';
import { ServerProcess, startBare, startDevice, startEngine, startPeer } from '../support/server.mjs';
import { PROGRAMS } from './install.mjs';
import { startMosquitto } from './mosquitto.mjs';
import { startNodeRed } from './node-red.mjs';

export const MOONWIRE = 'Moonwire';
const SERVE = fileURLToPath(new URL('tarantool/serve.lua', import.meta.url));

const tarantool = (work) => () =>
  new ServerProcess([SERVE, work], undefined, { program: PROGRAMS.Tarantool.where() }).ready();
const nodeRed = (work) => async () => startNodeRed(PROGRAMS['Node-RED'].where(), work, await freePort());

/** Of each work: servers that do it, by name; the engine comes first. */
export const WORKS = {
  echo: {
    [MOONWIRE]: () => startEngine('echo'),
    'node:net': () => startBare('echo'),
    Tarantool: tarantool('echo'),
    'Node-RED': nodeRed('echo'),
  },
  modbus: {
    [MOONWIRE]: () => startEngine('modbus'),
    'node:net': () => startDevice('modbus'),
    Tarantool: tarantool('modbus'),
    'Node-RED': nodeRed('modbus'),
  },
  gt06: {
    [MOONWIRE]: () => startEngine('gt06'),
    'node:net': () => startDevice('gt06'),
    Tarantool: tarantool('gt06'),
    'Node-RED': nodeRed('gt06'),
  },
  mqtt: {
    [MOONWIRE]: () => startEngine('echo_mqtt', { protocol: 'mqtt' }),
    aedes: () => startPeer('mqtt'),
    Mosquitto: async () => startMosquitto(PROGRAMS.Mosquitto.where(), await freePort()),
  },
};

/** Those of a work that are here: names and how they are started. */
export const present = (work) =>
  Object.entries(WORKS[work]).filter(([name]) => name === MOONWIRE || PROGRAMS[name].where() !== undefined);

/** Starts all that are here, one after the other; should one fail, none is left running. */
export async function startAll(work) {
  const servers = new Map();
  try {
    for (const [name, start] of present(work)) servers.set(name, await start());
    return servers;
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
}

export async function stopAll(servers) {
  for (const server of servers.values()) await server.stop();
}
