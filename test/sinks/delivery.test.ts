import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Busy, Rejected } from '../../src/sinks/sink.js';
import { LogRecorder } from '../store/support.js';
import { feedRecord, idOf, idsTo, report, sinkConfig, TestFeed, TestSink, until } from './support.js';

const STDOUT = { stdout: {} };

t.test('reports come in order and whole, and not again after a restart', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink();
  const first = await feed.deliver({ ...STDOUT, batch: { records: 7 } }, sink);
  feed.add(25);
  await until(() => sink.ids.length === 25);
  feed.add(25, 25);
  await until(() => sink.ids.length === 50);
  t.same(sink.ids, idsTo(50));
  t.ok(sink.batches.every((batch) => batch.length <= 7));
  t.match(sink.batches[0]![0], {
    id: idOf(1),
    engine: 'barn',
    node: 3,
    device: 'device-1',
    time: 1_800_000_001,
    values: { n: 1 },
    topic: null,
    quality: null,
  });
  await until(() => first.status().pending === 0);
  t.match(first.status(), { ok: true, delivered: 50, retried: 0, dead: 0, dropped: 0, lag: 0 });
  await first.close();
  t.equal(sink.closed, 1);

  await feed.reopen();
  const again = new TestSink();
  await feed.deliver(STDOUT, again);
  feed.add(3);
  await until(() => again.ids.length > 0);
  t.same(again.ids, [51, 52, 53].map(idOf));
});

t.test('a restart in the middle of a record of the feed repeats one batch at most', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  feed.add(100, 100);
  let calls = 0;
  const hangs = new TestSink((_, signal) => {
    if (++calls < 4) return;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
  });
  const first = await feed.deliver({ ...STDOUT, batch: { records: 10 } }, hangs);
  await until(() => calls === 4);
  await first.close();
  await feed.reopen();
  const rest = new TestSink();
  await feed.deliver(STDOUT, rest);
  await until(() => hangs.ids.length + rest.ids.length === 100);
  t.same([...hangs.ids, ...rest.ids], idsTo(100));
});

t.test('the time of a report that has none is that of its arrival', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink();
  await feed.deliver(STDOUT, sink);
  feed.feed.append(feedRecord([[1, 'd', null, 5, 1, null, null]]));
  await until(() => sink.ids.length === 1);
  const { time, received } = sink.batches[0]![0]!;
  t.equal(time, received);
});

t.test('a sink that fails is tried again, and holds up nobody', async (t) => {
  const log = new LogRecorder();
  const feed = await TestFeed.open(t, ['bad', 'good'], { log });
  let failures = 0;
  let works = false;
  const bad = new TestSink(() => {
    if (works) return;
    failures++;
    throw new Error('out of order');
  });
  const good = new TestSink();
  const delivery = await feed.deliver({ ...STDOUT, name: 'bad' }, bad);
  await feed.deliver({ ...STDOUT, name: 'good' }, good);
  feed.add(20, 1);
  await until(() => good.ids.length === 20 && failures >= 3);
  t.same(bad.ids, []);
  const status = delivery.status();
  t.match(status, { ok: false, error: 'out of order', delivered: 0, pending: 20 });
  t.ok(status.retried > 0);
  t.ok(status.since! <= Date.now() / 1000);
  t.ok(status.lag > 0);
  works = true;
  await until(() => bad.ids.length === 20);
  t.same(bad.ids, idsTo(20));
  await until(() => delivery.status().pending === 0);
  t.match(delivery.status(), { ok: true, error: undefined, since: undefined, lag: 0 });
  t.equal(log.lines.filter((line) => line.startsWith('warn')).length, 1, 'at a bounded rate');
});

t.test('a sink that never answers is given up, and what it took late is not offered again', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  let [calls, aborted] = [0, 0];
  const sink = new TestSink(async (_, signal) => {
    calls++;
    if (calls > 2) return;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    aborted++;
    if (calls === 1) throw new Error('gave up');
  });
  const delivery = await feed.deliver({ ...STDOUT, timeout: 0.1 }, sink);
  feed.add(5);
  await until(() => aborted === 1);
  await until(() => sink.ids.length === 5);
  feed.add(1);
  await until(() => sink.ids.length === 6);
  t.same([calls, aborted], [3, 2]);
  t.same(sink.ids, idsTo(6));
  t.equal(delivery.status().retried, 5);
});

t.test('a sink that is busy is left alone for as long as it asks', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const times: number[] = [];
  const sink = new TestSink(() => {
    times.push(performance.now());
    if (times.length === 1) throw new Busy('status 429', 1);
  });
  await feed.deliver({ ...STDOUT, retry: { minSeconds: 0.05, maxSeconds: 0.05 } }, sink);
  feed.add(1);
  await until(() => sink.ids.length === 1);
  t.ok(times[1]! - times[0]! >= 990, `${times[1]! - times[0]!} ms`);
});

