import t from 'tap';
import { Intake, type IntakeFeed, type IntakeOptions } from '../../src/center/reports.js';
import { cborCodec } from '../../src/codecs/cbor.js';
import { MoonwireError } from '../../src/errors.js';
import { silentLogger } from '../../src/log.js';
import type { FeedRecord, ReportBatch, ReportRecord } from '../../src/store/reported.js';
import { random } from '../support/random.js';
import { until } from '../uplink/support.js';

const CBOR = cborCodec();
const report = (sequence: number, values: unknown = { n: sequence }): ReportRecord => [
  sequence,
  'meter-1',
  1_700_000_000 + sequence,
  sequence / 10,
  values,
  null,
  null,
];
const batch = (epoch: number, ...sequences: number[]): ReportBatch => ({
  epoch,
  boot: 'boot',
  records: sequences.map((sequence) => report(sequence)),
});

/** A feed whose disk can be told what to do. Positions count records. */
class FakeFeed implements IntakeFeed {
  retained = 0;
  refuses = false;
  full = false;

  /** On disk, and in memory only. */
  constructor(
    public durable: Uint8Array[] = [],
    private pending: Uint8Array[] = [],
  ) {}

  get end(): number {
    return this.durable.length + this.pending.length;
  }

  append(payload: Uint8Array): number {
    if (this.full) throw new MoonwireError('queue_full', 'too many bytes wait for the disk');
    this.pending.push(payload);
    return this.end - 1;
  }

  async commit(): Promise<void> {
    await new Promise(setImmediate);
    if (this.refuses) throw new MoonwireError('overloaded', 'no space');
    this.full = false;
    this.durable.push(...this.pending);
    this.pending = [];
  }

  retain(position: number): void {
    this.retained = position;
  }

  /** All reports in it, as "node/epoch/seq". */
  get reports(): string[] {
    return [...this.durable, ...this.pending].flatMap((payload) => {
      const { n, ep, r } = CBOR.decode(payload) as FeedRecord;
      return (r ?? []).map(([sequence]) => `${n}/${ep}/${sequence}`);
    });
  }

  /** As it is after kill -9, without the records that were released. */
  afterCrash(): FakeFeed {
    return new FakeFeed(this.durable.slice(this.retained));
  }
}

const limits = { maxAge: 7 * 86_400 };

function open(feed: FakeFeed, options: Partial<IntakeOptions> = {}): Promise<Intake> {
  const read = async (replay: (payload: Uint8Array, position: number) => void) => {
    for (const [position, payload] of feed.durable.entries()) replay(payload, position);
    return feed;
  };
  return Intake.open(read, { log: silentLogger, limits, ...options });
}

t.test('what is new goes into the feed once; all of it is acknowledged', async (t) => {
  const feed = new FakeFeed();
  const seen: string[] = [];
  const intake = await open(feed, {
    observe: ({ node, engine }, [sequence, device]) => seen.push(`${node} ${engine} ${device} ${sequence}`),
  });
  t.same(await intake.take(7, 'barn', batch(1, 1, 2, 3)), [[1, 3]]);
  t.same(await intake.take(7, 'barn', batch(1, 2, 3, 4, 6)), [
    [2, 4],
    [6, 6],
  ]);
  t.same(feed.reports, ['7/1/1', '7/1/2', '7/1/3', '7/1/4', '7/1/6']);
  await intake.take(7, 'barn', batch(2, 1));
  await intake.take(8, 'yard', batch(1, 1));
  t.same(feed.reports.slice(-2), ['7/2/1', '8/1/1'], 'another epoch, another node');
  t.equal(seen.length, 7);
  t.equal(seen[0], '7 barn meter-1 1');
  t.match(intake.counters, { received: 7, repeats: 2, deferred: 0 });
  t.same(intake.engines.get('barn'), { received: 6, repeats: 2 });
  t.same(
    CBOR.decode(feed.durable[0]!),
    {
      n: 7,
      e: 'barn',
      ep: 1,
      b: 'boot',
      at: (CBOR.decode(feed.durable[0]!) as FeedRecord).at,
      r: batch(1, 1, 2, 3).records,
    },
    'as it is kept',
  );
});

t.test(
  'the same sequence twice, also in one batch and with other values: the first one counts',
  async (t) => {
    const feed = new FakeFeed();
    const intake = await open(feed);
    const records = [report(1, 'first'), report(1, 'second'), report(Number.MAX_SAFE_INTEGER), report(2)];
    t.same(await intake.take(7, 'barn', { epoch: 1, boot: '', records }), [
      [1, 2],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ]);
    await intake.take(7, 'barn', { epoch: 1, boot: '', records: [report(1, 'third')] });
    t.same(
      (CBOR.decode(feed.durable[0]!) as FeedRecord).r.map(([sequence, , , , values]) => [sequence, values]),
      [
        [1, 'first'],
        [Number.MAX_SAFE_INTEGER, { n: Number.MAX_SAFE_INTEGER }],
        [2, { n: 2 }],
      ],
    );
  },
);

t.test('concurrent batches with the same reports put them into the feed once', async (t) => {
  const feed = new FakeFeed();
  const intake = await open(feed);
  await Promise.all([intake.take(7, 'barn', batch(1, 1, 2)), intake.take(7, 'barn', batch(1, 2, 3))]);
  t.same(feed.reports, ['7/1/1', '7/1/2', '7/1/3']);
});

