import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import mqtt, { type IClientOptions } from 'mqtt';
import t from 'tap';
import { startTestEngine, until } from '../../support/engine.js';
import { startMqtt } from '../../support/mqtt.js';
import { missing } from '../../support/need.js';
import { WebClient } from '../../support/websocket.js';

const run = promisify(execFile);

/** A client of MQTT.js that keeps what it gets. */
async function connect(url: string, options: IClientOptions = {}) {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  const received: [topic: string, payload: string, retain: boolean][] = [];
  client.on('message', (topic, payload, { retain }) => received.push([topic, payload.toString(), retain]));
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
  return { client, received };
}

for (const protocolVersion of [4, 5] as const) {
  t.test(`MQTT.js, version ${protocolVersion}`, async (t) => {
    const test = await startMqtt('function on_message(msg) print(msg.topic, msg.payload) end');
    t.teardown(test.stop);
    const url = `mqtt://127.0.0.1:${test.port()}`;
    const kept = {
      protocolVersion,
      clientId: 'kept',
      clean: false,
      properties: { sessionExpiryInterval: 60 },
    };
    const first = await connect(url, protocolVersion === 5 ? kept : { ...kept, properties: undefined });
    t.teardown(() => first.client.endAsync(true));
    for (const qos of [0, 1, 2] as const) await first.client.subscribeAsync(`q/${qos}/#`, { qos });
    const second = await connect(url, { protocolVersion });
    t.teardown(() => second.client.endAsync(true));
    for (const qos of [0, 1, 2] as const) {
      for (const to of [0, 1, 2])
        await second.client.publishAsync(`q/${to}/${qos}`, `${qos} to ${to}`, { qos });
    }
    await until(() => first.received.length === 9);
    t.same(
      first.received.map(([, payload]) => payload),
      [0, 1, 2].flatMap((qos) => [0, 1, 2].map((to) => `${qos} to ${to}`)),
    );
    await first.client.endAsync();
    await second.client.publishAsync('q/1/away', 'kept for it', { qos: 1 });
    const again = await connect(url, protocolVersion === 5 ? kept : { ...kept, properties: undefined });
    t.teardown(() => again.client.endAsync(true));
    await until(() => again.received.length === 1);
    t.same(again.received[0], ['q/1/away', 'kept for it', false]);
  });
}

t.test(
  'mosquitto_pub and mosquitto_sub',
  { skip: missing('mosquitto_sub', 'mosquitto-clients') },
  async (t) => {
    const test = await startMqtt('function on_authenticate(login) return login.password == "pw" end');
    t.teardown(test.stop);
    const common = ['-h', '127.0.0.1', '-p', String(test.port()), '-u', 'ann', '-P', 'pw'];
    for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
      for (const qos of ['0', '1', '2']) {
        const args = [...common, '-V', version, '-q', qos, '-i', `sub-${version}`];
        const got = run('mosquitto_sub', [...args, '-t', `${version}/+`, '-C', '1', '-v', '-W', '20']);
        await until(() => [...test.engine.channels.names()].includes(`${version}/+`));
        await run('mosquitto_pub', [
          ...common,
          '-V',
          version,
          '-q',
          qos,
          '-t',
          `${version}/x`,
          '-m',
          `qos ${qos}`,
        ]);
        t.equal((await got).stdout, `${version}/x qos ${qos}\n`);
        await until(() => test.engine.clients.size === 0);
      }
    }
    const wrong = run('mosquitto_pub', [...common.slice(0, -1), 'no', '-t', 'x', '-m', 'x']);
    await t.rejects(wrong, /not authori[sz]ed/i);
  },
);

t.test('MQTT over WebSocket, and channels that all kinds of clients share', async (t) => {
  const test = await startTestEngine(
    {
      'mqtt.lua': '',
      'web.lua': `
        function on_connect(id, conn) conn:subscribe("room/+") end
        function on_message(msg) mix.mesh.publish("room/web", msg.data, msg.type) end
      `,
    },
    `
servers:
  - { name: tcp, port: 0, bind: 127.0.0.1, protocol: mqtt, entry: mqtt.lua }
  - { name: ws, port: 0, bind: 127.0.0.1, protocol: mqtt, transport: ws, entry: mqtt.lua }
  - { name: web, port: 0, bind: 127.0.0.1, protocol: websocket, entry: web.lua }`,
  );
  t.teardown(test.stop);
  const browser = await connect(`ws://127.0.0.1:${test.port(1)}`, { protocolVersion: 5 });
  t.teardown(() => browser.client.endAsync(true));
  await browser.client.subscribeAsync('room/#', { qos: 1 });
  const device = await connect(`mqtt://127.0.0.1:${test.port(0)}`);
  t.teardown(() => device.client.endAsync(true));
  await device.client.publishAsync('room/kept', '{"a":1}', { qos: 1, retain: true });
  await device.client.subscribeAsync('room/kept');
  const web = await WebClient.connect(test.port(2));
  t.teardown(() => web.ws.terminate());
  await until(() => [...test.engine.channels.names()].includes('room/+'));
  await device.client.publishAsync('room/x', Buffer.from([0xff]));
  await until(() => browser.received.length === 2 && web.received.length === 1);
  web.send('from the web');
  await until(() => browser.received.length === 3 && device.received.length === 1);
  t.same(
    browser.received.map(([topic]) => topic),
    ['room/kept', 'room/x', 'room/web'],
  );
  t.same(device.received, [['room/kept', '{"a":1}', true]], 'retained by one server, sent by another');
  t.same(await web.message(1), Buffer.from([0xff]));
  t.equal(await web.message(2), 'from the web');
  await t.rejects(WebClient.connect(test.port(1), '/', ['chat']), /400|426|refused|Unexpected/);
});
