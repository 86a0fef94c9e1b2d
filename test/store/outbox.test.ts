import t from 'tap';
import type { Outbox } from '../../src/store/outbox.js';
import { openOutbox, TestTaker, until } from './outbox-support.js';
import { segmentsOf } from './support.js';

const eco = (outbox: Outbox, device: string, values: unknown = { n: 1 }): void => {
  outbox.report({ deviceId: device, values, durable: false });
};
const durable = async (outbox: Outbox, device: string, values: unknown = { n: 1 }): Promise<void> =>
  outbox.report({ deviceId: device, values, durable: true }) as Promise<void>;

t.test('with a link, reports go live, in order, and nothing is left', async (t) => {
  const outbox = await openOutbox(t.testdir());
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  for (let i = 0; i < 1000; i++) eco(outbox, `d${i}`);
  await durable(outbox, 'last');
  await until(() => outbox.status().records === 0);
  t.same(taker.devices('live'), [...Array.from({ length: 1000 }, (_, i) => `d${i}`), 'last']);
  t.equal(taker.records('backlog').length, 0);
  const { counters } = outbox.status();
  t.match(counters, { reports: 1001, acknowledged: { live: 1001, backlog: 0 }, spilled: 0 });
  t.same(
    taker.records().map(([seq]) => seq),
    Array.from({ length: 1001 }, (_, i) => i + 1),
    'sequences count from 1',
  );
  const [, device, time, mono, values, topic, quality] = taker.records()[0]!;
  t.match({ device, values, topic, quality }, { device: 'd0', values: { n: 1 }, topic: null, quality: null });
  t.ok(Math.abs(time! - Date.now() / 1000) < 60);
  t.type(mono, 'number');
  await outbox.close();
  const again = await openOutbox(t.testdirName);
  t.equal(again.status().records, 0, 'and nothing comes back after a restart');
  t.not(again.epoch, outbox.epoch);
  await again.close();
});

t.test(
  'without a link, reports are spilled within the delay, and come back as backlog in order',
  async (t) => {
    const folder = t.testdir();
    const outbox = await openOutbox(folder);
    for (let i = 0; i < 700; i++) eco(outbox, `e${i}`);
    await durable(outbox, 'd0');
    await until(() => outbox.status().memoryRecords === 0);
    t.equal(outbox.status().records, 701);
    t.equal(outbox.status().counters.spilled, 700);
    await outbox.close();

    const again = await openOutbox(folder);
    t.equal(again.status().records, 701);
    t.ok(again.status().oldest! <= Date.now() / 1000);
    const taker = new TestTaker(again);
    again.connect(taker);
    eco(again, 'now');
    await until(() => again.status().records === 0);
    t.same(taker.devices('live'), ['now']);
    t.same(taker.devices('backlog'), ['d0', ...Array.from({ length: 700 }, (_, i) => `e${i}`)]);
    for (const { lane, batch } of taker.batches) {
      t.equal(batch.epoch, lane === 'live' ? again.epoch : outbox.epoch, 'older epochs keep their number');
    }
    await again.close();
    const third = await openOutbox(folder);
    t.equal(third.status().records, 0, 'acknowledgements are on disk');
    await third.close();
  },
);

t.test('a link that ends: what was offered and not acknowledged is offered again, as backlog', async (t) => {
  const outbox = await openOutbox(t.testdir(), { spillDelay: 60 });
  const first = new TestTaker(outbox);
  first.acknowledges = false;
  outbox.connect(first);
  for (let i = 0; i < 10; i++) eco(outbox, `e${i}`);
  await durable(outbox, 'd');
  await until(() => first.records().length === 11);
  outbox.acknowledged(outbox.epoch, [[1, 5]]);
  outbox.connect(undefined);
  eco(outbox, 'meanwhile');
  const second = new TestTaker(outbox);
  outbox.connect(second);
  await until(() => outbox.status().records === 0);
  t.same(second.devices('backlog').sort(), ['d', 'e5', 'e6', 'e7', 'e8', 'e9', 'meanwhile']);
  t.equal(second.records('live').length, 0);
  await outbox.close();
});

t.test('a crash offers again only what was not acknowledged on disk', async (t) => {
  const folder = t.testdir();
  const outbox = await openOutbox(folder);
  const taker = new TestTaker(outbox);
  taker.acknowledges = false;
  outbox.connect(taker);
  for (let i = 0; i < 20; i++) await durable(outbox, `d${i}`);
  outbox.acknowledged(outbox.epoch, [
    [1, 5],
    [8, 19],
  ]);
  await outbox.flush();
  // The process ends here: the files are as they are.
  const again = await openOutbox(folder);
  t.equal(again.status().records, 3);
  const second = new TestTaker(again);
  again.connect(second);
  await until(() => again.status().records === 0);
  t.same(second.devices('backlog'), ['d5', 'd6', 'd19']);
  await again.close();
  await outbox.close();
});

