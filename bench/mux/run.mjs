// Benchmarks of src/mux against node:net and yamux; see README.md beside this file.
import v8 from 'node:v8';
import vm from 'node:vm';
import { moonwire, rawTcp } from './contenders.mjs';

const ROUNDS = Number(process.argv[2] ?? 7);
v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

const MiB = 1024 * 1024;
const BLOCK = Buffer.alloc(64 * 1024, 7);

/** Writes `bytes` to an echoing stream with back-pressure, reads them back, and ends it. */
function echo(stream, bytes) {
  return new Promise((resolve, reject) => {
    let received = 0;
    let sent = 0;
    const pump = () => {
      while (sent < bytes) {
        const block = bytes - sent < BLOCK.length ? BLOCK.subarray(0, bytes - sent) : BLOCK;
        sent += block.length;
        if (sent === bytes) stream.end(block);
        else if (!stream.write(block)) {
          stream.once('drain', pump);
          return;
        }
      }
    };
    stream.on('data', (chunk) => {
      received += chunk.length;
    });
    stream.on('error', reject);
    stream.on('close', () =>
      received === bytes ? resolve() : reject(new Error(`${received} of ${bytes} bytes came back`)),
    );
    pump();
  });
}

/** `count` requests of `size` bytes one after the other on one stream, each answered before the next. */
function pingPong(stream, count, size) {
  const request = BLOCK.subarray(0, size);
  return new Promise((resolve, reject) => {
    let left = count;
    let due = size;
    stream.on('data', (chunk) => {
      due -= chunk.length;
      if (due > 0) return;
      due = size;
      if (--left > 0) stream.write(request);
      else stream.end();
    });
    stream.on('error', reject);
    stream.on('close', resolve);
    stream.write(request);
  });
}

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const all = (count, make) => Promise.all(Array.from({ length: count }, make));

/** name, unit, how the milliseconds become that unit, work, and whether TCP connections can take part. */
const CASES = [
  ['32 MiB there and back, 1 stream', 'ms', (ms) => ms, (c) => echo(c.open(), 32 * MiB)],
  ['8 × 4 MiB there and back, 8 streams', 'ms', (ms) => ms, (c) => all(8, () => echo(c.open(), 4 * MiB))],
  ['8 × 1 MiB there and back, 8 streams', 'ms', (ms) => ms, (c) => all(8, () => echo(c.open(), MiB))],
  ['1-byte ping-pong on an open stream', 'µs', (ms) => ms, (c) => pingPong(c.open(), 1000, 1)],
  ['1 KiB request/response', 'per s', (ms) => 1e6 / ms, (c) => pingPong(c.open(), 1000, 1024)],
  [
    'open, echo 1 byte, close; one at a time',
    'µs',
    (ms) => ms,
    async (c) => {
      for (let i = 0; i < 1000; i++) await echo(c.open(), 1);
    },
  ],
  ['open, echo, close; 256 at once', 'µs each', (ms) => (ms * 1000) / 256, (c) => all(256, () => echo(c.open(), 1))],
  [
    'open, echo, close; 10,000 at once',
    'µs each',
    (ms) => ms / 10,
    (c) => all(10_000, () => echo(c.open(), 1)),
    { tcp: false },
  ],
];

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const show = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const makers = [rawTcp, moonwire];
const names = [];
for (const [title, unit, convert, work, { tcp = true } = {}] of CASES) {
  const figures = new Map();
  // Contenders take turns, so that whatever else the machine does falls on all of them.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const make of makers) {
      if (make === rawTcp && !tcp) continue;
      const contender = await make();
      const ms = await timed(() => work(contender));
      await contender.close();
      if (!figures.has(contender.name)) figures.set(contender.name, []);
      // The first round warms up.
      if (round > 0) figures.get(contender.name).push(convert(ms));
      gc();
    }
  }
  const cells = [...figures].map(([name, values]) => `${name} ${show(median(values))}`);
  console.log(`${title} [${unit}]: ${cells.join(' | ')}`);
}

/** Memory of streams that have said one byte each way and wait; both ends are in this process. */
async function memoryPerStream() {
  const contender = await moonwire();
  const count = 10_000;
  const used = () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  await echo(contender.open(), 1);
  const before = used();
  const streams = await all(
    count,
    () =>
      new Promise((resolve) => {
        const stream = contender.open();
        stream.once('data', () => resolve(stream));
        stream.write('x');
      }),
  );
  const each = (used() - before) / count;
  console.log(`memory of an idle stream, both its ends: ${show(each)} bytes (${streams.length} streams)`);
  await contender.close();
}
await memoryPerStream();
