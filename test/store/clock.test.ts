import t from 'tap';
import { Clock } from '../../src/store/clock.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { openOutbox, TestTaker, TestTime, until } from './outbox-support.js';

const DAY = 86_400;
const now = (): number => Date.now() / 1000;
const near = (time: number | null | undefined, expected = now()): boolean =>
  time !== null && time !== undefined && Math.abs(time - expected) < 60;

t.test('a clock that is set is believed, as long as the centre agrees', async (t) => {
  const time = new TestTime('a');
  const clock = new Clock(new MemoryKeyValue(), time);
  t.equal(clock.state, 'set');
  clock.heard(now() + 200);
  t.match(clock.now(), { estimated: false });
  for (const jump of [DAY, -DAY]) {
    time.ahead = jump;
    t.equal(clock.state, 'estimated');
    const stamp = clock.now();
    t.ok(near(stamp.time, now() + 200), `a jump of ${jump} s`);
    t.equal(stamp.estimated, true);
  }
  time.ahead = 0;
  t.equal(clock.state, 'set', 'and again once it is right');
});

t.test('a centre whose clock was never set is not believed, nor is nonsense', async (t) => {
  const clock = new Clock(new MemoryKeyValue(), new TestTime('a'));
  for (const time of [0, 1000, Number.NaN, Number.POSITIVE_INFINITY, -5]) clock.heard(time);
  t.equal(clock.state, 'set');
  t.ok(near(clock.now().time));
});

t.test('a clock that was never set tells no time; what it stamped is dated later', async (t) => {
  const time = new TestTime('a');
  time.ahead = -now();
  const clock = new Clock(new MemoryKeyValue(), time);
  t.equal(clock.state, 'unknown');
  const { time: unknown, mono } = clock.now();
  t.equal(unknown, null);
  t.equal(clock.timeAt('a', mono), undefined);
  time.ahead = 0;
  t.ok(near(clock.timeAt('a', mono)), 'set by NTP');
  time.ahead = -now();
  clock.heard(now());
  t.equal(clock.state, 'estimated');
  t.ok(near(clock.timeAt('a', mono)), 'or told by the centre');
  t.equal(clock.timeAt('b', mono), undefined, 'of another boot nobody knows');
});

t.test('what a boot learned late is known to the next ones, of so many boots', async (t) => {
  const boots = new MemoryKeyValue();
  for (let boot = 0; boot < 30; boot++) {
    const time = new TestTime(`boot-${boot}`);
    time.ahead = -now();
    const clock = new Clock(boots, time);
    clock.now();
    time.ahead = boot;
    clock.now();
  }
  t.equal([...boots.keys()].length, 16);
  const clock = new Clock(boots, new TestTime('next'));
  t.ok(near(clock.timeAt('boot-29', 1000)));
  t.equal(clock.timeAt('boot-2', 1000), undefined);
});

t.test('reports made before the time was known get it, and say so; over a restart too', async (t) => {
  const folder = t.testdir();
  const boots = new MemoryKeyValue();
  const time = new TestTime('first');
  time.ahead = -now();
  const outbox = await openOutbox(folder, { clock: new Clock(boots, time) });
  outbox.report({ deviceId: 'a', values: 1, durable: false });
  await outbox.report({ deviceId: 'b', values: 2, quality: 'good', durable: true });
  outbox.report({ deviceId: 'c', values: 3, time: 5, durable: false });
  t.equal(outbox.status().clock, 'unknown');
  time.ahead = 0;
  outbox.report({ deviceId: 'd', values: 4, durable: false });
  await outbox.close();

  const again = await openOutbox(folder, { clock: new Clock(boots, new TestTime('second')) });
  const taker = new TestTaker(again);
  again.connect(taker);
  await until(() => again.status().records === 0);
  const of = (device: string) => taker.records().find((record) => record[1] === device)!;
  t.ok(near(of('a')[2]));
  t.equal(of('a')[6], 'time_estimated');
  t.ok(near(of('b')[2]));
  t.equal(of('b')[6], 'good,time_estimated');
  t.same([of('c')[2], of('c')[6]], [5, null], 'a time that the device told stays');
  t.ok(near(of('d')[2]));
  t.equal(of('d')[6], null);
  t.ok(taker.batches.every(({ batch }) => batch.boot === 'first'));
  await again.close();
});

t.test('a clock far from the centre’s: reports carry the centre’s time', async (t) => {
  const time = new TestTime('a');
  const clock = new Clock(new MemoryKeyValue(), time);
  const outbox = await openOutbox(t.testdir(), { clock });
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  clock.heard(now());
  time.ahead = DAY;
  outbox.report({ deviceId: 'a', values: 1, durable: false });
  time.ahead = 0;
  outbox.report({ deviceId: 'b', values: 1, durable: false });
  await until(() => outbox.status().records === 0);
  const [a, b] = taker.records();
  t.ok(near(a![2]) && near(b![2]));
  t.same([a![6], b![6]], ['time_estimated', null]);
  await outbox.close();
});

t.test('a store without room for what was learned costs no report', async (t) => {
  const time = new TestTime('a');
  time.ahead = -now();
  const clock = new Clock(new MemoryKeyValue(10), time);
  t.equal(clock.now().time, null);
  time.ahead = 0;
  t.ok(near(clock.now().time));
});
