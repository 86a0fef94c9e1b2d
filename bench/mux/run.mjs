// Benchmarks of src/mux against node:net and yamux, both ends in this process; see README.md beside this file.
// Usage: node bench/mux/run.mjs [rounds]    (after npm run build)
import v8 from 'node:v8';
import vm from 'node:vm';
import { loadYamux, moonwire, rawTcp } from './contenders.mjs';

const ROUNDS = Number(process.argv[2] ?? 15);
/** Rounds before the measured ones: the engine compiles what runs often only after a while. */
const WARM_UP = 5;
v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

const MiB = 1024 * 1024;
const all = (count, work) => Promise.all(Array.from({ length: count }, work));
const ms = (value) => value;
const micro = (count) => (value) => (value * 1000) / count;

/** What is measured; `show` turns the milliseconds of one round into `unit`. `raw`: node:net takes part. */
const CASES = [
  {
    title: '32 MiB there and back, 1 stream',
    unit: 'ms',
    show: ms,
    raw: true,
    work: (c) => c.echo(32 * MiB),
  },
  {
    title: '8 MiB there and back over 8 streams',
    unit: 'ms',
    show: ms,
    raw: true,
    work: (c) => all(8, () => c.echo(MiB)),
  },
  { title: '1-byte ping-pong', unit: 'µs', show: micro(2000), raw: true, work: (c) => c.pingPong(2000, 1) },
  {
    title: '1 KiB request and response',
    unit: 'per s',
    show: (value) => 2e6 / value,
    raw: true,
    work: (c) => c.pingPong(2000, 1024),
  },
  {
    title: 'open, echo 1 byte, close: one at a time',
    unit: 'µs',
    show: micro(1000),
    raw: true,
    work: async (c) => {
      for (let i = 0; i < 1000; i++) await c.echo(1);
    },
  },
  {
    title: 'open, echo 1 byte, close: 256 at once',
    unit: 'µs each',
    show: micro(256),
    raw: true,
    work: (c) => all(256, () => c.echo(1)),
  },
  {
    title: 'open, echo 1 byte, close: 10,000 at once',
    unit: 'µs each',
    show: micro(10_000),
    // That many TCP connections at once meet the limit of open files, and leave their ports waiting.
    raw: false,
    work: (c) => all(10_000, () => c.echo(1)),
  },
];

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const round = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const yamux = await loadYamux();
if (!yamux) console.log('yamux is left out: npm install --no-save @chainsafe/libp2p-yamux@7');
const contenders = { 'node:net': rawTcp, 'moonwire/mux': moonwire, ...(yamux ? { yamux } : {}) };

for (const { title, unit, show, raw, work } of CASES) {
  const times = new Map();
  // Contenders take turns, so that whatever else the machine does falls on all of them.
  for (let i = 0; i < WARM_UP + ROUNDS; i++) {
    for (const [name, make] of Object.entries(contenders)) {
      if (name === 'node:net' && !raw) continue;
      const contender = await make();
      const start = performance.now();
      await work(contender);
      const took = performance.now() - start;
      await contender.close();
      if (i >= WARM_UP) times.set(name, [...(times.get(name) ?? []), took]);
    }
  }
  const cells = [...times].map(([name, values]) => `${name} ${round(show(median(values)))}`);
  console.log(`${title} [${unit}]: ${cells.join(' · ')}`);
}

/** Memory of streams that have said one byte each way and wait; both ends are here. */
for (const [name, make] of Object.entries(contenders)) {
  if (name === 'node:net') continue;
  const contender = await make();
  const used = () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  await contender.hold(10);
  const before = used();
  const streams = await contender.hold(10_000);
  console.log(
    `memory of an idle stream, both ends [bytes]: ${name} ${round((used() - before) / streams.length)}`,
  );
  await contender.close();
}
process.exit(0);
