// Who takes part in what, and how each is started for it.
import { fileURLToPath } from 'node:url';
import { freePorts } from '../support/ports.mjs';
import { ServerProcess, startBare, startDevice, startEngine, startPeer } from '../support/server.mjs';
import { PROGRAMS } from './install.mjs';
import { startMosquitto } from './mosquitto.mjs';
import { startNodeRed } from './node-red.mjs';

export const MOONWIRE = 'Moonwire';
const SERVE = fileURLToPath(new URL('tarantool/serve.lua', import.meta.url));

const tarantool = (work) => () =>
  new ServerProcess([SERVE, work], undefined, { program: PROGRAMS.Tarantool.where() }).ready();
const nodeRed = (work) => async () =>
  startNodeRed(PROGRAMS['Node-RED'].where(), work, ...(await freePorts(1)));

/** Of each work: servers that do it, by name; the engine comes first. */
const WORKS = {
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
    Mosquitto: async () => startMosquitto(PROGRAMS.Mosquitto.where(), ...(await freePorts(1))),
  },
};

/** Those of a work that take part: names, of `names`, and how they are started. */
export const contestants = (work, names) =>
  Object.entries(WORKS[work]).filter(([name]) => names.includes(name));

/** Starts all of a work that take part, one after the other; should one fail, none is left running. */
export async function startAll(work, names) {
  const servers = new Map();
  try {
    for (const [name, start] of contestants(work, names)) servers.set(name, await start());
    return servers;
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
}

export async function stopAll(servers) {
  for (const server of servers.values()) await server.stop();
}
