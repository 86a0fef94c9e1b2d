import { once } from 'node:events';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';
import { TestMosquitto } from '../support/mosquitto.js';
import { missing } from '../support/need.js';
import { openProxy } from '../support/tcp-proxy.js';

const skip = missing('mosquitto', 'mosquitto');

/** Somebody else at the broker, and what he has heard. */
async function other(t: Test, broker: TestMosquitto, ...topics: string[]) {
  const options: IClientOptions = { protocolVersion: 5, reconnectPeriod: 20 };
  const client: MqttClient = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, options);
  t.teardown(() => client.endAsync(true));
  const heard: { topic: string; payload: string; qos: number; retain: boolean }[] = [];
  client.on('message', (topic, payload, { qos, retain }) => {
    heard.push({ topic, payload: payload.toString(), qos, retain });
  });
  if (topics.length > 0) await client.subscribeAsync(topics, { qos: 2 });
  return { client, heard };
}

const SCRIPT = `
function on_connect(id, conn) mix.report("connected", { address = conn:remote_addr() }) end
function on_message(msg, conn)
  if msg.payload == "fail" then error("cannot") end
  local user = msg.properties and msg.properties.user
  mix.report(msg.topic, { payload = msg.payload, qos = msg.qos, retain = msg.retain, unit = user and user.unit })
  if msg.topic == "ask" then
    mix.report("sent", { err = conn:send({ topic = "answer", payload = { n = 7 }, qos = 2, retain = true }) })
  end
end
function on_close(id, err) mix.report("closed", { err = err }) end`;

const link = (port: number, more = '') =>
  `links: [{ name: site, mqtt: { url: 'mqtt://127.0.0.1:${port}'${more} }, entry: main.lua,
     reconnect: { minSeconds: 0.05, maxSeconds: 0.1 } }]`;

t.test('a broker is a device: messages of each quality come, and go', { skip }, async (t) => {
  for (const version of [4, 5]) {
    const broker = await TestMosquitto.start(t);
    const { client, heard } = await other(t, broker, 'answer', 'will');
    const e = await startTestEngine(
      { 'main.lua': SCRIPT },
      link(
        broker.port,
        `, version: ${version}, subscribe: [{ topic: 'plant/#', qos: 2 }, { topic: ask }],
           will: { topic: will, payload: gone, qos: 1 }`,
      ),
    );
    t.teardown(() => e.stop());
    await until(() => e.reports.length === 1);
    // A subscription that the broker has is told by the first message that comes by it.
    await client.publishAsync('plant/ready', 'x', { retain: true });
    await until(() => e.reports.length >= 2);
    for (const qos of [0, 1, 2] as const) {
      const properties = { userProperties: { unit: '°C' } };
      await client.publishAsync(`plant/${qos}`, Buffer.from([0, 255, qos]), { qos, properties });
    }
    await client.publishAsync('ask', 'now', { qos: 1 });
    await until(() => e.reports.some(({ deviceId }) => deviceId === 'sent') && heard.length === 1);
    for (const qos of [0, 1, 2])
      t.match(e.reports.find(({ deviceId }) => deviceId === `plant/${qos}`)?.values, {
        qos,
        retain: false,
        ...(version === 5 && { unit: '°C' }),
      });
    t.same(heard, [{ topic: 'answer', payload: '{"n":7}', qos: 2, retain: false }]);
    t.same(e.reports.find(({ deviceId }) => deviceId === 'sent')?.values, []);
    const late = await other(t, broker, 'answer');
    await until(() => late.heard.length === 1);
    t.match(late.heard[0], { retain: true }, 'it was retained');

    await broker.stop();
    await until(() => e.reports.some(({ deviceId }) => deviceId === 'closed'));
    await broker.start();
    await until(() => e.reports.filter(({ deviceId }) => deviceId === 'connected').length === 2);
    const watching = await other(t, broker, 'will');
    await e.stop();
    await watching.client.publishAsync('will', 'sync');
    await until(() => watching.heard.length > 0);
    t.match(watching.heard, [{ payload: 'sync' }], 'who leaves in order has no will');
  }
});

