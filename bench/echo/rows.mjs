// Echo in Lua over each protocol against the same on `node:net`, `node:tls`, `ws` and `aedes`.
import { certificate } from '../support/certificate.mjs';
import { median } from '../support/statistics.mjs';
import { Crowd } from './clients.mjs';
import { idleRows } from './idle.mjs';
import { PROTOCOLS } from './protocols.mjs';
import { workerRows } from './workers.mjs';

const SIZES = [128, 512];
const CONNECTIONS = [50, 5000];
const MESSAGES = 10_000;
const ROUNDS = 5;
const BUDGET = 2;

/** Rows of the table: CPU a message with rates and waits, then the memory of idle clients. */
export async function echoRows(note) {
  const tls = certificate();
  try {
    const rows = [];
    for (const protocol of PROTOCOLS) rows.push(...(await protocolRows(protocol, tls, note)));
    return [...rows, ...(await workerRows(note)), ...(await idleRows(tls, note))];
  } finally {
    tls.remove();
  }
}

async function protocolRows(protocol, tls, note) {
  const servers = await Promise.all(protocol.start(protocol.tls ? tls.files : undefined));
  const crowds = servers.map(({ port }) => new Crowd(port, protocol));
  const rows = [];
  try {
    for (const connections of CONNECTIONS) {
      note(`echo over ${protocol.name}, ${connections} connections`);
      for (const crowd of crowds) await crowd.grow(connections);
      for (const size of SIZES) {
        const measured = row(protocol, connections, size, await measure(servers, crowds, size));
        rows.push(measured);
        note(`${measured.figure} ${measured.details}`);
      }
    }
    return rows;
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.close()));
    for (const server of servers) await server.stop();
  }
}

/** Drives both servers in turn; who goes first changes. Of each: a result a round. */
async function measure(servers, crowds, size) {
  const work = async (i) => {
    const [cpu, began] = [servers[i].cpuMs(), performance.now()];
    const waits = await crowds[i].drive(size, MESSAGES);
    return {
      micros: ((servers[i].cpuMs() - cpu) * 1000) / MESSAGES,
      rate: MESSAGES / ((performance.now() - began) / 1000),
      waits: waits.sort(),
    };
  };
  for (const i of [0, 1, 0, 1]) await work(i);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const results = [];
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) results[i] = await work(i);
    rounds.push(results);
  }
  return rounds;
}

function row({ name }, connections, size, rounds) {
  const ratios = rounds.map(([ours, theirs]) => ours.micros / theirs.micros);
  const ratio = median(ratios);
  const of = (i, read, digits) => median(rounds.map((results) => read(results[i]))).toFixed(digits);
  const both = (read, digits) => `${of(0, read, digits)} against ${of(1, read, digits)}`;
  const quantiles = (i) =>
    [0.5, 0.95, 0.99].map((share) => of(i, ({ waits }) => waits[Math.floor(MESSAGES * share)], 1)).join('/');
  return {
    what: `${name}, ${size} bytes, ${connections} connections: CPU a message`,
    figure: `${ratio.toFixed(2)}×`,
    budget: `≤ ${BUDGET}×`,
    met: ratio <= BUDGET,
    details: [
      `${both(({ micros }) => micros, 1)} µs; rounds ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
      `${both(({ rate }) => rate, 0)}/s`,
      `p50/p95/p99 ${quantiles(0)} against ${quantiles(1)} ms`,
    ].join('; '),
  };
}
