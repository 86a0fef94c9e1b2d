// CPU of the engine for each message, against a bare node:net server that does the same in JavaScript.
import { close, exchange, frame, open } from './support/clients.mjs';
import { startBare, startEngine } from './support/server.mjs';
import { median } from './support/statistics.mjs';

const CONNECTIONS = 50;

const ROUNDS = 7;

/** What is sent, `messages` of it a round. `budget`: the most the ratio may be; the others show where it goes. */
const SHAPES = [
  { name: '21 bytes, request and reply', script: 'echo', size: 21, burst: 1, messages: 50_000, budget: 2 },
  { name: '200 bytes, request and reply', script: 'echo', size: 200, burst: 1, messages: 50_000, budget: 2 },
  {
    name: '1000 bytes, request and reply',
    script: 'echo',
    size: 1000,
    burst: 1,
    messages: 50_000,
    budget: 2,
  },
  {
    name: '21 bytes, fields read and replied in Lua',
    script: 'reading',
    size: 21,
    burst: 1,
    messages: 50_000,
  },
  { name: '21 bytes, 16 frames in one packet', script: 'echo', size: 21, burst: 16, messages: 400_000 },
];

/** One row a shape, for the table. */
export async function cpuRows(note) {
  const rows = [];
  for (const shape of SHAPES) {
    note(`CPU: ${shape.name}`);
    const { engine, bare, ratio, ratios } = await measure(shape);
    rows.push({
      what: `CPU a message, ${shape.name}`,
      figure: `${ratio.toFixed(2)}×`,
      budget: shape.budget && `≤ ${shape.budget}×`,
      met: shape.budget && ratio <= shape.budget,
      details: `${engine.toFixed(1)} µs against ${bare.toFixed(1)} µs; rounds ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
    });
  }
  return rows;
}

/**
 * Drives both servers in turn, `ROUNDS` times; returns microseconds of CPU a message of each, and the median of
 * the rounds' ratios.
 */
async function measure({ script, size, burst, messages }) {
  const servers = [];
  const sockets = [];
  try {
    servers.push(await startEngine(script), await startBare(script));
    for (const { port } of servers) sockets.push(await open(port, CONNECTIONS));
    const bytes = frame(size);
    const work = async (i) => {
      const before = servers[i].cpuMs();
      await exchange(sockets[i], bytes, burst, messages);
      return ((servers[i].cpuMs() - before) * 1000) / messages;
    };
    for (const i of [0, 1, 0, 1]) await work(i);
    const results = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Who goes first changes, so that a drift of the machine's speed favours neither.
      const result = [];
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) result[i] = await work(i);
      results.push(result);
    }
    const ratios = results.map(([engine, bare]) => engine / bare);
    return {
      engine: median(results.map((result) => result[0])),
      bare: median(results.map((result) => result[1])),
      ratio: median(ratios),
      ratios,
    };
  } finally {
    await Promise.all(sockets.map(close));
    await Promise.all(servers.map((server) => server.stop()));
  }
}