t.test('acknowledgements of what was never offered, unknown, repeated, out of order', async (t) => {
  const outbox = await openOutbox(t.testdir(), { spillDelay: 60 });
  for (let i = 0; i < 10; i++) eco(outbox, `e${i}`);
  outbox.acknowledged(outbox.epoch, [[1, 10]]);
  t.equal(outbox.status().records, 10, 'what waits is not freed before it was offered');
  outbox.acknowledged(12345, [[1, 2 ** 47]]);
  outbox.acknowledged(outbox.epoch, [[1, 2 ** 47]]);
  t.equal(outbox.counters.ignoredAcknowledgements, 3);
  const taker = new TestTaker(outbox);
  taker.acknowledges = false;
  outbox.connect(taker);
  await until(() => taker.records().length === 10);
  for (const [first, last] of [
    [7, 9],
    [2, 3],
    [7, 8],
    [1, 4],
    [10, 2 ** 47],
  ] as const) {
    outbox.acknowledged(outbox.epoch, [[first, last]]);
  }
  t.equal(outbox.status().records, 2);
  t.equal(outbox.counters.ignoredAcknowledgements, 4);
  outbox.acknowledged(outbox.epoch, [[5, 6]]);
  t.equal(outbox.status().records, 0);
  await outbox.close();
});

t.test('the live lane does not wait for the backlog, which keeps to its rate', async (t) => {
  const outbox = await openOutbox(t.testdir(), { drainRate: 100 });
  for (let i = 0; i < 1000; i++) eco(outbox, `old${i}`);
  await until(() => outbox.status().memoryRecords === 0);
  const taker = new TestTaker(outbox);
  const began = performance.now();
  outbox.connect(taker);
  await until(() => taker.records('backlog').length > 0);
  for (let i = 0; i < 100; i++) {
    eco(outbox, `new${i}`);
    await until(() => taker.records('live').length === i + 1);
  }
  await until(() => taker.records('backlog').length >= 50);
  const seconds = (performance.now() - began) / 1000;
  const most = 100 * seconds + 26;
  t.ok(taker.records('backlog').length <= most, `${taker.records('backlog').length} in ${seconds} s`);
  taker.accepts.backlog = false;
  eco(outbox, 'one more');
  await until(() => taker.devices('live').includes('one more'));
  await outbox.close();
});

t.test(
  'a taker that takes no more is asked again when it is ready; what waits too long goes to disk',
  async (t) => {
    const outbox = await openOutbox(t.testdir());
    const taker = new TestTaker(outbox);
    taker.accepts.live = false;
    outbox.connect(taker);
    for (let i = 0; i < 50; i++) eco(outbox, `e${i}`);
    await durable(outbox, 'd');
    await until(() => outbox.status().records === 0);
    t.equal(taker.records('live').length, 0);
    t.equal(new Set(taker.devices('backlog')).size, 51, 'by the backlog lane, from disk');
    taker.accepts.live = true;
    outbox.ready('live');
    eco(outbox, 'later');
    await until(() => taker.devices('live').includes('later'));
    await outbox.close();
  },
);

t.test('urgent topics go before all others', async (t) => {
  const folder = t.testdir();
  const outbox = await openOutbox(folder);
  for (let i = 0; i < 10; i++) {
    eco(outbox, `e${i}`);
    outbox.report({ deviceId: `a${i}`, values: 1, topic: 'alarm', durable: false });
    await durable(outbox, `d${i}`);
  }
  await outbox.close();
  const again = await openOutbox(folder);
  const taker = new TestTaker(again);
  again.connect(taker);
  await until(() => again.status().records === 0);
  const order = taker.devices('backlog').map((device) => device[0]);
  t.equal(order.join(''), 'a'.repeat(10) + 'd'.repeat(10) + 'e'.repeat(10));
  await again.close();
});

