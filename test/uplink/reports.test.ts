import t, { type Test } from 'tap';
import { ReportStreams, type TakeReports } from '../../src/center/reports-streams.js';
import { cborCodec } from '../../src/codecs/cbor.js';
import { MoonwireError } from '../../src/errors.js';
import { silentLogger } from '../../src/log.js';
import type { MuxStream } from '../../src/mux/index.js';
import { RangeSet } from '../../src/store/ranges.js';
import type {
  Lane,
  Ranges,
  ReportBatch,
  ReportRecord,
  ReportSource,
  ReportTaker,
} from '../../src/store/reported.js';
import { newMessageCounters } from '../../src/uplink/message-stream.js';
import { MAX_REC_BYTES, STREAM } from '../../src/uplink/messages.js';
import { UplinkReports } from '../../src/uplink/reports.js';
import { sessionPair, until } from './support.js';

const RETRY = { minSeconds: 0.01, maxSeconds: 0.05, stableSeconds: 0 };
const cbor = cborCodec();

function report(sequence: number, values: unknown = sequence): ReportRecord {
  return [sequence, 'meter-1', null, sequence / 10, values, null, null];
}

/** Offers the reports 1 to `count` on one lane, ten a batch, until they are acknowledged. */
class Source implements ReportSource {
  readonly safe = new RangeSet();
  readonly acks: [epoch: number, ranges: Ranges][] = [];
  connects = 0;
  private taker: ReportTaker | undefined;
  private next = 1;

  constructor(
    private readonly count: number,
    private readonly lane: Lane = 'live',
    private readonly values: (sequence: number) => unknown = (sequence) => sequence,
  ) {}

  connect(taker: ReportTaker | undefined): void {
    this.taker = taker;
    this.next = 1;
    if (taker) this.connects++;
    this.ready(this.lane);
  }

  ready(lane: Lane): void {
    if (lane !== this.lane) return;
    while (this.taker && this.next <= this.count) {
      const records: ReportRecord[] = [];
      let sequence = this.next;
      for (; sequence <= this.count && records.length < 10; sequence++) {
        if (!this.safe.has(sequence)) records.push(report(sequence, this.values(sequence)));
      }
      if (records.length > 0 && !this.taker.offer(this.lane, { epoch: 5, boot: 'b', records })) return;
      this.next = sequence;
    }
  }

  acknowledged(epoch: number, ranges: Ranges): void {
    this.acks.push([epoch, ranges]);
    for (const [first, last] of ranges) if (epoch === 5 && last <= this.count) this.safe.add(first, last);
  }

  get done(): boolean {
    return this.safe.size === 1 && this.safe.toJSON()[0]![1] === this.count;
  }
}

/** An engine's side and a centre's, over one session. */
function connect(t: Test, source: ReportSource, take: TakeReports) {
  const [near, far] = sessionPair(t);
  const streams = new ReportStreams(take, silentLogger, newMessageCounters());
  const engine = { node: 7, name: 'barn' };
  far.handle(STREAM.reports, (stream) => streams.serve(engine, stream));
  const reports = new UplinkReports(source, silentLogger, newMessageCounters(), RETRY);
  t.teardown(() => reports.down());
  reports.up(() => near.open(STREAM.reports));
  return { near, far, reports, streams };
}

/** What an engine may do that is not ours: raw bytes on a stream of reports; answers what comes back. */
function rawEngine(t: Test, take: TakeReports) {
  const { near, streams } = connect(t, new Source(0), take);
  const open = () => {
    const stream = near.open(STREAM.reports);
    const state = { stream, text: Buffer.alloc(0), error: undefined as Error | undefined, closed: false };
    stream.on('data', (bytes: Buffer) => {
      state.text = Buffer.concat([state.text, bytes]);
    });
    stream.on('error', (error) => {
      state.error = error;
    });
    stream.on('close', () => {
      state.closed = true;
    });
    return state;
  };
  return { open, streams };
}

const rangesOf = ({ records }: ReportBatch): Ranges =>
  RangeSet.from(records.map(([sequence]) => [sequence, sequence] as const)).toJSON();

t.test('what is offered arrives, and is acknowledged when it is safe', async (t) => {
  const source = new Source(95);
  const taken: ReportRecord[] = [];
  connect(t, source, async (node, name, batch) => {
    t.same([node, name, batch.epoch, batch.boot], [7, 'barn', 5, 'b']);
    taken.push(...batch.records);
    return rangesOf(batch);
  });
  await until(() => source.done, 'acknowledged');
  t.same(
    taken,
    Array.from({ length: 95 }, (_, i) => report(i + 1)),
  );
});