/** A sink that refuses reports whose number is in `bad`, as a webhook does: all of a batch, not saying which. */
const refuses = (bad: ReadonlySet<number>, final = false) =>
  new TestSink((batch) => {
    if (batch.some(({ values }) => bad.has((values as { n: number }).n))) {
      throw new Rejected('status 400: no', undefined, final);
    }
  });

const letters = (feed: TestFeed): { id: string; reason: string; device_id: string }[] =>
  readFileSync(join(feed.folder, 'dead/stdout.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

t.test('of a refused batch only what is refused by itself becomes a dead letter', async (t) => {
  const log = new LogRecorder();
  const feed = await TestFeed.open(t, ['stdout'], { log });
  const sink = refuses(new Set([3, 64, 65]));
  feed.add(100, 100);
  const delivery = await feed.deliver(STDOUT, sink);
  await until(() => delivery.status().pending === 0);
  t.same(
    sink.ids,
    idsTo(100).filter((_, i) => ![2, 63, 64].includes(i)),
  );
  t.same(
    letters(feed).map(({ id, reason, device_id }) => [id, reason, device_id]),
    [3, 64, 65].map((n) => [idOf(n), 'status 400: no', `device-${n % 10}`]),
  );
  t.match(delivery.status(), { ok: true, delivered: 97, dead: 3 });
  t.ok(delivery.status().retried >= 400, 'offered five times in all');
  t.ok(log.lines.some((line) => line.includes('dead letters')));
});

t.test('what is said to be of no use to offer again is not', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = refuses(new Set([1, 8]), true);
  feed.add(8, 8);
  const delivery = await feed.deliver({ ...STDOUT, retry: { minSeconds: 3600, maxSeconds: 3600 } }, sink);
  await until(() => delivery.status().pending === 0);
  t.same(sink.ids, idsTo(8).slice(1, 7));
  t.equal(letters(feed).length, 2);
});

t.test('a sink that says which ones it refuses keeps the others', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const offered: number[] = [];
  const sink = new TestSink((batch) => {
    offered.push(batch.length);
    const bad = [...batch.keys()].filter((i) => (batch[i]!.values as { n: number }).n % 4 === 0);
    if (bad.length > 0) throw new Rejected('not these', bad);
  });
  feed.add(8, 8);
  const delivery = await feed.deliver({ ...STDOUT, retry: { attempts: 3, minSeconds: 0.05 } }, sink);
  await until(() => delivery.status().pending === 0);
  t.same(offered, [8, 2, 2]);
  t.match(delivery.status(), { delivered: 6, dead: 2, retried: 4 });
  t.same(
    letters(feed).map(({ id }) => id),
    [4, 8].map(idOf),
  );
});

t.test('dead letters are bounded', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink((batch) => {
    throw new Rejected('never', [...batch.keys()], true);
  });
  const delivery = await feed.deliver({ ...STDOUT, deadLetterBytes: 4096, batch: { records: 3 } }, sink);
  feed.add(200);
  await until(() => delivery.status().dead === 200);
  const path = join(feed.folder, 'dead/stdout.jsonl');
  const sizes = [path, `${path}.1`].map((name) => readFileSync(name).length);
  t.ok(sizes[0]! + sizes[1]! <= 4096, String(sizes));
  t.notOk(existsSync(`${path}.2`));
  t.equal(letters(feed).at(-1)!.id, idOf(200), 'the newest are there');
});

t.test(
  'over the bounds of the feed the oldest are dropped, and delivery goes on with what is there',
  async (t) => {
    const feed = await TestFeed.open(t, ['stdout'], { maxBytes: 2 ** 20 });
    let stuck = true;
    let calls = 0;
    const sink = new TestSink(() => {
      calls++;
      if (stuck) throw new Error('away');
    });
    const delivery = await feed.deliver({ ...STDOUT, batch: { records: 10 } }, sink);
    feed.add(10);
    await until(() => calls > 0);
    const filler = 'x'.repeat(5000);
    for (let seq = 11; seq <= 1000; seq++) {
      feed.feed.append(feedRecord([report(seq, { n: seq, filler })]));
      if (seq % 50 === 0) await feed.feed.commit();
    }
    stuck = false;
    await until(() => delivery.status().pending === 0);
    const { delivered, dropped } = delivery.status();
    t.ok(delivered + dropped >= 1000 && delivered + dropped <= 1010, `${delivered} + ${dropped}`);
    const late = sink.ids.filter((id) => !idsTo(10).includes(id));
    t.same(late, idsTo(1000).slice(1000 - late.length), 'the newest, without a gap');
  },
);