t.test('what the script fails at is not acknowledged, and comes again', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t);
  const { client } = await other(t, broker);
  const e = await startTestEngine(
    {
      'main.lua': `
local attempts = 0
function on_connect() mix.report("connected", {}) end
function on_message(msg, conn)
  mix.report("got", { payload = msg.payload, dup = msg.dup })
  attempts = attempts + 1
  if attempts <= 8 then error("cannot") end
  mix.report("done", { payload = msg.payload })
end`,
    },
    link(broker.port, ', clean: false, subscribe: [{ topic: x }]'),
  );
  t.teardown(() => e.stop());
  const payloads = (name: string): string[] =>
    e.reports.flatMap(({ deviceId, values }) =>
      deviceId === name ? [(values as { payload: string }).payload] : [],
    );
  await until(() => e.reports.length === 1);
  await client.publishAsync('x', 'sync', { qos: 1, retain: true });
  await until(() => payloads('got').length > 0);
  for (let n = 0; n < 7; n++) await client.publishAsync('x', `m${n}`, { qos: 1 });
  // The eighth failure makes the link ask for all of them again.
  await until(() => e.reports.filter(({ deviceId }) => deviceId === 'connected').length >= 2);
  await until(
    () => new Set(payloads('done')).size === 8,
    () => JSON.stringify(payloads('done')),
  );
  t.equal(e.engine.links[0]!.station.counters.scriptErrors, 8);
});

t.test('what did not get through leaves with the next connection', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t);
  const { heard } = await other(t, broker, 'out');
  const proxy = await openProxy(t, () => broker.port);
  const e = await startTestEngine(
    {
      'main.lua': `
function on_connect(id, conn)
  mix.report("connected", {})
  conn:subscribe("out")
end`,
    },
    link(proxy.port, ', clean: false'),
  );
  t.teardown(() => e.stop());
  await until(() => e.reports.length === 1);
  // Nothing gets through any more, which nobody has noticed yet.
  proxy.drop();
  t.match(await e.engine.mesh.publish('out', { data: 'kept', type: 'text' }), { success: 1 });
  proxy.cut();
  await until(
    () => heard.length === 1,
    () => JSON.stringify(heard),
  );
  t.match(heard[0], { payload: 'kept' });
});

t.test(
  'a broker that refuses, hangs or breaks the protocol is left, and says why in the log',
  { skip },
  async (t) => {
    const broker = await TestMosquitto.start(t, { more: ['allow_anonymous false'] });
    const { createServer } = await import('node:net');
    const servers = [
      createServer((socket) => socket.on('error', () => {}).resume()),
      createServer((socket) => socket.on('error', () => {}).end('GET / HTTP/1.1\r\n'.repeat(20))),
    ];
    await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')));
    t.teardown(() => servers.map((server) => server.close()));
    const ports = servers.map((server) => (server.address() as { port: number }).port);
    const one = (name: string, port: number) =>
      `{ name: ${name}, mqtt: { url: 'mqtt://127.0.0.1:${port}', timeoutSeconds: 1 }, entry: main.lua }`;
    const e = await startTestEngine(
      { 'main.lua': SCRIPT },
      `links: [${one('refused', broker.port)}, ${one('hangs', ports[0]!)}, ${one('other', ports[1]!)}]`,
    );
    t.teardown(() => e.stop());
    const told = (name: string, pattern: RegExp): Promise<void> =>
      until(
        () => e.log.some(({ at, message }) => at === name && pattern.test(message)),
        () => JSON.stringify(e.log),
      );
    await told('refused', /ended: the broker refuses the connection: not authorized/i);
    await told('hangs', /ended: the broker: no CONNACK within 1 s/);
    await told('other', /ended: the broker breaks the protocol/);
    t.same(e.reports, [], 'no script was told');
  },
);

t.test('entry.broker: what a site publishes is reported, and commands go to it', { skip }, async (t) => {
  const broker = await TestMosquitto.start(t);
  const { client, heard } = await other(t, broker, 'plant/+/set');
  const e = await startTestEngine(
    library,
    `links: [{ name: site, mqtt: { url: 'mqtt://127.0.0.1:${broker.port}', subscribe: [{ topic: 'plant/+/state' }] },
       entry: entry.broker.lua }]`,
  );
  t.teardown(() => e.stop());
  await client.publishAsync('plant/pump-1/state', '{"flow":4.5}', { retain: true, qos: 1 });
  await until(() => e.reports.length > 0);
  t.match(e.reports[0], { deviceId: 'pump-1', values: { flow: 4.5 }, durable: true });
  const device = e.engine.devices.get('pump-1')!;
  t.equal(device.station.settings.name, 'site');
  await client.publishAsync('plant/pump-2/state', 'no json', { qos: 1 });
  await until(() => e.log.some(({ message }) => message.startsWith('plant/pump-2/state: ')));
  const message = { topic: 'plant/pump-1/set', payload: { level: 3 }, qos: 1 };
  t.equal(await e.engine.mesh.send(device.id, { data: message }), undefined);
  await until(() => heard.length === 1);
  t.match(heard, [{ topic: 'plant/pump-1/set', payload: '{"level":3}', qos: 1 }]);
});
