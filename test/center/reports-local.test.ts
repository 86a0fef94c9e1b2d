/** An outbox, the intake and the feed in one process, on a real disk. */

import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Intake } from '../../src/center/reports.js';
import { LocalReports } from '../../src/center/reports-local.js';
import { openIntake } from '../../src/center/reports-open.js';
import { cborCodec } from '../../src/codecs/cbor.js';
import { MoonwireError } from '../../src/errors.js';
import { silentLogger } from '../../src/log.js';
import type { Feed } from '../../src/store/feed.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import type { Outbox } from '../../src/store/outbox.js';
import type { FeedRecord } from '../../src/store/reported.js';
import { openOutbox } from '../store/outbox-support.js';
import { until } from '../uplink/support.js';

const CBOR = cborCodec();
const MiB = 2 ** 20;

function open(path: string, values = new MemoryKeyValue(), maxBytes = 64 * MiB) {
  const store = { path, maxBytes, maxAge: 86_400 };
  return openIntake({ store, values, readers: ['sink'], log: silentLogger });
}

/** Numbers reported, as the feed has them, with what it has more than once. */
async function content(feed: Feed): Promise<{ numbers: number[]; ids: Set<string> }> {
  const numbers: number[] = [];
  const ids = new Set<string>();
  for (let from = feed.cursor('sink').position; ; ) {
    const { records, next } = await feed.read(from, MiB);
    for (const { payload } of records) {
      const { n, ep, r = [] } = CBOR.decode(payload) as Partial<FeedRecord>;
      for (const [sequence, , , , values] of r) {
        numbers.push((values as { n: number }).n);
        ids.add(`${n}-${ep}-${sequence}`);
      }
    }
    if (records.length === 0) return { numbers, ids };
    from = next;
  }
}

function connect(t: Test, outbox: Outbox, intake: Pick<Intake, 'take'>): LocalReports {
  const local = new LocalReports(outbox, intake, { node: 0, name: 'alone' }, silentLogger);
  t.teardown(() => local.stop());
  return local;
}

t.test('what is reported is in the feed once, over restarts of all of it', async (t) => {
  const path = t.testdir();
  const values = new MemoryKeyValue();
  let n = 0;
  for (let round = 0; round < 4; round++) {
    const { intake, feed } = await open(path, values);
    const outbox = await openOutbox(`${path}/outbox`);
    const local = connect(t, outbox, intake);
    const durable: (void | Promise<void>)[] = [];
    for (let i = 0; i < 500; i++) {
      const report = { deviceId: 'm', values: { n: n++ }, durable: i % 3 === 0 };
      durable.push(outbox.report(report));
      if (i % 50 === 0) await wait(1);
    }
    await Promise.all(durable);
    // Every other round ends in the middle.
    if (round % 2 === 0) await until(() => outbox.status().records === 0, 'taken');
    local.stop();
    await outbox.close();
    await feed.close();
  }
  const { intake, feed } = await open(path, values);
  const outbox = await openOutbox(`${path}/outbox`);
  const local = connect(t, outbox, intake);
  await until(() => outbox.status().records === 0, 'the rest');
  const { numbers, ids } = await content(feed);
  t.same(
    numbers.sort((a, b) => a - b),
    Array.from({ length: n }, (_, i) => i),
  );
  t.equal(ids.size, n);
  local.stop();
  await outbox.close();
  await feed.close();
});

t.test('reports wait while they cannot be taken in', async (t) => {
  const outbox = await openOutbox(`${t.testdir()}/outbox`);
  t.teardown(() => outbox.close());
  let fails = 1;
  const taken: number[] = [];
  connect(t, outbox, {
    async take(_node, _engine, { records }) {
      if (fails-- > 0) throw new MoonwireError('overloaded', 'no space');
      taken.push(...records.map(([sequence]) => sequence));
      return records.map(([sequence]) => [sequence, sequence] as const);
    },
  });
  for (let i = 0; i < 5; i++) outbox.report({ deviceId: 'm', values: i, durable: false });
  await until(() => outbox.status().records === 0, 'taken after a second');
  t.same(taken, [1, 2, 3, 4, 5]);
});

t.test('a small store, and more reports than it holds: the memory of them stays', async (t) => {
  const path = t.testdir();
  const values = new MemoryKeyValue();
  const { intake, feed } = await open(path, values, MiB);
  const text = 'x'.repeat(1000);
  const batch = (first: number) => ({
    epoch: 9,
    boot: '',
    records: Array.from(
      { length: 60 },
      (_, i) => [first + i, 'm', null, 0, { n: first + i, text }, null, null] as const,
    ),
  });
  for (let first = 1; first < 12_000; first += 60) await intake.take(1, 'a', batch(first));
  t.ok(feed.health().diskBytes <= 4 * MiB, `${feed.health().diskBytes} bytes`);
  t.ok(feed.cursor('sink').dropped > 0, 'the sink never came');
  await feed.close();
  const again = await open(path, values, MiB);
  t.teardown(() => again.feed.close());
  for (const first of [1, 3001, 11_941]) await again.intake.take(1, 'a', batch(first));
  t.match(again.intake.counters, { received: 0, repeats: 180 });
});