t.test('what is dropped while it is being delivered is counted once', async (t) => {
  const feed = await TestFeed.open(t, ['stdout'], { maxBytes: 2 ** 20 });
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const sink = new TestSink(() => held);
  const delivery = await feed.deliver({ ...STDOUT, batch: { bytes: 2 ** 24 } }, sink);
  const filler = 'x'.repeat(5000);
  const add = (seq: number): number => feed.feed.append(feedRecord([report(seq, { n: seq, filler })]));
  for (let seq = 1; seq <= 100; seq++) add(seq);
  await until(() => delivery.status().lag > 0);
  for (let seq = 101; seq <= 200; seq++) add(seq);
  const { dropped, pending } = delivery.status();
  t.ok(dropped > 0 && dropped < 100, `${dropped} of the batch under way`);
  t.equal(dropped + pending, 200);
  release();
  await until(() => sink.ids.length === 200);
  await until(() => delivery.status().pending === 0);
  t.same(sink.ids, idsTo(200));
});

t.test('a sink is given what fits its filter', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink();
  const delivery = await feed.deliver({ ...STDOUT, devices: ['device-1', '*-2'], topics: ['a/*'] }, sink);
  const topics = ['a/b', 'b', null];
  const records = Array.from({ length: 30 }, (_, i) => report(i + 1, {}, topics[i % 3]!));
  feed.feed.append(feedRecord(records), 30);
  await until(() => delivery.status().pending === 0);
  t.same(sink.ids, [1, 22].map(idOf));
  t.match(delivery.status(), { delivered: 2, filtered: 28, lag: 0 });
});

t.test('reports wait for others as long as they may', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink();
  const delivery = await feed.deliver({ ...STDOUT, batch: { records: 20, delay: 3600 } }, sink);
  for (let i = 0; i < 39; i++) {
    feed.add(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => sink.batches.length === 1);
  t.same(sink.ids, idsTo(20));
  await delivery.close();
  const soon = new TestSink();
  await feed.deliver({ ...STDOUT, batch: { records: 20, delay: 0.05 } }, soon);
  await until(() => soon.ids.length === 19);
  t.equal(soon.batches.length, 1);
});

t.test('records of the feed that say nothing are passed over', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  const sink = new TestSink();
  const delivery = await feed.deliver(STDOUT, sink);
  feed.feed.append(Buffer.from([0xff, 0xff]), 4);
  feed.feed.append(feedRecord([]), 0);
  feed.feed.append(Buffer.from([0xa1, 0x61, 0x72, 0x01]), 1);
  feed.add(2);
  feed.feed.append(feedRecord([]), 0);
  await until(() => sink.ids.length === 2);
  await until(() => delivery.status().pending === 0);
  t.equal(delivery.status().unreadable, 5);
  await until(() => feed.feed.cursor('stdout').position === feed.feed.end);
});

t.test('a sink that ignores that it is to give up does not keep the process', async (t) => {
  const feed = await TestFeed.open(t, ['stdout']);
  let called = false;
  const sink = new TestSink(() => {
    called = true;
    return new Promise(() => {});
  });
  const delivery = await feed.deliver(STDOUT, sink);
  feed.add(1);
  await until(() => called);
  await delivery.close();
  t.equal(sink.closed, 1);
});

t.test('settings', async (t) => {
  t.match(sinkConfig({ mqtt: { url: 'mqtts://broker.example' } }), { name: 'mqtt', kind: 'mqtt' });
  for (const [sink, problem] of [
    [{}, /needs exactly one of mqtt, http, redis, file, stdout, has 0/],
    [{ stdout: {}, file: { path: 'x' } }, /has 2/],
    [{ mqtt: { url: 'http://x' } }, /mqtt\.url: must be an address that begins with mqtt:\/\/ or mqtts:\/\//],
    [{ mqtt: { url: 'mqtt://user:secret@x' } }, /without user and password, got something else/],
    [{ mqtt: { url: 'mqtt://x', topic: 'a/#' } }, /mqtt\.topic/],
    [{ mqtt: { url: 'mqtt://x', topic: '{device}/{serial}' } }, /mqtt\.topic/],
    [{ mqtt: { url: 'mqtt://x', version: 3 } }, /one of 4, 5/],
    [{ redis: { url: 'redis://x/2' } }, /redis\.url/],
    [{ http: { url: 'https://x', headers: { a: 'b\nc' } } }, /headers\.a/],
    [{ stdout: {}, retry: { minSeconds: 5, maxSeconds: 1 } }, /minSeconds to be at most maxSeconds/],
    [{ http: { url: 'https://x', tls: { cert: 'nowhere.pem' } } }, /needs cert and key together/],
    [{ http: { url: 'https://x', tls: { ca: 'nowhere.pem' } } }, /readable file/],
  ] as const) {
    t.throws(() => sinkConfig(sink), { message: problem }, JSON.stringify(sink));
  }
});
