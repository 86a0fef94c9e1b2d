// One measurement of the outbox in a process of its own: node --expose-gc process.mjs BUNDLE FOLDER TASK ARGUMENT
// Prints one line of JSON.
import { readFileSync } from 'node:fs';

const [bundle, folder, task, argument] = process.argv.slice(2);
const { cborCodec, Clock, MemoryKeyValue, Outbox, silentLogger } = await import(bundle);

const values = (n) => ({
  power: 1250.5 + n,
  voltage: 230.1,
  energy: 123456 + n,
  state: 'running',
  phase: [1.25, 1.5, 1.75],
});
const deviceOf = (n) => `meter-${n % 1000}`;

const proc = (file, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/self/${file}`, 'utf8'))[1]);
const written = () => proc('io', 'write_bytes');
const rssAnon = () => proc('status', 'RssAnon') * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(options = {}) {
  return Outbox.open({
    folder,
    log: silentLogger,
    maxBytes: 2 ** 30,
    memoryBytes: 8 * 2 ** 20,
    maxAge: 7 * 86_400,
    spillDelay: 5,
    drainRate: 1_000_000,
    maxReportBytes: 65_536,
    urgentTopics: [],
    clock: new Clock(new MemoryKeyValue()),
    ...options,
  });
}

/** Takes and acknowledges at once; calls `live` for each live record. */
const takerOf = (outbox, live = () => {}) => ({
  taken: 0,
  offer(lane, { epoch, records }) {
    this.taken += records.length;
    if (lane === 'live') for (const record of records) live(record);
    setImmediate(() => {
      outbox.acknowledged(epoch, [[records[0][0], records.at(-1)[0]]]);
      outbox.ready(lane);
    });
    return true;
  },
});

const TASKS = {
  /** Durable reports, so many at a time. */
  async durable(together) {
    const outbox = await open();
    const most = Math.min(100_000, 400 * together);
    const size = cborCodec().encode([
      1000,
      deviceOf(0),
      Date.now() / 1000,
      1000.123,
      values(0),
      null,
      null,
    ]).length;
    const [bytes, began] = [written(), performance.now()];
    let count = 0;
    for (; count < most && performance.now() - began < 5000; ) {
      const commit = Array.from({ length: together }, () =>
        outbox.report({ deviceId: deviceOf(count), values: values(count++), durable: true }),
      );
      await Promise.all(commit);
    }
    const seconds = (performance.now() - began) / 1000;
    const ratio = (written() - bytes) / (count * size);
    await outbox.close();
    return { perSecond: count / seconds, ratio, size };
  },

  /** Eco reports with a link that takes them. */
  async eco(count) {
    const outbox = await open();
    const taker = takerOf(outbox);
    outbox.connect(taker);
    const began = performance.now();
    for (let i = 0; i < count; i++) {
      outbox.report({ deviceId: deviceOf(i), values: values(i), durable: false });
      if (i % 256 === 255) await turn();
    }
    while (taker.taken < count) await turn();
    const seconds = (performance.now() - began) / 1000;
    await outbox.close();
    return { perSecond: count / seconds };
  },

  /** Eco reports without a link, all of which go to disk. */
  async fill(count) {
    const outbox = await open();
    const began = performance.now();
    for (let i = 0; i < count; i++) {
      outbox.report({ deviceId: deviceOf(i), values: values(i), durable: false });
      if (i % 1000 === 999) await outbox.flush();
    }
    await outbox.flush();
    const { records, bytes } = outbox.status();
    const seconds = (performance.now() - began) / 1000;
    await outbox.close();
    return { perSecond: count / seconds, records, bytes };
  },

  /** The backlog drained, with live reports beside it. */
  async drain(rate) {
    const began = performance.now();
    const outbox = await open({ drainRate: rate });
    const opened = performance.now() - began;
    const { records } = outbox.status();
    globalThis.gc();
    const before = rssAnon();
    const latencies = [];
    let sent;
    const taker = takerOf(outbox, () => latencies.push(performance.now() - sent));
    outbox.connect(taker);
    const from = performance.now();
    let highest = 0;
    const stop = from + (rate < 1_000_000 ? 10_000 : 600_000);
    while (outbox.status().records > 0 && performance.now() < stop) {
      sent = performance.now();
      const seen = latencies.length;
      outbox.report({ deviceId: 'live', values: values(0), durable: false });
      while (latencies.length === seen) await turn();
      highest = Math.max(highest, rssAnon());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const seconds = (performance.now() - from) / 1000;
    latencies.sort((a, b) => a - b);
    const backlog = outbox.counters.acknowledged.backlog;
    await outbox.close();
    return {
      opened,
      records,
      perSecond: backlog / seconds,
      before,
      highest,
      median: latencies[latencies.length >> 1],
      slow: latencies[Math.floor(latencies.length * 0.99)],
    };
  },

  /** Memory with as many reports on disk as there is room for, and more coming. */
  async full(maxBytes) {
    const outbox = await open({ maxBytes });
    globalThis.gc();
    const before = rssAnon();
    let highest = 0;
    let count = 0;
    while (outbox.counters.dropped.full < 50_000) {
      for (let i = 0; i < 500; i++)
        outbox.report({ deviceId: deviceOf(count), values: values(count++), durable: false });
      await outbox.flush();
      highest = Math.max(highest, rssAnon());
    }
    const { records, bytes } = outbox.status();
    globalThis.gc();
    const after = rssAnon();
    await outbox.close();
    return { before, highest, after, records, bytes };
  },
};

process.stdout.write(`${JSON.stringify(await TASKS[task](Number(argument)))}\n`);
