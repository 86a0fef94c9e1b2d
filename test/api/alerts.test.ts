import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Alerts, type Condition, type Notification } from '../../src/api/alerts.js';
import { deviceSilent, engineLost, queueFull, uplinkFlapping } from '../../src/api/alerts-checks.js';
import { DeviceWatch } from '../../src/api/alerts-devices.js';
import { Webhook, type WebhookOptions } from '../../src/api/alerts-webhook.js';
import { monotonicSeconds } from '../../src/api/health.js';
import { makeCertificates } from '../support/certificates.js';
import { Device, recordingLogger, startWithScript, until } from '../support/engine.js';
import { alertsOf, startMonitor } from '../support/monitor.js';
import { missing } from '../support/need.js';

interface Posted extends Notification {
  source: string;
}

/** A receiver that answers with `statuses` in turn, then with 204; 0 cuts the connection, -1 never answers. */
async function receiver(t: Test, ...statuses: number[]) {
  const posted: { body: Posted; headers: IncomingMessage['headers']; at: number }[] = [];
  let inFlight = 0;
  let most = 0;
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    most = Math.max(most, ++inFlight);
    let text = '';
    for await (const chunk of request) text += chunk;
    inFlight--;
    posted.push({ body: JSON.parse(text), headers: request.headers, at: performance.now() });
    const status = statuses.shift() ?? 204;
    if (status === 0) request.socket.destroy();
    else if (status > 0) response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { posted, url: `http://user:secret@127.0.0.1:${port}/hook?token=secret`, most: () => most };
}

function webhook(t: Test, url: string, more: Partial<WebhookOptions> = {}) {
  const log = recordingLogger();
  const hook = new Webhook(
    {
      url,
      headers: { Authorization: 'Bearer secret' },
      source: 'barn',
      minRetryMs: 5,
      maxRetryMs: 20,
      ...more,
    },
    log,
  );
  t.teardown(() => hook.stop());
  return { hook, log };
}

const note = (where: string, state: Notification['state'] = 'firing'): Notification => ({
  alert: 'queue_full',
  state,
  since: 1,
  where,
  text: where,
});

t.test('conditions that last are told once at their beginning and once at their end', async (t) => {
  let found: Condition[] = [];
  const told: Notification[] = [];
  const alerts = new Alerts([() => found], 30, (notification) => told.push(notification));
  const silent: Condition = { alert: 'device_silent', where: 'd', text: 'silent', age: 3600 };
  const full: Condition = { alert: 'queue_full', where: 'q', text: 'full' };

  found = [silent, full];
  alerts.look(0);
  alerts.look(29);
  t.strictSame(told, [], 'not before it lasted');
  found = [silent];
  alerts.look(30);
  alerts.look(35);
  t.match(told, [{ alert: 'device_silent', state: 'firing', where: 'd', text: 'silent' }]);
  t.ok(Math.abs(told[0]!.since - (Date.now() / 1000 - 3630)) < 10, 'since it began');
  t.equal(alerts.firing().get('device_silent'), 1);
  found = [silent, full];
  alerts.look(40);
  found = [];
  alerts.look(50);
  found = [silent];
  alerts.look(70);
  found = [];
  alerts.look(75);
  alerts.look(104);
  t.equal(told.length, 1, 'a short absence is none');
  alerts.look(105);
  alerts.look(106);
  t.match(told.slice(1), [{ alert: 'device_silent', state: 'resolved', where: 'd' }]);
  t.equal(told.length, 2);
  t.equal(alerts.firing().get('device_silent'), 0);

  found = Array.from({ length: 10_050 }, (_, i) => ({ ...full, where: `${i}` }));
  alerts.look(200);
  t.equal(alerts.overlooked, 50, 'bounded');
});

