// How long each server takes to listen, and its memory: idle, with idle clients, and once each of these has spoken.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pause } from '../support/statistics.mjs';
import { contestants, startAll, stopAll } from './contestants.mjs';
import { FULL } from './scale.mjs';

const CROWD = fileURLToPath(new URL('crowd.mjs', import.meta.url));
const KINDS = { echo: 'TCP', mqtt: 'MQTT' };

export const MEMORY_COLUMNS = [
  ...['server', 'start to listening', 'RssAnon idle'],
  ...[`more with ${FULL.idleClients} idle clients`, 'each', 'once each has spoken', 'each'],
];

const MiB = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** A row a server; those of TCP, then those of MQTT. */
export async function memoryRows({ scale, names, note }) {
  const each = (bytes) => `${(bytes / scale.idleClients / 1024).toFixed(1)} KiB`;
  const rows = [];
  for (const kind of Object.keys(KINDS)) {
    note(`start of ${KINDS[kind]} servers`);
    const times = await startTimes(kind, scale, names);
    note(`memory of ${KINDS[kind]} servers`);
    for (const [name, { idle, clients, spoken }] of await memories(kind, scale, names)) {
      const [fastest, slowest] = [Math.min(...times.get(name)), Math.max(...times.get(name))];
      rows.push([
        ...[`${name}, ${KINDS[kind]}`, `${fastest.toFixed(0)} to ${slowest.toFixed(0)} ms`, MiB(idle)],
        ...[clients, spoken].flatMap((bytes) => [MiB(bytes - idle), each(bytes - idle)]),
      ]);
    }
  }
  return rows;
}

/** Of each server: milliseconds from the start of the process to its word that it listens. */
async function startTimes(kind, { starts }, names) {
  const taking = contestants(kind, names);
  const times = new Map(taking.map(([name]) => [name, []]));
  for (let i = 0; i < starts; i++) {
    for (const [name, start] of taking) {
      const server = await start();
      times.get(name).push(server.startMs);
      await server.stop();
    }
  }
  return times;
}

/** Of each server: bytes of RssAnon in each state. All are looked at together. */
async function memories(kind, { idleClients, quietMs }, names) {
  const servers = await startAll(kind, names);
  const crowds = [];
  const look = async () => {
    await pause(quietMs);
    return [...servers].map(([name, server]) => [name, server.rssAnon()]);
  };
  try {
    const idle = new Map(await look());
    for (const { port } of servers.values()) {
      const args = [CROWD, port, idleClients, kind].map(String);
      crowds.push(spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    }
    await Promise.all(crowds.map(told));
    const clients = new Map(await look());
    const answered = Promise.all(crowds.map(told));
    for (const crowd of crowds) crowd.stdin.write('\n');
    await answered;
    const spoken = new Map(await look());
    return [...servers.keys()].map((name) => [
      name,
      { idle: idle.get(name), clients: clients.get(name), spoken: spoken.get(name) },
    ]);
  } finally {
    for (const crowd of crowds) crowd.kill('SIGKILL');
    await stopAll(servers);
  }
}

/** Resolves to the next line of a crowd. */
async function told(crowd) {
  const lost = once(crowd, 'exit').then(([code]) => {
    throw new Error(`clients ended with ${code}`);
  });
  await Promise.race([once(crowd.stdout, 'data'), lost]);
}
