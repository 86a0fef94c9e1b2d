import { spawnSync } from 'node:child_process';
import t from 'tap';
import { MetricsText } from '../../src/api/metrics-text.js';
import { Histogram } from '../../src/engine/histogram.js';
import { Device, startTestEngine, until } from '../support/engine.js';
import { readExposition, sampleValue } from '../support/exposition.js';
import { startFullMonitor, startMonitor } from '../support/monitor.js';
import { missing } from '../support/need.js';

const SCRIPT = `
protocol = { frame = mix.frame.delimiter{ ends = "\\n", start = "m" },
  decode = function(f) if f == "mbad" then return nil, "bad" end return { text = f } end }
function on_message(msg, conn)
  if msg.text == "mfail" then error("as asked") end
  if msg.text == "mloop" then while true do end end
  mix.queue.push("orders", msg.text)
  mix.queue.push('odd "name"\\n', 1)
  mix.metrics.counter("seen_total", { kind = 'a "b"\\\\\\n' }, 2)
  mix.mesh.publish("none", "x")
  conn:attach("dev-1")
  conn:send("ok\\n")
end
`;

t.test('an engine under traffic', async (t) => {
  const gateway = await startTestEngine(
    { 'main.lua': SCRIPT },
    `servers:
  - { name: s, port: 0, bind: 127.0.0.1, entry: main.lua, limits: { frameBytes: 64 } }
  - { name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: main.lua }
links:
  - { name: nowhere, tcp: { host: 127.0.0.1, port: 9 }, entry: main.lua }`,
  );
  t.teardown(() => gateway.stop());
  const { engine } = gateway;
  const monitor = await startFullMonitor(t, { engine });

  const device = await Device.connect(gateway.port());
  device.send('xxm1\n');
  await device.until((text) => text === 'ok\n');
  device.send('mbad\nmfail\nm2\n');
  await device.until((text) => text === 'ok\nok\n');
  const looper = await Device.connect(gateway.port());
  looper.send('mloop\n');
  await until(() => looper.closed);
  await until(() => engine.clients.size === 1);

  const text = monitor.metrics();
  const samples = readExposition(text);
  const server = { server: 's' };
  const value = (name: string, labels = {}) => sampleValue(samples, `moonwire_${name}`, labels);
  t.equal(value('info', { role: 'engine', name: 'test', version: '1.2.3' }), 1);
  t.equal(value('server_up', { ...server, kind: 'server' }), 1);
  t.equal(value('server_up', { server: 'nowhere', kind: 'link' }), 0);
  t.equal(value('clients', server), 1);
  t.equal(value('clients_opened_total', server), 2);
  t.equal(value('clients_closed_total', server), 1);
  t.equal(value('received_bytes_total', server), 5 + 14 + 6);
  t.equal(value('sent_bytes_total', server), 6);
  t.equal(value('frames_total', server), 5);
  t.equal(value('messages_received_total', server), 4);
  t.equal(value('decode_errors_total', server), 1);
  t.equal(value('script_errors_total', server), 1);
  t.equal(value('budget_exceeded_total', server), 1);
  t.equal(value('discarded_bytes_total', { ...server, reason: 'noise' }), 2);
  t.equal(value('connections_refused_total', { ...server, reason: 'limit' }), 0);
  t.equal(value('clients_dropped_total', { ...server, reason: 'oversize' }), 0);
  t.equal(value('datagrams_dropped_total', { server: 'u' }), 0);
  t.equal(value('handler_duration_seconds_count', server), 4);
  t.ok(value('handler_duration_seconds_sum', server)! > 0);
  t.equal(value('send_duration_seconds_bucket', { scenario: 'mesh_publish', le: '+Inf' }), 0);
  t.equal(value('queue_depth', { topic: 'orders' }), 2);
  t.equal(value('queue_depth', { topic: 'odd "name"\n' }), 2);
  t.equal(value('queue_pushed_total'), 4);
  t.equal(value('queue_fill_ratio'), 2 / 100);
  t.equal(value('devices'), 1);
  t.equal(value('devices_watched'), 1);
  t.equal(value('devices_silent'), 0);
  t.equal(value('script_seen_total', { kind: 'a "b"\\\n' }), 4);
  t.equal(value('uplink_connected'), 1);
  t.equal(value('uplink_flaps_total'), 3);
  t.equal(value('uplink_round_trip_seconds'), 0.0125);
  t.equal(value('events_total', { part: 'api', event: 'closed_slow' }), 4);
  t.equal(value('events_total', { part: 'api', event: 'nested' }), undefined);
  t.equal(value('events_total', { part: 'http', event: 'refused' }), 0);
  t.equal(value('store_ok'), 1);
  t.ok(value('store_disk_bytes')! > 0);
  t.equal(value('engines'), 1);
  t.equal(value('engine_connected', { engine: 'b' }), 0);
  t.equal(value('joins_refused_total', { code: 'bad_token' }), 2);
  t.equal(value('commands', { state: 'queued' }), 3);
  t.equal(value('mesh_channels'), 7);
  t.ok(value('memory_bytes', { kind: 'heap_used' })! > 1e6);
  t.ok(sampleValue(samples, 'process_resident_memory_bytes')! > 1e7);
  t.ok(value('gc_seconds_total', { kind: 'minor' }) !== undefined);

  t.test('promtool finds nothing wrong', { skip: missing('promtool', 'prometheus') }, async (t) => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    t.equal(`${stdout}${stderr}`, '');
    t.equal(status, 0);
  });
});