t.test(
  'while the disk refuses nothing is acknowledged; nothing is doubled when it takes again',
  async (t) => {
    const feed = new FakeFeed();
    const intake = await open(feed);
    feed.refuses = true;
    await t.rejects(intake.take(7, 'barn', batch(1, 1, 2)), { code: 'overloaded' });
    await t.rejects(intake.take(7, 'barn', batch(1, 1, 2)), { code: 'overloaded' }, 'a repeat is no safer');
    feed.refuses = false;
    t.same(await intake.take(7, 'barn', batch(1, 1, 2)), [[1, 2]]);
    t.same(feed.reports, ['7/1/1', '7/1/2']);
    t.equal(intake.counters.deferred, 2);
  },
);

t.test('a burst waits for the disk', async (t) => {
  const feed = new FakeFeed();
  const intake = await open(feed);
  feed.full = true;
  t.same(await intake.take(7, 'barn', batch(1, 1)), [[1, 1]]);
  t.same(feed.reports, ['7/1/1']);
});

t.test('after kill -9 at any moment each report is in the feed once', async (t) => {
  const { below } = random(t);
  for (let round = 0; round < 100; round++) {
    let feed = new FakeFeed();
    let intake = await open(feed, { noteEvery: 3 });
    /** What was put into feeds that were released since. */
    const delivered = new Map<string, number>();
    const count = (of: FakeFeed): void => {
      for (const name of of.reports) delivered.set(name, (delivered.get(name) ?? 0) + 1);
    };
    const unsafe = new Set(Array.from({ length: 40 }, (_, i) => i + 1));
    while (unsafe.size > 0) {
      const some = [...unsafe].filter(() => below(3) === 0).slice(0, 6);
      const taken = intake.take(7, 'barn', batch(1, ...some)).then((ranges) => {
        for (const [first, last] of ranges)
          for (let n = first; n <= last; n++) if (below(4) > 0) unsafe.delete(n);
      });
      if (below(5) > 0) {
        await taken;
        continue;
      }
      // Killed before or after the commit; the acknowledgement is lost.
      for (let turns = below(3); turns > 0; turns--) await new Promise(setImmediate);
      taken.catch(() => {});
      const next = feed.afterCrash();
      count(new FakeFeed(feed.durable.slice(0, feed.retained)));
      feed.refuses = true;
      feed = next;
      intake = await open(feed, { noteEvery: 3 });
    }
    count(feed);
    t.equal(delivered.size, 40);
    t.ok(
      [...delivered.values()].every((times) => times === 1),
      JSON.stringify([...delivered]),
    );
  }
});

t.test('a damaged record, and one of another kind, cost nothing else', async (t) => {
  const feed = new FakeFeed();
  const intake = await open(feed);
  await intake.take(7, 'barn', batch(1, 1));
  await intake.take(7, 'barn', batch(1, 2));
  const damaged = [Buffer.from([0xff]), CBOR.encode(5), CBOR.encode({}), CBOR.encode({ received: [[1, 2]] })];
  const after = new FakeFeed([...feed.durable.slice(0, 1), ...damaged, ...feed.durable.slice(1)]);
  const again = await open(after);
  t.equal(again.counters.unreadable, damaged.length);
  await again.take(7, 'barn', batch(1, 1, 2, 3));
  t.equal(again.counters.received, 1);
});

t.test('a process that begins again and again does not fill the feed with its notes', async (t) => {
  let feed = new FakeFeed();
  let intake = await open(feed);
  await intake.take(7, 'barn', batch(1, 1, 3, 5));
  for (let i = 0; i < 20; i++) {
    feed = feed.afterCrash();
    intake = await open(feed);
  }
  t.equal(feed.afterCrash().end, 2, 'the last note, and the one before');
  await intake.take(7, 'barn', batch(1, 1, 3, 5, 7));
  t.equal(intake.counters.received, 1);
});

t.test(
  'what is idle for too long is forgotten, also over a restart; a clock that is set forgets nothing',
  async (t) => {
    let seconds = 1000;
    const own = { limits: { maxAge: 100, now: () => seconds }, noteEvery: 1 };
    const feed = new FakeFeed();
    let intake = await open(feed, own);
    await intake.take(7, 'barn', batch(1, 1));
    seconds += 60;
    for (let sequence = 1; sequence <= 4; sequence++) await intake.take(7, 'barn', batch(2, sequence));
    // A note after the first report, and one after four more.
    await until(() => feed.durable.length === 7, 'noted');
    await intake.take(7, 'barn', batch(2, 5));
    // The process begins anew: so does its clock.
    seconds = 5;
    intake = await open(feed.afterCrash(), own);
    t.equal(intake.received.size, 4, 'two epochs with a range each');
    seconds += 60;
    intake.received.forgetIdle();
    t.equal(intake.received.size, 2);
    t.ok(intake.received.has(7, 2, 1));
    t.equal(intake.received.counters.epochsForgotten, 1);
  },
);

t.test('a node that makes epochs and holes without end crowds out its own only', async (t) => {
  const feed = new FakeFeed();
  const own = { limits: { maxAge: 1e6, epochs: 10, nodeRanges: 100, total: 150 }, noteEvery: 1e9 };
  const intake = await open(feed, own);
  await intake.take(1, 'good', batch(1, 1, 2, 3));
  for (let epoch = 1; epoch <= 50; epoch++) await intake.take(2, 'bad', batch(epoch, 1));
  t.equal(intake.received.size, 2 + 20);
  for (let epoch = 100; epoch < 110; epoch++) {
    await intake.take(2, 'bad', batch(epoch, ...Array.from({ length: 40 }, (_, i) => 2 * i + 1)));
  }
  t.ok(intake.received.size <= 2 + 100 + 10, `${intake.received.size}`);
  t.ok(intake.received.has(1, 1, 2));
  t.ok(intake.received.has(2, 109, 1), 'its newest are known');
  t.ok(intake.received.counters.epochsCrowdedOut > 40);
});
