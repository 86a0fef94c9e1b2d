import { randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { openOutbox, TestTaker, until } from './outbox-support.js';
import { FailingFs, openJournal, segmentsOf } from './support.js';

/** An outbox with 300 durable reports in several segments, closed. */
async function written(folder: string): Promise<string[]> {
  const outbox = await openOutbox(folder, { maxBytes: 2 * 2 ** 20 });
  const devices = Array.from({ length: 300 }, (_, i) => `d${i}`);
  for (let i = 0; i < devices.length; i += 10) {
    await Promise.all(
      devices
        .slice(i, i + 10)
        .map((deviceId) => outbox.report({ deviceId, values: 'x'.repeat(900), durable: true })),
    );
  }
  await outbox.close();
  return devices;
}

/** What comes back, and what is told of it. */
async function readBack(folder: string): Promise<{ devices: string[]; damagedParts: number; left: number }> {
  const outbox = await openOutbox(folder, { maxBytes: 2 * 2 ** 20 });
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  await outbox.report({ deviceId: 'new', values: 1, durable: true });
  await until(() => outbox.status().records === 0);
  const { damagedParts, records } = outbox.status();
  await outbox.close();
  return { devices: taker.devices('backlog'), damagedParts, left: records };
}

const damages: readonly [name: string, damage: (file: string, bytes: Buffer) => void, least: number][] = [
  ['torn at its end', (file, bytes) => truncateSync(file, bytes.length - 7), 1],
  ['cut in half', (file, bytes) => truncateSync(file, bytes.length / 2), 1],
  ['of zero length', (file) => truncateSync(file, 0), 1],
  ['with a page of zeros', (file, bytes) => writeFileSync(file, Buffer.from(bytes).fill(0, 8192, 12_288)), 1],
  [
    'with random bytes in the middle',
    (file, bytes) => {
      randomBytes(300).copy(bytes, bytes.length / 2);
      writeFileSync(file, bytes);
    },
    1,
  ],
];

for (const [name, damage, least] of damages) {
  t.test(`a segment ${name}: what is sound comes back, and service goes on`, async (t) => {
    const folder = t.testdir();
    const devices = await written(folder);
    const segments = segmentsOf(join(folder, 'durable'));
    t.ok(segments.length > 3);
    const hurt = segments[1]!;
    damage(hurt, readFileSync(hurt));
    const back = await readBack(folder);
    const all = new Set(devices);
    t.ok(
      back.devices.every((device) => all.has(device) || device === 'new'),
      'nothing is invented',
    );
    const kept = back.devices.filter((device) => device !== 'new');
    t.same(
      kept,
      devices.filter((device) => kept.includes(device)),
      'in order, once',
    );
    t.ok(kept.length >= 150 && kept.length < 300, `${kept.length} of 300`);
    t.ok(kept.includes('d0') && kept.includes('d299'));
    t.ok(back.damagedParts >= least, `${back.damagedParts} damaged parts`);
    t.equal(back.left, 0, 'what was lost is not waited for');
  });
}

t.test('a sound record that is no report is passed over, and counted', async (t) => {
  const folder = t.testdir({ durable: {} });
  const { journal } = await openJournal(join(folder, 'durable'));
  for (const bytes of [Buffer.alloc(0), Buffer.from([9, 9, 9]), randomBytes(200).fill(1, 0, 1)]) {
    journal.append(bytes);
  }
  // A batch by its header, whose reports do not decode.
  const batch = Buffer.alloc(9 + 12 + 9 + 3);
  batch.writeUInt8(1, 0);
  batch.writeUInt16BE(1, 7);
  batch.writeUIntBE(1, 9, 6);
  batch.writeUIntBE(4, 15, 6);
  batch.fill(0xff, 30);
  journal.append(batch);
  await journal.close();
  const back = await readBack(folder);
  t.same(back.devices, []);
  t.ok(back.damagedParts >= 3, `${back.damagedParts} parts`);
  t.equal(back.left, 0);
});

for (const code of ['ENOSPC', 'EIO'] as const) {
  t.test(`${code}: eco goes on from memory, durable is refused, both recover`, async (t) => {
    const folder = t.testdir();
    const disk = new FailingFs();
    const outbox = await openOutbox(folder, { fs: disk.fs, log: silentLogger, memoryBytes: 2 ** 20 });
    const report = (deviceId: string, durable: boolean): void | Promise<void> =>
      outbox.report({ deviceId, values: 'x'.repeat(100), durable });
    await report('before', true);
    disk.code = code;
    await t.rejects(report('refused', true) as Promise<void>, { code: 'overloaded' });
    t.match(outbox.status().error, new RegExp(code));
    for (let i = 0; i < 200; i++) report(`e${i}`, false);
    await until(() => outbox.status().memoryRecords === 0);
    // Journal and memory are bounded; then the oldest in memory go.
    for (let i = 200; i < 20_000; i++) report(`e${i}`, false);
    const { counters, records } = outbox.status();
    t.ok(counters.dropped.full > 0, `${counters.dropped.full} dropped`);
    t.equal(counters.dropped.full + records, 20_002);
    disk.code = undefined;
    await until(() => outbox.status().error === undefined && outbox.status().memoryRecords === 0);
    await report('after', true);
    await outbox.close();
    const again = await openOutbox(folder);
    t.equal(again.status().records, records + 1);
    t.equal(again.status().damagedParts, 0);
    await again.close();
  });
}

t.test('what the disk refused goes live all the same', async (t) => {
  const disk = new FailingFs();
  const outbox = await openOutbox(t.testdir(), { fs: disk.fs });
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  disk.code = 'ENOSPC';
  await t.rejects(outbox.report({ deviceId: 'd', values: 1, durable: true }) as Promise<void>, {
    code: 'overloaded',
  });
  outbox.report({ deviceId: 'e', values: 1, durable: false });
  await until(() => taker.devices('live').length === 2);
  disk.code = undefined;
  await outbox.close();
});