t.test('histograms are cumulative, and what is above all bounds counts', async (t) => {
  const histogram = new Histogram();
  for (const seconds of [0.00001, 0.003, 0.003, 99]) histogram.add(seconds);
  const text = new MetricsText();
  text.histogram('x_seconds', 'help', [[{ a: 'b' }, histogram]]);
  const samples = readExposition(text.toString());
  const le = (bound: string) => sampleValue(samples, 'x_seconds_bucket', { a: 'b', le: bound });
  t.equal(le('0.00005'), 1);
  t.equal(le('0.0025'), 1);
  t.equal(le('0.005'), 3);
  t.equal(le('10'), 3);
  t.equal(le('+Inf'), 4);
  t.equal(sampleValue(samples, 'x_seconds_count'), 4);
  t.equal(sampleValue(samples, 'x_seconds_sum'), 99.00601);
});

t.test('whatever labels and values are, each sample is one line', async (t) => {
  const nasty = ['', '"', '\\', '\n', '\\n', '"} 1\nmoonwire_x 2', '\u0000', '\ud800', '🌙', '\\"\n\\'];
  const text = new MetricsText();
  text.gauge(
    'x',
    'one\nline \\ only',
    nasty.map((value, i) => [{ value, i: String(i) }, i]),
  );
  text.gauge('y', 'y', [
    [{ i: '0' }, Number.POSITIVE_INFINITY],
    [{ i: '1' }, Number.NaN],
    [{ i: '2' }, 1e300],
  ]);
  const samples = readExposition(text.toString());
  t.strictSame(
    samples.filter(({ name }) => name === 'x').map(({ labels }) => labels.value),
    nasty,
  );
  t.equal(sampleValue(samples, 'y', { i: '0' }), Number.POSITIVE_INFINITY);
  t.equal(sampleValue(samples, 'y', { i: '2' }), 1e300);
});

t.test('topics are told apart up to a number', async (t) => {
  const gateway = await startTestEngine(
    { 'main.lua': 'function init() for i = 1, 130 do mix.queue.push("t" .. i, 1) end end' },
    `luavm: { queue: { maxTopics: 1000 } }
servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]`,
  );
  t.teardown(() => gateway.stop());
  const monitor = startMonitor(t, { engine: gateway.engine });
  const samples = readExposition(monitor.metrics());
  const depths = samples.filter(({ name }) => name === 'moonwire_queue_depth');
  t.equal(depths.length, 101);
  t.equal(sampleValue(depths, 'moonwire_queue_depth', { topic: '' }), 30);
  t.equal(sampleValue(samples, 'moonwire_queue_fill_ratio'), 0.13);
});