t.test(
  'over the bound the oldest eco reports go, never durable ones, which are refused in the end',
  async (t) => {
    const folder = t.testdir();
    const maxBytes = 2 * 2 ** 20;
    const outbox = await openOutbox(folder, { maxBytes, memoryBytes: 2 ** 18 });
    const payload = 'x'.repeat(1000);
    for (let i = 0; i < 4000; i++) {
      eco(outbox, `e${i}`, payload);
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    await until(() => outbox.status().memoryRecords === 0);
    const { counters, records, bytes } = outbox.status();
    t.ok(bytes <= maxBytes, `${bytes} bytes`);
    t.ok(counters.dropped.full > 1500, `${counters.dropped.full} dropped`);
    t.equal(counters.dropped.full + records, 4000, 'each is counted');
    let stored = 0;
    let refused: PromiseRejectedResult | undefined;
    while (!refused) {
      const some = Array.from({ length: 50 }, (_, i) => durable(outbox, `d${stored + i}`, payload));
      const results = await Promise.allSettled(some);
      refused = results.find((result) => result.status === 'rejected');
      stored += results.filter(({ status }) => status === 'fulfilled').length;
    }
    t.match(refused.reason, { code: 'queue_full' });
    t.ok(stored > 1500, `${stored} durable ones`);
    t.ok(outbox.status().bytes <= maxBytes + 2 ** 16);
    const last = outbox.status();
    t.equal(last.counters.dropped.full + last.records, 4000 + stored);
    t.ok(last.counters.refused.queue_full! >= 1);
    await outbox.close();

    const again = await openOutbox(folder, { maxBytes });
    const taker = new TestTaker(again);
    again.connect(taker);
    await until(() => again.status().records === 0);
    const devices = taker.devices('backlog');
    t.equal(new Set(devices.filter((device) => device.startsWith('d'))).size, stored);
    const kept = devices.filter((device) => device.startsWith('e')).map((device) => Number(device.slice(1)));
    t.equal(kept.length + last.counters.dropped.full, 4000);
    t.same(kept.at(-1) ?? 3999, 3999, 'the newest stay');
    await durable(again, 'after');
    await again.close();
  },
);

t.test('more durable reports at a time than may wait for the disk', async (t) => {
  const outbox = await openOutbox(t.testdir());
  const all = Array.from({ length: 10_000 }, (_, i) => durable(outbox, `d${i}`, 'x'.repeat(300)));
  t.equal((await Promise.allSettled(all)).filter(({ status }) => status === 'rejected').length, 0);
  t.match(outbox.status(), { records: 10_000, memoryRecords: 0 });
  await outbox.close();
});

t.test('segments are freed once all in them is acknowledged', async (t) => {
  const folder = t.testdir();
  const outbox = await openOutbox(folder, { maxBytes: 4 * 2 ** 20 });
  const payload = 'x'.repeat(1000);
  for (let i = 0; i < 1000; i++) eco(outbox, `e${i}`, payload);
  await until(() => outbox.status().memoryRecords === 0);
  await outbox.flush();
  t.ok(segmentsOf(`${folder}/eco`).length > 4);
  outbox.connect(new TestTaker(outbox));
  await until(() => outbox.status().records === 0);
  await until(() => segmentsOf(`${folder}/eco`).length === 1);
  await outbox.close();
});

t.test('reports older than the bound are dropped, when time is known', async (t) => {
  const folder = t.testdir();
  const outbox = await openOutbox(folder);
  for (let i = 0; i < 10; i++) await durable(outbox, `d${i}`);
  await outbox.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const again = await openOutbox(folder, { maxAge: 0.01 });
  t.match(again.status(), { records: 0, counters: { dropped: { expired: 10 } } });
  await again.close();
});

t.test('without a folder: eco from memory, durable refused, and it says so', async (t) => {
  const outbox = await openOutbox(undefined, { memoryBytes: 100_000 });
  t.match(outbox.status().error, /memory only/);
  await t.rejects(durable(outbox, 'd'), { code: 'overloaded' });
  for (let i = 0; i < 1000; i++) eco(outbox, `e${i}`);
  const { counters, records } = outbox.status();
  t.equal(counters.dropped.full + records, 1000);
  t.ok(counters.dropped.full > 0);
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  await until(() => outbox.status().records === 0);
  t.equal(taker.devices().at(-1), 'e999');
  await outbox.close();
});

t.test('how long it holds, and what it wrote', async (t) => {
  const outbox = await openOutbox(t.testdir());
  t.equal(outbox.status().holdsSeconds, undefined);
  for (let i = 0; i < 600; i++) eco(outbox, 'd', 'x'.repeat(60));
  const { ratePerSecond, holdsSeconds } = outbox.status();
  t.ok(ratePerSecond > 1 && ratePerSecond <= 60, `${ratePerSecond} a second, over 10 s at least`);
  t.ok(holdsSeconds! > 1000 && holdsSeconds! < 1_000_000, `${holdsSeconds} s`);
  await outbox.flush();
  const { writtenBytes, writtenBytesPerDay } = outbox.status();
  t.ok(writtenBytes >= 600 * 60 && writtenBytes < 600 * 60 * 3, `${writtenBytes} bytes`);
  t.ok(writtenBytesPerDay > writtenBytes);
  await outbox.close();
  t.throws(() => eco(outbox, 'd'), { code: 'closed' });
});
