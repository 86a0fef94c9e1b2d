import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/log.js';
import { Feed, type FeedOptions } from '../../src/store/feed.js';
import { type KeyValue, MemoryKeyValue } from '../../src/store/keyvalue.js';
import { LogRecorder, segmentsOf } from './support.js';

const MiB = 2 ** 20;

/** What a test opens again and again: a folder, and the cursors' values. */
interface Place {
  readonly folder: string;
  readonly values: KeyValue;
}

function newPlace(t: Test): Place {
  // Before the folder is made: tap removes folders before it calls what was set up after them.
  t.teardown(() => {});
  return { folder: join(t.testdir(), 'feed'), values: new MemoryKeyValue() };
}

async function open(t: Test, place: Place, options: Partial<FeedOptions> = {}): Promise<Feed> {
  const feed = await Feed.open({
    ...place,
    readers: ['a'],
    maxBytes: 16 * MiB,
    maxAge: 86_400,
    log: silentLogger,
    ...options,
  });
  t.teardown(() => feed.close());
  return feed;
}

/** Everything a reader has yet to get. */
async function rest(feed: Feed, reader: string, windowBytes = 1000): Promise<string[]> {
  const texts: string[] = [];
  for (let from = feed.cursor(reader).position; ; ) {
    const { records, next } = await feed.read(from, windowBytes);
    if (records.length === 0) return texts;
    texts.push(...records.map(({ payload }) => payload.toString()));
    from = next;
  }
}

t.test('readers have places of their own, which outlive the process', async (t) => {
  const place = newPlace(t);
  const readers = ['a', 'b'];
  const first = await open(t, place, { readers });
  for (let i = 0; i < 10; i++) first.append(Buffer.from(`${i}`), 3);
  t.same(await rest(first, 'a'), [...'0123456789'], 'what is not on disk yet is read too');
  await first.commit();
  const { records } = await first.read(0, 100_000);
  await first.cursor('a').advance(records[4]!.position, 1, 13);
  t.equal(first.cursor('a').pending, 17);
  t.equal(first.cursor('b').pending, 30);
  await first.close();

  const second = await open(t, place, { readers });
  t.match(second.cursor('a'), { position: records[4]!.position, skip: 1, pending: 17, dropped: 0 });
  t.same(await rest(second, 'a'), [...'456789']);
  t.same((await rest(second, 'b')).length, 10);
  t.match(second.cursor('b'), { position: 0, pending: 30 });
  await second.close();

  const third = await open(t, place, { readers: ['b', 'c'] });
  t.same(await rest(third, 'c'), [], 'a new reader begins at the end');
  t.equal(third.cursor('c').pending, 0);
  t.same([...place.values.keys()].sort(), ['b', 'c'], 'the cursor of a reader that is no more is forgotten');
});

t.test('everything that is there is handed over at opening', async (t) => {
  const place = newPlace(t);
  const first = await open(t, place);
  const positions = ['x', 'y', 'z'].map((text) => first.append(Buffer.from(text)));
  await first.close();
  const seen: [string, number][] = [];
  await Feed.open(
    { ...place, readers: ['a'], maxBytes: MiB, maxAge: 60, log: silentLogger },
    (payload, position) => seen.push([payload.toString(), position]),
  ).then((feed) => feed.close());
  t.same(
    seen,
    ['x', 'y', 'z'].map((text, i) => [text, positions[i]]),
  );
});

t.test('disk is freed behind the slowest reader, and not before what is retained', async (t) => {
  const place = newPlace(t);
  const feed = await open(t, place, { readers: ['fast', 'slow'] });
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      feed.append(Buffer.alloc(100_000));
      await feed.commit();
    }
  };
  const skipAll = (reader: string) => feed.cursor(reader).advance(feed.end, 0, feed.cursor(reader).pending);
  const bytes = (): number =>
    segmentsOf(place.folder).reduce(
      (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  feed.retain(0);
  await fill();
  await skipAll('fast');
  t.ok(bytes() > 4 * MiB, 'the slow one has yet to come');
  await skipAll('slow');
  t.ok(bytes() > 4 * MiB, 'it is retained');
  feed.retain(feed.end);
  while (bytes() > MiB) await new Promise((resolve) => setTimeout(resolve, 5));
  await fill();
  t.ok(bytes() > 4 * MiB);
  await skipAll('slow');
  await skipAll('fast');
  feed.retain(Number.POSITIVE_INFINITY);
  while (bytes() > MiB) await new Promise((resolve) => setTimeout(resolve, 5));
  t.pass('freed');
});

