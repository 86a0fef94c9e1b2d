import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { scanRecords, writeRecord } from '../../src/store/record.js';
import { SEGMENT_HEADER_BYTES } from '../../src/store/segment.js';
import { onlySegment, openJournal, segmentsOf } from './support.js';

/** A journal of records with these payloads, all in one segment. */
async function journalOf(
  folder: string,
  payloads: readonly Buffer[],
): Promise<{ positions: number[]; path: string; bytes: Buffer }> {
  const { journal } = await openJournal(folder);
  const positions = payloads.map((payload) => journal.append(payload));
  await journal.close();
  return { positions: [...positions, journal.end], ...onlySegment(folder) };
}

t.test(
  'cut at every byte: every whole record before the cut is there, nothing is invented, writing goes on',
  async (t) => {
    const folder = t.testdir();
    const payloads = Array.from({ length: 6 }, (_, i) => randomBytes(i * 7));
    const { positions, path, bytes } = await journalOf(folder, payloads);
    let failed = 0;
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const { journal, records } = await openJournal(folder);
      const whole = positions.filter(
        (position) => position > 0 && SEGMENT_HEADER_BYTES + position <= length,
      ).length;
      const expected = payloads.slice(0, whole).map((payload) => payload.toString('latin1'));
      journal.append(Buffer.from('next'));
      await journal.close();
      const after = await openJournal(folder);
      await after.journal.close();
      const good =
        JSON.stringify(records) === JSON.stringify(expected) &&
        JSON.stringify(after.records) === JSON.stringify([...expected, 'next']) &&
        segmentsOf(folder).length === 1 &&
        after.journal.health().damagedParts === 0 &&
        after.journal.health().tornBytes === 0;
      if (!good) {
        failed++;
        t.fail(`cut at ${length}: ${records.length} and then ${after.records.length} records`);
      }
    }
    t.equal(failed, 0, `${bytes.length + 1} cuts`);
  },
);

t.test('any one byte changed: only its record is lost, and counted', async (t) => {
  const folder = t.testdir();
  const payloads = Array.from({ length: 5 }, (_, i) => randomBytes(9 + i));
  const { positions, path, bytes } = await journalOf(folder, payloads);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1 << (at % 8);
    writeFileSync(path, changed);
    const { journal, records } = await openJournal(folder);
    await journal.close();
    const hit = positions.findLastIndex((position) => SEGMENT_HEADER_BYTES + position <= at);
    const expected = payloads
      .filter((_, index) => index !== hit)
      .map((payload) => payload.toString('latin1'));
    const { damagedParts, tornBytes } = journal.health();
    if (JSON.stringify(records) !== JSON.stringify(expected) || (damagedParts === 0 && tornBytes === 0)) {
      t.fail(`byte ${at}: ${records.length} records, ${damagedParts} damaged parts`);
    }
  }
  t.ok(
    readdirSync(folder).filter((name) => name.endsWith('.bad')).length <= 16,
    'what is set aside is bounded',
  );
});

t.test(
  'zeroed pages, junk in the middle, swapped and repeated parts: what is read was written',
  async (t) => {
    const folder = t.testdir();
    const payloads = Array.from({ length: 400 }, (_, i) => Buffer.from(`${i}:${'x'.repeat(i % 90)}`));
    const { path, bytes } = await journalOf(folder, payloads);
    const valid = new Set(payloads.map(String));
    const place = fc.nat(bytes.length - 1);
    const damage = fc.oneof(
      fc.record({ kind: fc.constant('zero' as const), at: place, length: fc.constantFrom(1, 512, 4096) }),
      fc.record({ kind: fc.constant('junk' as const), at: place, length: fc.nat(600) }),
      fc.record({ kind: fc.constant('insert' as const), at: place, length: fc.nat(600) }),
      fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.nat(600) }),
      fc.record({ kind: fc.constant('repeat' as const), at: place, length: fc.nat(6000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (damages) => {
        let changed: Buffer = Buffer.from(bytes);
        for (const { kind, at, length } of damages) {
          const [before, part, rest] = [
            changed.subarray(0, at),
            changed.subarray(at, at + length),
            changed.subarray(at + length),
          ];
          if (kind === 'zero') changed = Buffer.concat([before, Buffer.alloc(part.length), rest]);
          if (kind === 'junk') changed = Buffer.concat([before, randomBytes(part.length), rest]);
          if (kind === 'insert') changed = Buffer.concat([before, randomBytes(length), part, rest]);
          if (kind === 'remove') changed = Buffer.concat([before, rest]);
          if (kind === 'repeat') changed = Buffer.concat([before, part, part, rest]);
        }
        for (const found of segmentsOf(folder)) truncateSync(found);
        writeFileSync(path, changed);
        const { journal, records } = await openJournal(folder);
        journal.append(Buffer.from('after'));
        await journal.close();
        const again = await openJournal(folder);
        await again.journal.close();
        const numbers = records.map((record) => Number.parseInt(record, 10));
        return (
          records.every((record) => valid.has(record)) &&
          numbers.every((number, i) => i === 0 || number > numbers[i - 1]!) &&
          JSON.stringify(again.records) === JSON.stringify([...records, 'after'])
        );
      }),
      { numRuns: 150, interruptAfterTimeLimit: 5000, markInterruptAsFailure: false },
    );
  },
);