t.test('a receiver that fails at first gets each alert once, in order', async (t) => {
  const { posted, url, most } = await receiver(t, 503, 0, -1, 429, 200, 400);
  const { hook, log } = webhook(t, url, { timeoutMs: 200 });
  for (const where of ['a', 'b', 'c']) hook.notify(note(where));
  await until(() => posted.length === 7);
  await until(() => hook.counters.sent === 2);
  t.strictSame(
    posted.map(({ body }) => body.where),
    ['a', 'a', 'a', 'a', 'a', 'b', 'c'],
  );
  t.strictSame(posted[0]!.body, { ...note('a'), source: 'barn' });
  t.match(posted[0]!.headers, { authorization: 'Bearer secret', 'content-type': 'application/json' });
  t.strictSame(hook.counters, { sent: 2, refused: 1, dropped: 0, failed: 4 });
  t.equal(most(), 1, 'one at a time');
  t.match(log.lines.at(-1), { level: 'error', status: 400 });
  t.notMatch(JSON.stringify(log.lines), /secret/);
});

t.test('what is overtaken is not told, and what may have arrived is set right', async (t) => {
  const { posted, url } = await receiver(t, 503);
  const { hook } = webhook(t, url, { minRetryMs: 100, maxRetryMs: 100 });
  hook.notify(note('a'));
  hook.notify(note('b'));
  hook.notify(note('b', 'resolved'));
  await until(() => hook.counters.failed === 1);
  hook.notify(note('a', 'resolved'));
  hook.notify(note('c'));
  await until(() => hook.counters.sent === 2);
  t.strictSame(
    posted.map(({ body }) => [body.where, body.state]),
    [
      ['a', 'firing'],
      ['a', 'resolved'],
      ['c', 'firing'],
    ],
  );
});

t.test('what waits is bounded, and nothing waits for it', async (t) => {
  const { url } = await receiver(t, ...Array(1000).fill(503));
  const { hook, log } = webhook(t, url, { minRetryMs: 60_000, maxRetryMs: 60_000 });
  for (let i = 0; i < 1500; i++) hook.notify(note(`${i}`));
  t.ok(hook.counters.dropped >= 499, `${hook.counters.dropped} dropped`);
  t.equal(log.lines.filter(({ message }) => /dropped/.test(message)).length, 1);
  await until(() => hook.counters.failed === 1);
  await hook.stop();
  hook.notify(note('late'));
});

t.test('nobody listens', async (t) => {
  const { hook, log } = webhook(t, 'http://127.0.0.1:9/');
  hook.notify(note('a'));
  await until(() => hook.counters.failed >= 2);
  t.match(log.lines[0], { level: 'warn', problem: /ECONNREFUSED/ });
});

t.test('certificates are checked', { skip: missing('openssl', 'openssl') }, async (t) => {
  const { server } = makeCertificates(t);
  const posted: string[] = [];
  const secure = createSecureServer(
    { cert: readFileSync(server.cert), key: readFileSync(server.key) },
    (request, response) => {
      posted.push(request.url!);
      response.end();
    },
  );
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  t.teardown(() => secure.close());
  const { hook, log } = webhook(t, `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`);
  hook.notify(note('a'));
  await until(() => hook.counters.failed >= 2);
  t.match(log.lines[0], { problem: /certificate/ });
  t.strictSame(posted, []);
});

const SCRIPT = `
protocol = { frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return f end }
function on_message(m, conn)
  if m == "two" then conn:attach("d1") conn:attach("d2")
  elseif m == "report" then mix.report("d2", { v = 1 })
  elseif m == "push" then mix.queue.push("t", 1)
  else conn:attach(m) end
  conn:send("ok")
end`;

t.test('silent devices', async (t) => {
  const gateway = await startWithScript(SCRIPT);
  t.teardown(() => gateway.stop());
  const { engine } = gateway;
  const watch = new DeviceWatch(engine);
  t.teardown(() => watch.stop());
  const silent = (after: number) => [...watch.silent(600, monotonicSeconds() + after)].map(({ id }) => id);

  const alone = await Device.connect(gateway.port());
  alone.send('d0\n');
  const bus = await Device.connect(gateway.port());
  bus.send('two\n');
  await until(() => watch.size === 3);
  t.strictSame(silent(0), []);
  t.strictSame(silent(601), ['d0', 'd1', 'd2']);

  // Bytes of a connection tell whose they are only when it has one device.
  const [first, second] = [...engine.clients.values()];
  first!.lastSeen += 300_000;
  second!.lastSeen += 300_000;
  t.strictSame(silent(601), ['d1', 'd2']);
  t.strictSame(silent(901), ['d0', 'd1', 'd2']);
  watch.reported('d2');
  watch.reported('d3');
  t.strictSame(silent(590), []);
  t.equal(watch.size, 4);
  alone.socket.destroy();
  await until(() => engine.devices.size === 2);
  t.strictSame(silent(890), ['d1', 'd2', 'd3'], 'one that left was heard until then');
  t.ok(silent(901).includes('d0'), 'and is silent from then on');
  t.strictSame([...deviceSilent(watch, 0)(monotonicSeconds() + 9999)], [], '0 never');
});