t.test('what is under way is bounded, on each lane by itself', async (t) => {
  const source = new Source(2000, 'backlog', () => 'x'.repeat(1000));
  let answer!: () => void;
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let waiting = 0;
  const { reports } = connect(t, source, async (_node, _name, batch) => {
    waiting += batch.records.length;
    if (batch.records[0]![0] < 10_000) await held;
    return rangesOf(batch);
  });
  await until(() => waiting > 0, 'some arrive');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.ok(waiting <= 80, `${waiting} reports of 1 KB under way`);
  t.ok(reports.offer('live', { epoch: 5, boot: 'b', records: [report(20_000)] }), 'live has room');
  await until(() => source.acks.some(([, ranges]) => ranges[0]![0] === 20_000), 'and is not held up');
  answer();
  await until(() => source.acks.length > 200, 'the others follow');
});

t.test('a centre that cannot take them gets them again later, the session stays', async (t) => {
  const source = new Source(30);
  let fails = 3;
  const { reports, near } = connect(t, source, async (_node, _name, batch) => {
    if (fails-- > 0) throw new MoonwireError('overloaded', 'the disk refuses');
    return rangesOf(batch);
  });
  await until(() => source.done, 'acknowledged');
  t.ok(source.connects > 1 && reports.counters.broken > 0);
  t.ok(near.session.streamCount > 0);
});

t.test('a centre that knows no reports is asked again with patience', async (t) => {
  const source = new Source(5);
  const [near, far] = sessionPair(t);
  let refused = 0;
  far.on('stream', (stream) => {
    refused++;
    stream.on('error', () => {}).reset('stream_refused');
  });
  const reports = new UplinkReports(source, silentLogger, newMessageCounters(), RETRY);
  t.teardown(() => reports.down());
  reports.up(() => near.open(STREAM.reports));
  await until(() => refused >= 6, 'some attempts');
  t.equal(source.acks.length, 0);
  reports.down();
  const after = source.connects;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(source.connects, after, 'none when the uplink is down');
});

t.test('when the session ends the source is told, and nothing is offered until the next', async (t) => {
  const source = new Source(10);
  const { near, reports } = connect(t, source, async (_node, _name, batch) => rangesOf(batch));
  await until(() => source.done, 'acknowledged');
  await near.session.close();
  reports.down();
  t.notOk(reports.offer('live', { epoch: 5, boot: '', records: [report(11)] }));
});

t.test('a hostile centre: acknowledgements of anything, and rubbish', async (t) => {
  const source = new Source(10);
  const [near, far] = sessionPair(t);
  const streams: MuxStream[] = [];
  far.handle(STREAM.reports, (stream) => {
    stream.on('error', () => {}).resume();
    streams.push(stream);
  });
  const reports = new UplinkReports(source, silentLogger, newMessageCounters(), RETRY);
  t.teardown(() => reports.down());
  reports.up(() => near.open(STREAM.reports));
  await until(() => streams.length === 2, 'streams');
  const strays = [
    { t: 'ack', epoch: 5, ranges: [[1_000_000, Number.MAX_SAFE_INTEGER]] },
    { t: 'ack', epoch: 6, ranges: [[1, 10]] },
    { t: 'ack', epoch: 5, ranges: [] },
    { t: 'rec', epoch: 5, boot: '', r: [] },
  ];
  for (const message of strays) streams[0]!.write(cbor.encode(message));
  await until(() => source.acks.length === 3, 'told');
  t.equal(reports.counters.strayAcks, 2);
  const rubbish: unknown[] = [
    { t: 'ack', epoch: 5, ranges: [[5, 1]] },
    {
      t: 'ack',
      epoch: 5,
      ranges: [
        [1, 2],
        [2, 3],
      ],
    },
    {
      t: 'ack',
      epoch: 5,
      ranges: [
        [3, 4],
        [1, 1],
      ],
    },
    { t: 'ack', epoch: 5, ranges: [[0, 4]] },
    { t: 'ack', epoch: 5, ranges: [[1.5, 4]] },
    { t: 'ack', epoch: 5, ranges: [[1, 2, 3]] },
    { t: 'ack', epoch: 5, ranges: [['1', 2]] },
    { t: 'ack', epoch: -1, ranges: [[1, 2]] },
    { t: 'ack', epoch: 2 ** 48, ranges: [[1, 2]] },
    { t: 'ack', ranges: [[1, 2]] },
    { t: 'ack', epoch: 5, ranges: 7 },
    'ack',
  ];
  for (const [i, message] of rubbish.entries()) {
    const before = streams.length;
    streams.at(-1)!.write(cbor.encode(message));
    await until(() => streams.length === before + 2, `begun anew after ${i}`);
  }
  t.equal(source.acks.length, 3, 'none of it is believed');
  streams.at(-2)!.write(cbor.encode({ t: 'ack', epoch: 5, ranges: [[1, 10]] }));
  await until(() => source.done, 'an honest one is');
});

