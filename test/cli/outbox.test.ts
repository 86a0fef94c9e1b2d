import t from 'tap';
import { EngineHost } from '../../src/api/engine-host.js';
import { openOutbox, TestTaker, until } from '../store/outbox-support.js';
import { startTestApi } from '../support/api.js';
import { moonwire } from '../support/cli.js';
import { startWithScript } from '../support/engine.js';
import { startMonitor } from '../support/monitor.js';
import { jsonLines } from '../support/operated.js';

t.test('moonwire outbox, GET /v1/outbox, metrics and health tell the same', async (t) => {
  const test = await startWithScript('');
  const outbox = await openOutbox(t.testdir(), { maxBytes: 2 ** 20 });
  const host = new EngineHost(test.engine, {
    version: '1',
    api: () => undefined,
    outbox: () => outbox.status(),
  });
  const monitor = startMonitor(t, { engine: test.engine, outbox: () => outbox.status() });
  const api = await startTestApi(host, { monitor });
  t.teardown(async () => {
    await api.stop();
    await test.stop();
    await outbox.close();
  });
  const cli = (...args: string[]) => moonwire(['outbox', '--api', api.api.address, ...args]);

  t.match((await cli()).stdout, /^Nothing was reported yet, 0 dropped\n0 reports wait, .*nobody takes/s);
  for (let i = 0; i < 100; i++) outbox.report({ deviceId: 'd', values: 'x'.repeat(100), durable: false });
  t.throws(() => outbox.report({ deviceId: 'd', values: Number.NaN, durable: false }));
  const { stdout, code } = await cli();
  t.equal(code, 0);
  t.match(
    stdout,
    /^Holds \d+[smhd] at today's rate, 0 dropped, 1 refused, oldest \d\d:\d\d\n100 reports wait/,
  );
  t.notMatch(stdout, /nan|undefined/i);
  const [json] = jsonLines((await cli('--json')).stdout);
  t.match(json, { records: 100, connected: false, clock: 'set', refused: { invalid_argument: 1 } });
  t.match(json.holds_seconds, Number);

  const metrics = monitor.metrics();
  t.match(metrics, /^moonwire_outbox_records 100$/m);
  t.match(metrics, /^moonwire_outbox_refused_total\{code="invalid_argument"\} 1$/m);
  t.match(metrics, /^moonwire_outbox_dropped_total\{reason="full"\} 0$/m);
  t.same(monitor.health().reasons, []);

  for (let i = 0; i < 8000; i++) {
    outbox.report({ deviceId: 'd', values: 'x'.repeat(500), durable: false });
    if (i % 200 === 0) await new Promise(setImmediate);
  }
  await until(() => outbox.status().counters.dropped.full > 0);
  t.match(monitor.health(), { status: 'degraded', reasons: [{ code: 'reports_dropped' }] });
  outbox.connect(new TestTaker(outbox));
  await until(() => outbox.status().records === 0);
  t.match((await cli()).stdout, /, [1-9]\d* dropped.*\n0 reports wait.*reports are taken/s);
});

t.test('an engine without an outbox says so', async (t) => {
  const test = await startWithScript('');
  const api = await startTestApi(new EngineHost(test.engine, { version: '1', api: () => undefined }));
  t.teardown(async () => {
    await api.stop();
    await test.stop();
  });
  t.match(await api.request('GET', '/v1/outbox'), { status: 404, body: { code: 'not_found' } });
});