t.test(
  'over its bytes the oldest go: counted for each reader, told, and the disk never refuses',
  async (t) => {
    const place = newPlace(t);
    const log = new LogRecorder();
    const feed = await open(t, place, { readers: ['a', 'b'], maxBytes: MiB, log });
    let most = 0;
    for (let i = 0; i < 2000; i++) {
      feed.append(Buffer.from(String(i).padEnd(2000)), 2);
      if (i % 20 === 0) await feed.commit();
      if (i === 100) await feed.cursor('b').advance(feed.end, 0, feed.cursor('b').pending);
      most = Math.max(most, feed.health().diskBytes);
    }
    await feed.commit();
    t.ok(most <= MiB, `${most} bytes`);
    t.equal(feed.health().failures, 0);
    const left = await rest(feed, 'a', 100_000);
    t.ok(left.length > 200, 'most of the bound is used');
    t.same(
      left.map(Number),
      Array.from(left, (_, i) => 2000 - left.length + i),
      'the newest are there, without a gap',
    );
    for (const [reader, read] of [
      ['a', 0],
      ['b', 202],
    ] as const) {
      const { pending, dropped } = feed.cursor(reader);
      t.equal(pending, 2 * left.length);
      t.equal(dropped, 4000 - read - pending, 'exact');
    }
    t.equal(log.lines.filter((line) => line.includes('dropped before they were delivered')).length, 2);
    t.throws(() => feed.append(Buffer.alloc(MiB / 4 + 1)), { code: 'too_large' });

    const before = feed.cursor('a').position;
    await feed.cursor('a').advance(0, 0, 5);
    t.equal(feed.cursor('a').position, before, 'a step behind the cut is ignored');
  },
);

t.test('over their age they go, also when nothing new comes; unless the clock was not set', async (t) => {
  for (const [began, isSet] of [
    [1_800_000_000, true],
    [1000, false],
  ] as const) {
    const place = newPlace(t);
    let time = began;
    const now = (): number => time;
    const first = await open(t, place, { now, maxAge: 1000 });
    for (let i = 0; i < 10; i++) {
      first.append(Buffer.from(`${i}`));
      time += 150;
    }
    t.same(await rest(first, 'a'), isSet ? [...'23456789'] : [...'0123456789']);
    t.equal(first.cursor('a').dropped, isSet ? 2 : 0);
    await first.close();
    time += isSet ? 5000 : 1_800_000_000;
    const second = await open(t, place, { now, maxAge: 1000 });
    t.equal((await rest(second, 'a')).length, isSet ? 0 : 10);
    t.equal(second.cursor('a').pending, isSet ? 0 : 10);
    second.append(Buffer.from('new'));
    t.equal((await rest(second, 'a')).at(-1), 'new');
    await second.close();
  }
});

t.test('a cursor beyond a lost end goes back to it, and what comes then is not passed over', async (t) => {
  const place = newPlace(t);
  const first = await open(t, place);
  for (let i = 0; i < 10; i++) first.append(Buffer.from(`${i}`));
  await first.commit();
  await first.cursor('a').advance(first.end, 0, 10);
  await first.close();
  rmSync(place.folder, { recursive: true });
  mkdirSync(place.folder);
  const second = await open(t, place);
  t.match(second.cursor('a'), { position: 0, pending: 0 });
  second.append(Buffer.from('new'));
  t.same(await rest(second, 'a'), ['new']);
  t.equal(second.cursor('a').pending, 1);
});

t.test('a reader waits for what comes next', async (t) => {
  const feed = await open(t, newPlace(t));
  const stop = new AbortController();
  const waiting = feed.appended(feed.end, stop.signal);
  const position = feed.append(Buffer.from('x'));
  await waiting;
  await feed.appended(position, stop.signal);
  const stopped = feed.appended(feed.end, stop.signal);
  stop.abort();
  await stopped;
  await feed.appended(feed.end, stop.signal);
  t.pass('each came to its end');
});

t.test('a new reader is on disk before the first commit ends', async (t) => {
  const place = newPlace(t);
  let written: (() => void) | undefined;
  class Slow extends MemoryKeyValue {
    protected override changed(): Promise<void> {
      return new Promise((resolve) => {
        written = resolve;
      });
    }
  }
  const feed = await open(t, { ...place, values: new Slow() });
  feed.append(Buffer.from('x'));
  let done = false;
  const committing = feed.commit().then(() => {
    done = true;
  });
  while (feed.health().syncs === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(done, false);
  written!();
  await committing;
  t.ok(readdirSync(place.folder).length > 0);
});
