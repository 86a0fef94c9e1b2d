// What a second process does for the rate: the echo over TCP by an engine with one process, and with two workers.
import { availableParallelism } from 'node:os';
import { startEngine } from '../support/server.mjs';
import { median } from '../support/statistics.mjs';
import { Crowd } from './clients.mjs';
import { PROTOCOLS } from './protocols.mjs';

const CONNECTIONS = 50;
const SIZE = 128;
const MESSAGES = 20_000;
const ROUNDS = 5;

/** One row: the rate with two workers against that of one process. */
export async function workerRows(note) {
  note('echo with 2 workers');
  const [tcp] = PROTOCOLS;
  const servers = [await startEngine('echo'), await startEngine('echo', {}, 'auto', { workers: 2 })];
  const crowds = servers.map(({ port }) => new Crowd(port, tcp));
  try {
    for (const crowd of crowds) await crowd.grow(CONNECTIONS);
    const rate = async (i) => {
      const began = performance.now();
      await crowds[i].drive(SIZE, MESSAGES);
      return MESSAGES / ((performance.now() - began) / 1000);
    };
    for (const i of [0, 1, 0, 1]) await rate(i);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const rates = [];
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) rates[i] = await rate(i);
      rounds.push(rates);
    }
    const [one, two] = [0, 1].map((i) => median(rounds.map((rates) => rates[i])).toFixed(0));
    return [
      {
        what: `TCP, ${SIZE} bytes, ${CONNECTIONS} connections: rate with 2 workers`,
        figure: `${median(rounds.map(([alone, workers]) => workers / alone)).toFixed(2)}×`,
        details: `${two}/s against ${one}/s of one process; the client takes one of ${availableParallelism()} cores`,
      },
    ];
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.close()));
    for (const server of servers) await server.stop();
  }
}