t.test('a hostile engine: what is no report ends its stream, and nobody else is harmed', async (t) => {
  let taken = 0;
  const { open, streams } = rawEngine(t, async (_node, _name, batch) => {
    taken += batch.records.length;
    return rangesOf(batch);
  });
  const good = report(1);
  const records: unknown[] = [
    [...good.slice(0, 6)],
    [...good, 1],
    [0, ...good.slice(1)],
    [2 ** 53, ...good.slice(1)],
    [-1, ...good.slice(1)],
    [1.5, ...good.slice(1)],
    ['1', ...good.slice(1)],
    [1, '', ...good.slice(2)],
    [1, 'x'.repeat(257), ...good.slice(2)],
    [1, 5, ...good.slice(2)],
    [1, 'd', 'now', ...good.slice(3)],
    [1, 'd', Number.NaN, ...good.slice(3)],
    [1, 'd', Number.POSITIVE_INFINITY, ...good.slice(3)],
    [1, 'd', null, null, ...good.slice(4)],
    [1, 'd', null, 1, 1, 5, null],
    [1, 'd', null, 1, 1, null, 'x'.repeat(513)],
    { 0: 1 },
    null,
  ];
  const messages = [
    ...records.map((record) => ({ t: 'rec', epoch: 5, boot: '', r: [record] })),
    { t: 'rec', epoch: 2 ** 48, boot: '', r: [good] },
    { t: 'rec', epoch: 5, r: [good] },
    { t: 'rec', epoch: 5, boot: 'x'.repeat(65), r: [good] },
    { t: 'rec', epoch: 5, boot: '', r: good },
    { t: 'rec', epoch: 5, boot: '', r: [report(1, 'x'.repeat(MAX_REC_BYTES))] },
  ];
  for (const [i, message] of messages.entries()) {
    const raw = open();
    raw.stream.write(cbor.encode(message));
    await until(() => raw.closed, `closed for ${i}`);
    t.ok(raw.error, `an error for ${i}`);
  }
  t.equal(taken, 0);
  const raw = open();
  raw.stream.write(cbor.encode({ t: 'rec', epoch: 5, boot: '', r: [report(9), report(1), report(9)] }));
  await until(() => raw.text.length > 0, 'answered');
  t.same(cbor.decode(raw.text), {
    t: 'ack',
    epoch: 5,
    ranges: [
      [1, 1],
      [9, 9],
    ],
  });
  raw.text = Buffer.alloc(0);
  raw.stream.write(cbor.encode({ t: 'ack', epoch: 5, ranges: [[1, 1]] }));
  await until(() => raw.text.length > 0, 'answered');
  t.same(cbor.decode(raw.text), { t: 'error', code: 'unknown' }, 'an engine acknowledges nothing');
  t.same(streams.counters, { refused: 0, flooded: 0 });
});

t.test('streams without number, and batches without end, are refused', async (t) => {
  const { open, streams } = rawEngine(t, () => new Promise(() => {}));
  const many = Array.from({ length: 6 }, open);
  await until(
    () => many.filter(({ closed }) => closed).length === 4,
    'refused beyond four, of which two are ours',
  );
  t.equal(streams.counters.refused, 4);
  const one = many.find(({ closed }) => !closed)!;
  for (let i = 1; i <= 65; i++) {
    one.stream.write(cbor.encode({ t: 'rec', epoch: 5, boot: '', r: [report(i)] }));
  }
  await until(() => one.closed, 'ended');
  t.equal(streams.counters.flooded, 1);
  const next = open();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.notOk(next.closed, 'there is room for another');
});

t.test('a batch that no message can carry is dropped, told, and holds up no other', async (t) => {
  const source = new Source(30, 'live', (sequence) => (sequence === 11 ? () => {} : sequence));
  const { reports } = connect(t, source, async (_node, _name, batch) => rangesOf(batch));
  await until(() => source.done, 'the others arrive');
  t.equal(reports.counters.unsendable, 10);
});
