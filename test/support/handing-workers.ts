/** An engine with two workers that is replaced while devices talk to it. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePorts } from './ports.js';
import { DATAGRAMS, DatagramDevice, LINES, LineDevice, Restarting } from './restarting.js';

/** Starts it. */
export async function startWorkers(t: Test, env: Record<string, string> = {}) {
  const [tcp, udp, api] = (await freePorts(3)) as [number, number, number];
  const folder = t.testdir({ 'lines.lua': LINES, 'datagrams.lua': DATAGRAMS });
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  workers: 2
  apiServer: { port: ${api} }
  meshPoint: { port: 0 }
  servers:
    - { name: lines, port: ${tcp}, bind: 127.0.0.1, entry: ${folder}/lines.lua }
    - { name: datagrams, port: ${udp}, bind: 127.0.0.1, transport: udp, entry: ${folder}/datagrams.lua }
store: { path: ${folder}/data }
`,
  );
  const gateway = await Restarting.start(t, file, env);
  return { gateway, folder, file, tcp, udp, api };
}

/** Ids of its clients. */
export async function idsOf(api: number): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${api}/v1/clients?limit=1000`);
  return ((await answer.json()) as { clients: { id: string }[] }).clients.map(({ id }) => id);
}

/** Processes whose parent this is. */
export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Devices that talk until they are told to stop: so many by TCP, and others by UDP. */
export async function talking(t: Test, tcp: number, udp: number, count: number, others = 0) {
  const devices = await Promise.all(Array.from({ length: count }, () => LineDevice.connect(t, tcp)));
  const datagrams = await Promise.all(Array.from({ length: others }, () => DatagramDevice.connect(t, udp)));
  await Promise.all(datagrams.map((device) => device.answer()));
  let turn = 0;
  const traffic = setInterval(() => {
    for (let i = 0; i < 20; i++) {
      const device = devices[turn++ % devices.length]!;
      if (!device.closed) device.send();
    }
  }, 20);
  t.teardown(() => clearInterval(traffic));
  return {
    devices,
    /** Resolves, when all is answered, to what was wrong. */
    end: async (): Promise<string[]> => {
      clearInterval(traffic);
      await Promise.all([...devices, ...datagrams].map((device) => device.settle()));
      return [...devices, ...datagrams].map(({ wrong }) => wrong).filter((wrong) => wrong !== undefined);
    },
  };
}
