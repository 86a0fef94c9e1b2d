import t from 'tap';
import { type Finding, Health } from '../../src/api/health.js';
import type { Monitor } from '../../src/api/monitor.js';
import { Device, startTestEngine, until } from '../support/engine.js';
import { startMonitor } from '../support/monitor.js';

const codes = (monitor: Monitor) => monitor.health().reasons.map(({ code }) => code);

t.test('reasons come, keep their beginning, and go', async (t) => {
  let findings: Finding[] = [];
  const health = new Health([() => findings], '1');
  t.match(health.report(100), { status: 'ok', ready: true, reasons: [], version: '1' });

  findings = [{ code: 'link_down', where: 'a', text: 'a' }];
  const began = health.report(100).reasons[0]!.since!;
  t.ok(Math.abs(began - Date.now() / 1000) < 60);
  findings.push({ code: 'link_down', where: 'b', text: 'b', age: 500 });
  const second = health.report(400);
  t.equal(second.status, 'degraded');
  t.ok(Math.abs(second.reasons[0]!.since! - (began - 300)) <= 1 + 1, 'as long ago as the clock says');
  t.ok(Math.abs(second.reasons[1]!.since! - (began - 500)) <= 1 + 1, 'as the check knows');

  findings = [{ code: 'server_down', text: 's', unready: true }];
  t.match(health.report(500), { status: 'failed', ready: false, reasons: [{ code: 'server_down' }] });
  findings = [{ code: 'link_down', where: 'a', text: 'a' }];
  t.ok(health.report(600).reasons[0]!.since! >= began - 1, 'it begins anew');

  findings = Array.from({ length: 500 }, (_, i) => ({ code: 'link_down', where: `${i}`, text: '' }) as const);
  t.equal(health.report(700).reasons.length, 100, 'bounded');
});

t.test('an engine: queues, budget, links, servers', async (t) => {
  const gateway = await startTestEngine(
    {
      'main.lua': `
protocol = { frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return f end }
function on_message(m, conn)
  if m == "loop" then while true do end end
  conn:send(tostring(mix.queue.push("t", m)))
end`,
    },
    `luavm: { queue: { topicSize: 2 } }
servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]
links: [{ name: l, tcp: { host: 127.0.0.1, port: 9 }, entry: main.lua }]`,
  );
  t.teardown(() => gateway.stop());
  const { engine } = gateway;
  const monitor = startMonitor(t, { engine });
  t.strictSame(codes(monitor), ['link_down']);
  t.match(monitor.health(), { status: 'degraded', ready: true, version: '1.2.3' });

  const device = await Device.connect(gateway.port());
  device.send('a\nb\n');
  await device.until((text) => text === '12');
  t.strictSame(codes(monitor), ['link_down', 'queue_full']);
  const taken: unknown[] = [];
  const release = engine.queues.consume(['t'], { ready: true, take: ({ data }) => taken.push(data) });
  t.strictSame(taken, ['a', 'b']);
  t.strictSame(codes(monitor), ['link_down']);
  release();

  device.send('loop\n');
  await until(() => device.closed);
  t.strictSame(codes(monitor), ['link_down', 'budget_exceeded']);

  await engine.servers[0]!.listener!.close();
  engine.servers[0]!.listener = undefined;
  t.match(monitor.health(), { status: 'failed', ready: false, reasons: [{ code: 'server_down' }] });
});

t.test('store, uplink, centre', async (t) => {
  let store = { ok: true, error: undefined as string | undefined, state: undefined };
  let uplink = { connected: true, since: Date.now() / 1000, flaps: 0, roundTripMs: undefined };
  let engines = [{ name: 'a', connected: true, clients: 0 }];
  const monitor = startMonitor(t, {
    store: () => store,
    uplink: () => uplink,
    center: { engines: () => engines, channels: 0, devices: 0, commands: {}, refusals: {} },
  });
  t.match(monitor.health(), { status: 'ok', reasons: [] });
  store = { ok: false, error: 'no space left', state: undefined };
  t.match(monitor.health().reasons, [{ code: 'store_failing', text: 'no space left' }]);
  store = { ...store, ok: true };
  const since = Math.floor(Date.now() / 1000) - 1000;
  uplink = { ...uplink, connected: false, since };
  const [reason] = monitor.health().reasons;
  t.equal(reason?.code, 'uplink_down');
  t.ok(Math.abs(reason!.since! - since) <= 1, 'since it was lost, not since it was asked');
  uplink = { ...uplink, connected: true };
  engines = [...engines, { name: 'b', connected: false, clients: 0 }];
  t.match(monitor.health(), { status: 'degraded', ready: true, reasons: [{ code: 'engine_lost' }] });
});

t.test('an event loop that was blocked', async (t) => {
  const monitor = startMonitor(t, {});
  // Time stands still for all timers while this one works.
  const end = performance.now() + 1600;
  while (performance.now() < end);
  await until(() => codes(monitor).includes('event_loop_lag'));
  t.match(monitor.health().reasons, [{ text: /late by [1-9]/ }]);
});