t.test('full queues, flapping uplinks, lost engines', async (t) => {
  const gateway = await startWithScript(SCRIPT);
  t.teardown(() => gateway.stop());
  const { queues, options } = gateway.engine;
  const check = queueFull(gateway.engine);
  const push = (n: number) => {
    for (let i = 0; i < n; i++) queues.push({ topic: 't', client: undefined, data: i });
  };
  push(options.luavm.queue.topicSize);
  t.match([...check(0)], [{ alert: 'queue_full', where: 't' }]);
  push(1);
  queues.consume(['t'], { ready: true, take: () => {} })();
  t.match([...check(0)], [{ alert: 'queue_full', where: '' }], 'it was full in between');
  t.strictSame([...check(0)], []);

  let flaps = 2;
  const flapping = uplinkFlapping(() => ({ connected: true, since: 0, flaps, roundTripMs: 1 }), {
    times: 3,
    within: 600,
  });
  t.strictSame([...flapping(0)], []);
  flaps += 2;
  t.strictSame([...flapping(100)], []);
  flaps += 1;
  t.match([...flapping(400)], [{ alert: 'uplink_flapping', age: 300 }]);
  t.equal([...flapping(700)].length, 1);
  t.equal([...flapping(701)].length, 0);
  flaps += 1000;
  t.equal([...flapping(702)].length, 1);

  let connected = false;
  const lost = engineLost(
    {
      engines: () => [{ name: 'barn', connected, clients: 0 }],
      channels: 0,
      devices: 0,
      commands: {},
      refusals: {},
    },
    60,
  );
  t.strictSame([...lost(0)], []);
  t.match([...lost(60)], [{ alert: 'engine_lost', where: 'barn', age: 60 }]);
  connected = true;
  t.strictSame([...lost(61)], []);
  connected = false;
  t.strictSame([...lost(62)], []);
});

t.test('configured, a full queue is posted', async (t) => {
  const { posted, url } = await receiver(t, 500);
  const gateway = await startWithScript(SCRIPT);
  t.teardown(() => gateway.stop());
  const alerts = alertsOf(`{ webhook: "${url}", headers: { X-Key: k }, minSeconds: 0 }`);
  const log = recordingLogger();
  const { engine } = gateway;
  startMonitor(t, { name: 'barn', alerts, log, engine, lookMs: 20 });
  for (let i = 0; i < 2000; i++) engine.queues.push({ topic: 't', client: undefined, data: i });
  await until(() => posted.length === 2);
  t.match(posted[1], {
    body: { alert: 'queue_full', state: 'firing', source: 'barn' },
    headers: { 'x-key': 'k' },
  });
  engine.queues.consume(['t'], { ready: true, take: () => {} });
  await until(() => posted.length === 3);
  t.match(posted[2]!.body, { alert: 'queue_full', state: 'resolved' });
  t.match(log.lines, [{ message: /alert firing/ }]);
  t.notMatch(JSON.stringify(log.lines), /secret/);
});

t.test('settings', async (t) => {
  const problem = (yaml: string) => {
    try {
      alertsOf(yaml);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  t.equal(problem('{ webhook: "https://example.org/x" }'), undefined);
  for (const url of ['ftp://secret/', 'secret', '//secret', '7']) {
    t.match(problem(`{ webhook: "${url}" }`), /alerts\.webhook: must be an http/);
    t.notMatch(problem(`{ webhook: "${url}" }`), /secret/);
  }
  t.match(problem('{ headers: { A: "secret\\r\\nB: c" } }'), /printable ASCII/);
  t.notMatch(problem('{ headers: { A: "secret\\r\\nB: c" } }'), /secret/);
  t.match(problem('{ uplinkFlapping: { times: 0 } }'), /1 to 1000/);
});
