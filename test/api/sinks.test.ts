import t from 'tap';
import { feedCheck, sinkCheck } from '../../src/api/health-sinks.js';
import type { JournalHealth } from '../../src/store/journal.js';
import { startEngineWithApi } from '../support/api.js';
import { readExposition, sampleValue } from '../support/exposition.js';
import { startMonitor } from '../support/monitor.js';
import { sinkFigures } from '../support/sinks.js';

const FEED: JournalHealth = {
  error: undefined,
  pendingBytes: 5,
  refused: 0,
  failures: 1,
  syncs: 2,
  diskBytes: 1000,
  segments: 1,
  damagedParts: 0,
  damagedBytes: 0,
  tornBytes: 0,
  writtenBytes: 4096,
  unreadableParts: 0,
  unreadableBytes: 0,
};

t.test('the API tells how sinks fare', async (t) => {
  const api = await startEngineWithApi('function on_message() end');
  t.teardown(api.stop);
  const { status, body } = await api.request('GET', '/v1/sinks');
  t.equal(status, 200);
  t.match(body.sinks, [{ name: 'broker', kind: 'mqtt', ok: true, lag: { records: 4, seconds: 1.5 } }]);
  t.match(await api.request('GET', '/v1/sinks/broker'), {
    status: 200,
    body: { delivered: 10, retried: 2, last_delivered: 1_800_000_000 },
  });
  t.match(await api.request('GET', '/v1/sinks/other'), { status: 404, body: { code: 'not_found' } });
});

t.test('metrics of sinks and of the feed', async (t) => {
  const sinks = () => [sinkFigures(), sinkFigures({ name: 'b', kind: 'http', ok: false, dropped: 7 })];
  const monitor = startMonitor(t, { sinks, feed: () => FEED });
  const samples = readExposition(monitor.metrics());
  const value = (name: string, sink: string) => sampleValue(samples, `moonwire_sink_${name}`, { sink });
  t.equal(value('ok', 'broker'), 1);
  t.equal(value('ok', 'b'), 0);
  t.equal(value('lag_records', 'broker'), 4);
  t.equal(value('lag_seconds', 'broker'), 1.5);
  t.equal(value('delivered_total', 'broker'), 10);
  t.equal(value('dropped_total', 'b'), 7);
  t.equal(sampleValue(samples, 'moonwire_feed_bytes', {}), 1000);
});

t.test(
  'health: a sink that takes nothing, losses for five minutes, a feed that cannot be written',
  async (t) => {
    let sink = sinkFigures();
    const check = sinkCheck(() => [sink]);
    const codes = (now: number) => [...check(now)].map(({ code, where }) => [code, where]);
    t.same(codes(0), []);
    sink = sinkFigures({ ok: false, error: 'gone', since: Date.now() / 1000 - 60, dropped: 1 });
    t.same(codes(10), [
      ['sink_failing', 'broker'],
      ['reports_undelivered', 'broker'],
    ]);
    const [failing] = check(11);
    t.match(failing, { text: 'sink broker takes no reports: gone' });
    t.ok(failing!.age! >= 60);
    sink = sinkFigures({ dropped: 1 });
    t.same(codes(310), [['reports_undelivered', 'broker']]);
    t.same(codes(311), []);
    sink = sinkFigures({ dropped: 1, dead: 1 });
    t.same(codes(320), [['reports_undelivered', 'broker']]);

    const bad = {
      ...FEED,
      error: 'ENOSPC',
      damagedParts: 1,
      damagedBytes: 9,
      unreadableParts: 1,
      unreadableBytes: 3,
    };
    t.same([...feedCheck(() => FEED)(0)], []);
    t.match(
      [...feedCheck(() => bad)(0)],
      [{ code: 'feed_failing' }, { code: 'feed_damaged', text: /^2 damaged parts of the feed \(12 bytes\)/ }],
    );
  },
);
