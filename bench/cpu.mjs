// CPU of the engine for each message, against a bare node:net server that does the same in JavaScript.
import { close, exchange, frame, open } from './support/clients.mjs';
import { startBare, startDevice, startEngine } from './support/server.mjs';
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

/** Protocols of the library against the same by hand: `request` in hex is answered by `reply` bytes. */
const GT06 = {
  request: '787822220f0c1d023305c9027ac8180c46586000140001cc00287d001f71000001000820860d0a',
  reply: 10,
  peer: 'gt06',
};
const MODBUS = { request: '000100000006010300000002', reply: 13, peer: 'modbus' };
const DEVICES = [
  { name: 'GT06, decoded and acknowledged', script: 'gt06', ...GT06, budget: 1.3 },
  { name: 'Modbus TCP, decoded and answered', script: 'modbus', ...MODBUS, budget: 1.3 },
  { name: 'GT06, looked at by a handler too', script: 'gt06_handled', ...GT06 },
  { name: 'Modbus TCP, answered by a handler', script: 'modbus_handled', ...MODBUS },
].flatMap((device) => [
  device,
  { ...device, name: `${device.name}, not compiled`, compile: 'off', budget: undefined },
]);

/** One row a shape, for the table. */
export async function cpuRows(note) {
  const shapes = SHAPES.map(({ script, size, ...shape }) => ({
    ...shape,
    start: () => [startEngine(script), startBare(script)],
    request: frame(size),
    reply: size,
  }));
  return rowsOf(shapes, note);
}

/** Rows of the protocols. */
export async function deviceRows(note) {
  const shapes = DEVICES.map(({ script, compile, peer, request, ...shape }) => ({
    ...shape,
    start: () => [startEngine(script, {}, compile), startDevice(peer)],
    request: Buffer.from(request, 'hex'),
    burst: 1,
    messages: 50_000,
  }));
  return rowsOf(shapes, note);
}

async function rowsOf(shapes, note) {
  const rows = [];
  for (const shape of shapes) {
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
async function measure({ start, request, reply, burst, messages }) {
  const servers = [];
  const sockets = [];
  try {
    servers.push(...(await Promise.all(start())));
    for (const { port } of servers) sockets.push(await open(port, CONNECTIONS));
    const work = async (i) => {
      const before = servers[i].cpuMs();
      await exchange(sockets[i], request, burst, messages, reply);
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
