import t from 'tap';
import { Breaker } from '../../../src/engine/bus/breaker.js';
import { percentile } from '../../../src/engine/bus/counters.js';
import { Echo } from '../../../src/engine/bus/echo.js';
import { Load } from '../../../src/engine/bus/load.js';
import { busSettings } from '../../../src/engine/bus/timing.js';
import { Histogram } from '../../../src/engine/histogram.js';

const bytes = (...values: number[]) => Uint8Array.from(values);

t.test('settings follow from the baud rate', (t) => {
  t.match(busSettings({}, 9600), { timeout: 0.5, gap: (3.5 * 11) / 9600, silence: 0.1, echo: 'auto' });
  t.equal(busSettings({}, 115_200).gap, 0.00175, 'fixed above 19200 Bd');
  t.ok(busSettings({}, 300).silence > 0.7);
  t.match(busSettings({ baudRate: 9600 }), {
    timeout: 1,
    gap: (3.5 * 11) / 9600,
    echo: 'off',
    collects: true,
  });
  t.match(busSettings({}, 9600), { collects: false });
  t.match(busSettings(), { timeout: 1, gap: 0, echo: 'off', character: 0 });
  t.match(busSettings({ timeout: 3, gap: 0.2, breaker: { failures: 0 } }, 300), {
    timeout: 3,
    gap: 0.2,
    breaker: { failures: 0, minSeconds: 5 },
  });
  t.end();
});

t.test('a breaker opens, backs off to its bound, and closes', (t) => {
  const breaker = new Breaker({ failures: 2, minSeconds: 1, maxSeconds: 3 });
  breaker.failed('x', 0);
  breaker.succeeded();
  breaker.failed('x', 0);
  t.equal(breaker.state, 'closed', 'failures in a row count');
  const waits = [1, 2, 3, 3].map(() => {
    breaker.failed('x', 0);
    return breaker.nextProbe;
  });
  t.same(waits, [1000, 2000, 3000, 3000]);
  breaker.probe();
  t.equal(breaker.state, 'half_open');
  breaker.abandonProbe();
  t.equal(breaker.state, 'open');
  breaker.succeeded();
  t.match(breaker, { state: 'closed', reason: undefined });
  const never = new Breaker({ failures: 0, minSeconds: 1, maxSeconds: 1 });
  for (let i = 0; i < 10; i++) never.failed('x', 0);
  t.equal(never.state, 'closed');
  t.end();
});

t.test('an echo is found however its bytes are cut', (t) => {
  const sent = bytes(1, 2, 3, 4);
  const line = [1, 2, 3, 4, 1, 9, 8];
  for (let cut = 0; cut <= line.length; cut++) {
    const echo = new Echo('auto');
    echo.sent(sent);
    const rest = [...echo.receive(bytes(...line.slice(0, cut))), ...echo.receive(bytes(...line.slice(cut)))];
    t.same(rest, [1, 9, 8], `cut at ${cut}`);
    t.match(echo, { present: true, bytes: 4 });
  }
  const off = new Echo('auto');
  off.sent(sent);
  t.same([...off.receive(bytes(1, 2)), ...off.receive(bytes(7, 7))], [1, 2, 7, 7]);
  t.equal(off.present, false);
  const same = new Echo('auto');
  same.sent(sent);
  t.same([...same.receive(sent)], []);
  t.same([...same.release()!], [1, 2, 3, 4], 'nothing followed: it was the reply');
  t.equal(same.present, false);
  const on = new Echo('on');
  on.sent(sent);
  t.same([...on.receive(bytes(5, 1, 2, 3, 4, 6))], [5, 1, 2, 3, 4, 6], 'noise before it: nothing is lost');
  t.end();
});

t.test('load and percentiles', (t) => {
  const load = new Load(0);
  load.add(0, 1000);
  t.equal(load.share(4000), 0.25);
  load.add(60_000, 61_000);
  t.ok(Math.abs(load.share(61_000) - 1 / 51) < 1e-9, 'the first ten seconds are forgotten');
  t.equal(load.share(1e6), 0);
  const times = new Histogram();
  t.equal(percentile(times, 0.5), null);
  for (let i = 0; i < 99; i++) times.add(0.02);
  times.add(100);
  t.ok(percentile(times, 0.5)! > 0.01 && percentile(times, 0.5)! <= 0.025);
  t.equal(percentile(times, 1), 10);
  t.end();
});
