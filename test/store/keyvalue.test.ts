import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { DurableKeyValue, type KeyValueOptions, MemoryKeyValue, scoped } from '../../src/store/keyvalue.js';
import { FailingFs } from './support.js';

const open = (folder: string, options: Partial<KeyValueOptions> = {}): Promise<DurableKeyValue> =>
  DurableKeyValue.open({ folder, fs: promises, log: silentLogger, delayMs: 1, ...options });
const bytes = (text: string): Buffer => Buffer.from(text);
const contents = (map: MemoryKeyValue): Record<string, string> =>
  Object.fromEntries([...map.keys()].sort().map((key) => [key, Buffer.from(map.get(key)!).toString()]));

t.test('values are there at once, and after a restart', async (t) => {
  const folder = t.testdir();
  const map = await open(folder);
  const durable = map.set('a', bytes('1'));
  t.same(map.get('a'), bytes('1'));
  await durable;
  await map.set('b', bytes(''));
  await map.set('ключ', bytes('3'));
  await map.delete('a');
  await map.delete('none');
  await map.close();
  t.throws(() => map.set('c', bytes('4')), { code: 'closed' });
  const again = await open(folder);
  t.same(contents(again), { b: '', ключ: '3' });
  await again.close();
});

t.test('limits', async (t) => {
  const map = new MemoryKeyValue(200_000);
  const part = scoped(map, 'lua/');
  t.throws(() => part.set('', bytes('x')), { code: 'invalid_argument', message: /1 to 256 bytes, got 0/ });
  t.throws(() => part.set('é'.repeat(129), bytes('x')), { code: 'invalid_argument', message: /got 258/ });
  await part.set('é'.repeat(128), bytes('x'));
  t.throws(() => map.set('k', Buffer.alloc(65_537)), { code: 'too_large' });
  await map.set('k'.repeat(256), Buffer.alloc(65_536));
  for (let i = 0; i < 2; i++) await map.set(`${i}`, Buffer.alloc(65_536));
  t.throws(() => map.set('3', Buffer.alloc(65_536)), { code: 'too_large', message: /together/ });
  await map.set('0', Buffer.alloc(10));
  await map.set('3', Buffer.alloc(65_536));
  await map.delete('3');
  t.throws(
    () => {
      for (let i = 0; ; i++) void map.set(`small ${i}`, Buffer.alloc(0));
    },
    { code: 'too_large' },
    'many empty values are bounded too',
  );
});

t.test('many changes between two writes are one, of the last value', async (t) => {
  const folder = t.testdir();
  const map = await open(folder, { delayMs: 20 });
  const promisesOfSets = Array.from({ length: 1000 }, (_, i) => map.set(`k${i % 3}`, bytes(String(i))));
  await Promise.all(promisesOfSets);
  t.equal(map.health().syncs, 1);
  t.ok(map.health().diskBytes < 200, 'three small records');
  await map.close();
  const again = await open(folder);
  t.same(contents(again), { k0: '999', k1: '997', k2: '998' });
  await again.close();
});

t.test('snapshots keep the journal short, and a damaged one falls back', async (t) => {
  const folder = t.testdir();
  const options = { segmentBytes: 4096, delayMs: 0 };
  const map = await open(folder, options);
  const expected: Record<string, string> = {};
  const snapshots = (): string[] =>
    readdirSync(folder)
      .filter((name) => /^snapshot-[0-9a-f]+$/.test(name))
      .sort();
  // Until a snapshot has just been written: what came before it is then in no later record.
  let [i, newest] = [0, ''];
  while (i < 400 || snapshots().at(-1) === newest) {
    newest = snapshots().at(-1) ?? '';
    const key = `k${i++ % 40}`;
    expected[key] = `${i}`.padEnd(100, '.');
    void map.set(key, bytes(expected[key]));
    await map.flush();
  }
  t.ok(map.health().diskBytes < 60_000, `${map.health().diskBytes} bytes of journal, ${i * 120} written`);
  await map.close();
  t.equal(snapshots().length, 2);
  const good = await open(folder, options);
  t.same(contents(good), expected);
  await good.close();
  for (const damage of [
    (file: Buffer) => file.fill(0),
    (file: Buffer) => file.subarray(0, file.length - 1),
    (file: Buffer) => file.subarray(0, 0),
    (file: Buffer) => Buffer.concat([file.subarray(0, 40), Buffer.from([file[40]! ^ 1]), file.subarray(41)]),
  ]) {
    const copy = join(folder, 'copy');
    mkdirSync(copy);
    for (const name of readdirSync(folder).filter((name) => name !== 'copy'))
      writeFileSync(join(copy, name), readFileSync(join(folder, name)));
    const newest = join(copy, snapshots().at(-1)!);
    writeFileSync(newest, damage(readFileSync(newest)));
    const fallback = await open(copy, options);
    t.same(contents(fallback), expected, 'the snapshot before and the journal from there hold everything');
    t.equal(fallback.health().damagedSnapshots, 1);
    await fallback.close();
    rmSync(copy, { recursive: true });
  }
});

t.test('random operations and restarts agree with a plain map', async (t) => {
  const operation = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        value: fc.string({ maxLength: 300 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const folder = t.testdir();
      const options = { segmentBytes: 512, delayMs: 0 };
      const twin: Record<string, string> = {};
      let map = await open(folder, options);
      for (const step of operations) {
        if (step.kind === 'set') {
          void map.set(step.key, bytes(step.value));
          twin[step.key] = bytes(step.value).toString();
        } else if (step.kind === 'delete') {
          void map.delete(step.key);
          delete twin[step.key];
        } else if (step.kind === 'flush') await map.flush();
        else {
          await map.close();
          map = await open(folder, options);
        }
      }
      await map.close();
      const last = await open(folder, options);
      await last.close();
      return (
        JSON.stringify(contents(last)) === JSON.stringify(Object.fromEntries(Object.entries(twin).sort()))
      );
    }),
    { numRuns: 40, interruptAfterTimeLimit: 4000, markInterruptAsFailure: false },
  );
});

t.test('a full disk: changes count in memory, once each, and reach the disk when it has room', async (t) => {
  const folder = t.testdir();
  const disk = new FailingFs();
  const map = await open(folder, { fs: disk.fs, retryMs: 5, pendingBytes: 2000 });
  await map.set('a', bytes('1'));
  disk.code = 'ENOSPC';
  await t.rejects(map.set('a', bytes('2')), { code: 'overloaded' });
  for (let i = 0; i < 3000; i++) void map.set('b', bytes(`${i}`.padEnd(100)));
  await t.rejects(map.set('c', bytes('3')), { code: 'overloaded' });
  t.match(map.health().error, /ENOSPC/);
  t.same(map.get('a'), bytes('2'));
  disk.code = undefined;
  await new Promise((resolve) => setTimeout(resolve, 20));
  while (map.health().error !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  await map.set('d', bytes('4'));
  await map.close();
  const again = await open(folder);
  t.same(contents(again), { a: '2', b: '2999'.padEnd(100), c: '3', d: '4' });
  await again.close();
});

t.test('a part of the map under a prefix', async (t) => {
  const map = new MemoryKeyValue();
  const part = scoped(map, 'lua/');
  await part.set('x', bytes('1'));
  await map.set('other', bytes('2'));
  t.same([...part.keys()], ['x']);
  t.same(map.get('lua/x'), bytes('1'));
  await part.delete('x');
  t.equal(part.get('x'), undefined);
});
