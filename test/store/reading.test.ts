import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import t from 'tap';
import type { Journal } from '../../src/store/journal.js';
import { FailingFs, openJournal, segmentsOf } from './support.js';

/** Everything from a position on, read in windows. */
async function readAll(journal: Journal, from = 0, maxBytes = 300): Promise<string[]> {
  const texts: string[] = [];
  for (let at = from; ; ) {
    const { records, next } = await journal.read(at, maxBytes);
    if (records.length === 0) {
      if (next !== journal.end) throw new Error(`stopped at ${next} before ${journal.end}`);
      return texts;
    }
    if (next <= at) throw new Error(`no progress at ${at}`);
    texts.push(...records.map(({ payload }) => payload.toString('latin1')));
    at = next;
  }
}

/** A journal of several segments with 60 records, and what they hold. */
async function written(
  folder: string,
): Promise<{ journal: Journal; expected: string[]; positions: number[] }> {
  const { journal } = await openJournal(folder, { segmentBytes: 1000 });
  const expected: string[] = [];
  const positions: number[] = [];
  for (let i = 0; i < 60; i++) {
    const payload = randomBytes(i === 30 ? 2500 : 50 + (i % 40));
    expected.push(payload.toString('latin1'));
    positions.push(journal.append(payload));
    if (i % 3 === 2) await journal.commit();
  }
  return { journal, expected, positions };
}

t.test('records are read back over segments, from any record on, in windows of any size', async (t) => {
  const { journal, expected, positions } = await written(t.testdir());
  await journal.commit();
  t.ok(journal.health().segments > 3);
  for (const maxBytes of [1, 100, 999, 10_000]) t.same(await readAll(journal, 0, maxBytes), expected);
  for (const i of [0, 1, 29, 30, 31, 59]) t.same(await readAll(journal, positions[i]), expected.slice(i));
  t.same(await journal.read(journal.end, 100), { records: [], next: journal.end });
  t.equal(journal.health().unreadableParts, 0);
  await journal.close();
});

t.test('what is not on disk yet is read from memory, while it is being written too', async (t) => {
  const disk = new FailingFs();
  const { journal } = await openJournal(t.testdir(), { fs: disk.fs, segmentBytes: 1000, retryMs: 5 });
  const expected = Array.from({ length: 40 }, (_, i) => `record ${i}`);
  for (const text of expected.slice(0, 10)) journal.append(Buffer.from(text));
  await journal.commit();
  disk.code = 'ENOSPC';
  for (const text of expected.slice(10, 30)) journal.append(Buffer.from(text));
  await t.rejects(journal.commit(), { code: 'overloaded' });
  for (const text of expected.slice(30)) journal.append(Buffer.from(text));
  t.same(await readAll(journal), expected);
  t.same(await readAll(journal, 0, 1), expected);
  disk.code = undefined;
  while (journal.health().pendingBytes > 0) t.same(await readAll(journal), expected);
  t.same(await readAll(journal), expected);
  await journal.close();
});

t.test('damage is passed over, and counted once however often it is read', async (t) => {
  const folder = t.testdir();
  const { journal, expected, positions } = await written(folder);
  await journal.commit();
  const [first, second, third] = segmentsOf(folder) as [string, string, string];
  const bytes = readFileSync(first);
  // Record 3: its first byte.
  bytes[24 + positions[3]!]! ^= 1;
  writeFileSync(first, bytes);
  truncateSync(second, 100);
  rmSync(third);
  const read = await readAll(journal);
  t.ok(read.length > 30, `${read.length} records of ${expected.length}`);
  t.same(
    read,
    expected.filter((text) => read.includes(text)),
  );
  t.notOk(read.includes(expected[3]!));
  const { unreadableParts, unreadableBytes } = journal.health();
  t.ok(unreadableParts >= 3, `${unreadableParts} parts, ${unreadableBytes} bytes`);
  t.same(await readAll(journal, 0, 5000), read);
  t.equal(journal.health().unreadableBytes, unreadableBytes);
  await journal.close();
});

t.test('random bytes in the middle, at random places: nothing is invented, reading ends', async (t) => {
  const seed = Date.now() % 1e9;
  t.comment(`seed ${seed}`);
  let state = seed;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % below;
  };
  for (let round = 0; round < 20; round++) {
    const folder = t.testdir();
    const { journal, expected } = await written(folder);
    await journal.commit();
    for (const file of segmentsOf(folder)) {
      const bytes = readFileSync(file);
      const at = random(bytes.length);
      randomBytes(1 + random(200)).copy(bytes, at);
      writeFileSync(file, bytes);
    }
    const read = await readAll(journal, 0, 1 + random(3000));
    t.same(
      read,
      expected.filter((text) => read.includes(text)),
      `round ${round}`,
    );
    await journal.close();
  }
});

t.test('segments released while they are read are no damage', async (t) => {
  const { journal, expected } = await written(t.testdir());
  await journal.commit();
  const reading = readAll(journal);
  await journal.release(journal.end);
  const read = await reading;
  t.same(
    read,
    expected.filter((text) => read.includes(text)),
  );
  t.equal(journal.health().unreadableParts, 0);
  await journal.close();
});

t.test('pages written are counted', async (t) => {
  const { journal } = await openJournal(t.testdir());
  journal.append(Buffer.alloc(100));
  await journal.commit();
  t.equal(journal.health().writtenBytes, 4096);
  journal.append(Buffer.alloc(5000));
  await journal.commit();
  t.equal(journal.health().writtenBytes, 4096 + 2 * 4096);
  await journal.close();
});
