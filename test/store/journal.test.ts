import { readdirSync, statSync } from 'node:fs';
import t from 'tap';
import { MAX_RECORD_BYTES } from '../../src/store/record.js';
import { FailingFs, LogRecorder, openJournal, segmentsOf } from './support.js';

const text = (n: number): Buffer => Buffer.from(`record ${n}`);

t.test('records come back in order, with their positions, over restarts', async (t) => {
  const folder = t.testdir();
  const expected: string[] = [];
  const positions: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { journal, records, positions: replayed } = await openJournal(folder);
    t.same(records, expected);
    t.same(replayed, positions);
    for (let i = 0; i < 10; i++) {
      positions.push(journal.append(text(round * 10 + i)));
      expected.push(`record ${round * 10 + i}`);
    }
    await journal.close();
  }
  t.equal(segmentsOf(folder).length, 1, 'a restart goes on in the same segment');
});

t.test('an empty record, a large one, and one that is too large', async (t) => {
  const folder = t.testdir();
  const { journal } = await openJournal(folder, { pendingBytes: 2 * MAX_RECORD_BYTES });
  journal.append(Buffer.alloc(0));
  journal.append(Buffer.alloc(MAX_RECORD_BYTES, 7));
  t.throws(() => journal.append(Buffer.alloc(MAX_RECORD_BYTES + 1)), { code: 'too_large' });
  await journal.commit();
  await journal.close();
  t.throws(() => journal.append(text(1)), { code: 'closed' });
  const { records, journal: again } = await openJournal(folder);
  t.same(
    records.map((record) => record.length),
    [0, MAX_RECORD_BYTES],
  );
  await again.close();
});

t.test('concurrent commits share a sync', async (t) => {
  const disk = new FailingFs();
  const { journal } = await openJournal(t.testdir(), { fs: disk.fs });
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => {
      journal.append(text(i));
      return journal.commit();
    }),
  );
  t.equal(disk.syncs, 1, 'one turn of the event loop, one sync');
  const waves = Array.from({ length: 100 }, async (_, i) => {
    for (let turn = 0; turn < i % 10; turn++) await new Promise(setImmediate);
    journal.append(text(i));
    await journal.commit();
  });
  await Promise.all(waves);
  t.ok(disk.syncs <= 12, `commits that arrive during a write share the next: ${disk.syncs}`);
  t.equal(journal.health().syncs, disk.syncs);
  await journal.commit();
  t.equal(journal.health().syncs, disk.syncs, 'nothing to write, nothing synced');
  await journal.close();
});

t.test('segments roll at their size and are freed once released', async (t) => {
  const folder = t.testdir();
  const { journal } = await openJournal(folder, { segmentBytes: 1000 });
  const positions: number[] = [];
  for (let i = 0; i < 50; i++) {
    positions.push(journal.append(Buffer.alloc(88, i)));
    await journal.commit();
  }
  t.equal(segmentsOf(folder).length, 6, '9 records of 100 bytes in each');
  await journal.release(positions[20]!);
  t.equal(segmentsOf(folder).length, 4);
  t.equal(journal.health().segments, 4);
  await journal.release(journal.end);
  t.equal(segmentsOf(folder).length, 1, 'the one that is written stays');
  await journal.close();
  const bytes = segmentsOf(folder).reduce((sum, file) => sum + statSync(file).size, 0);
  t.equal(journal.health().diskBytes, bytes, 'bytes are as the files say');
  const { records, journal: again } = await openJournal(folder, {}, positions[48]);
  t.equal(again.health().diskBytes, bytes);
  t.equal(records.length, 2, 'replay begins where it is asked to');
  t.equal(again.health().damagedParts, 0, 'released segments are not missed');
  await again.close();
});

t.test('the disk bound: writing fails until segments are released', async (t) => {
  const { journal } = await openJournal(t.testdir(), { segmentBytes: 500, maxBytes: 2000, retryMs: 5 });
  const fill = async (): Promise<void> => {
    for (;;) {
      journal.append(Buffer.alloc(88));
      await journal.commit();
    }
  };
  await t.rejects(fill(), { code: 'overloaded', message: /has reached its 2000 bytes/ });
  t.ok(journal.health().diskBytes <= 2000);
  t.match(journal.health().error, /2000 bytes/);
  await journal.release(journal.end);
  while (journal.health().pendingBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(journal.failing, false);
  await journal.close();
});

for (const code of ['ENOSPC', 'EIO'] as const) {
  t.test(`${code}: goes on from memory, says so, and recovers without losing a record`, async (t) => {
    const folder = t.testdir();
    const disk = new FailingFs();
    const { journal } = await openJournal(folder, { fs: disk.fs, retryMs: 5, pendingBytes: 5000 });
    const expected: string[] = [];
    const append = (n: number): void => {
      journal.append(text(n));
      expected.push(`record ${n}`);
    };
    append(0);
    await journal.commit();
    disk.code = code;
    // The next write stops in the middle of a record, or is whole and its sync fails.
    disk.room = code === 'ENOSPC' ? 10 : 10_000;
    append(1);
    await t.rejects(journal.commit(), { code: 'overloaded', message: new RegExp(code) });
    append(2);
    await t.rejects(journal.commit(), { code: 'overloaded' }, 'told at once while it lasts');
    t.equal(journal.failing, true);
    t.match(journal.health(), { error: /cannot write to/, failures: /^[1-9]/ });
    t.throws(
      () => {
        for (let n = 3; ; n++) append(n);
      },
      { code: 'queue_full' },
      'memory is bounded',
    );
    t.ok(journal.health().pendingBytes <= 5000);
    t.equal(journal.health().refused, 1);
    while (journal.health().failures < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    disk.code = undefined;
    while (journal.health().pendingBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.equal(journal.health().error, undefined);
    append(9999);
    await journal.commit();
    await journal.close();
    const { records, journal: again } = await openJournal(folder);
    t.same(records, expected);
    await again.close();
  });
}

t.test('closing while the disk refuses ends, and says what was lost', async (t) => {
  const disk = new FailingFs();
  const log = new LogRecorder();
  const { journal } = await openJournal(t.testdir(), { fs: disk.fs, log });
  journal.append(text(1));
  disk.code = 'ENOSPC';
  await journal.close();
  await journal.close();
  t.match(log.lines.at(-1), /error records were lost because the disk refused them .*"bytes":20/);
});

t.test('files that are not segments are left alone', async (t) => {
  const folder = t.testdir({ 'segment-x': 'a', notes: 'b', 'segment-00000000000000.bad': 'c' });
  const { journal, records } = await openJournal(folder);
  journal.append(text(1));
  await journal.close();
  t.same(records, []);
  t.equal(readdirSync(folder).length, 4);
});