t.test('a damaged page costs the records on it, and the rest is found again', async (t) => {
  const folder = t.testdir();
  const payloads = Array.from({ length: 400 }, (_, i) => Buffer.from(`${i}`.padStart(88)));
  const { path, bytes } = await journalOf(folder, payloads);
  writeFileSync(path, Buffer.from(bytes).fill(0, 4096, 8192));
  const { journal, records } = await openJournal(folder);
  await journal.close();
  t.ok(records.length >= 357, `${records.length} of 400; 4096 bytes touch at most 42 records of 100`);
  t.match(journal.health(), { damagedParts: 1 });
  t.ok(journal.health().damagedBytes >= 4096);
});

t.test('whole files of nothing, zeros, noise: opening never fails', async (t) => {
  const contents: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    byte: Buffer.alloc(1),
    zeros: Buffer.alloc(8192),
    noise: randomBytes(20_000),
    marks: Buffer.alloc(200_000, Buffer.from([0xa5, 0xc3])),
  };
  for (const [name, bytes] of Object.entries(contents)) {
    for (const last of [true, false]) {
      const folder = t.testdir();
      writeFileSync(join(folder, 'segment-00000000000000'), bytes);
      if (!last) writeFileSync(join(folder, 'segment-00000000100000'), bytes);
      const { journal, records } = await openJournal(folder);
      t.same(records, [], name);
      journal.append(Buffer.from('fine'));
      await journal.commit();
      await journal.close();
      const again = await openJournal(folder);
      t.same(again.records, ['fine'], `${name} and then a record`);
      await again.journal.close();
    }
  }
});

t.test('a missing segment is noticed, one of another version is left alone', async (t) => {
  const folder = t.testdir();
  const { journal } = await openJournal(folder, { segmentBytes: 200 });
  for (let i = 0; i < 6; i++) {
    journal.append(Buffer.from(`${i}`.padStart(150)));
    await journal.commit();
  }
  await journal.close();
  const [, second, third] = segmentsOf(folder);
  const header = readFileSync(third!);
  header.writeUInt32BE(2, 8);
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
  writeFileSync(third!, header);
  unlinkSync(second!);
  const found = await openJournal(folder);
  t.same(
    found.records.map((record) => record.trim()),
    ['0', '3', '4', '5'],
  );
  t.ok(found.journal.health().damagedParts >= 2);
  t.ok(readdirSync(folder).some((name) => name.endsWith('.foreign')));
  await found.journal.close();
});

t.test('a record inside another one is never taken for a record', async (t) => {
  const inner = Buffer.alloc(40);
  writeRecord(inner, 0, 0, Buffer.from('forged'));
  const outer = Buffer.alloc(100);
  const length = writeRecord(outer, 0, 0, inner);
  outer[0] = 0; // the outer record is damaged, so the scan looks inside it
  const found: string[] = [];
  scanRecords(outer.subarray(0, length), 0, 0, {
    record: (payload) => found.push(payload.toString()),
    bad: () => {},
  });
  t.same(found, []);
});
