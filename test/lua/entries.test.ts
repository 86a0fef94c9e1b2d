import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { Device, startTestEngine, type TestEngine, until } from '../support/engine.js';
import { unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { RawMqtt } from '../support/mqtt.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { WebClient } from '../support/websocket.js';

async function start(t: Test, engineYaml: string): Promise<TestEngine> {
  const running = await startTestEngine(library, engineYaml);
  t.teardown(() => running.stop());
  return running;
}

t.test('entry.gt06: a tracker logs in, is acknowledged, and reports where it is', async (t) => {
  const engine = await start(t, 'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: entry.gt06.lua }]');
  const device = await Device.connect(engine.port());
  const login = '78780d0103534190360660610003c3df0d0a';
  const position = '787821120c010c0f151fcf027ac8840c4657ec00140001cc00287d001f720001000f53a00d0a';
  device.send(unhex(position + login + position));
  await until(() => device.received.length >= 30);
  t.equal(device.received.toString('hex'), '78780512000f5a530d0a787805010003face0d0a78780512000f5a530d0a');
  t.match(engine.reports, [
    { deviceId: '353419036066061', time: 1326381691, values: { type: 'location', speed: 0, valid: true } },
  ]);
  t.equal(engine.reports.length, 1, 'nothing of a device that is not known');
  t.ok(engine.log.some(({ message }) => /sends without having logged in/.test(message)));
  t.ok(
    engine.log.some(({ message }) =>
      message.startsWith('353419036066061: location, 23.11175, 114.40923, 0 km/h'),
    ),
  );
  device.socket.destroy();
  await until(() => engine.log.some(({ message }) => /^client \S+ left/.test(message)));
});

t.test('entry.mqtt: devices with the password publish under their own name', async (t) => {
  const engine = await start(
    t,
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: mqtt, entry: entry.mqtt.lua, options: { password: pw } }]',
  );
  const wrong = await RawMqtt.connect(engine.port(), { username: 'meter-1', password: Buffer.from('no') });
  t.equal(wrong.connack.returnCode, 4);
  const device = await RawMqtt.connect(engine.port(), { username: 'meter-1', password: Buffer.from('pw') });
  t.equal(device.connack.returnCode, 0);
  t.equal(await device.subscribe('site/meter-2/#', 1), 0x80);
  t.equal(await device.subscribe('site/meter-1/#', 1), 1);
  device.publish('site/meter-1/report', '{"power":1250}', { qos: 1, messageId: 1 });
  await device.next('puback');
  t.match(engine.reports, [{ deviceId: 'meter-1', values: { power: 1250 }, durable: true }]);
  device.publish('site/meter-1/report', 'no json', { qos: 1, messageId: 2 });
  await device.next('puback');
  t.ok(engine.log.some(({ message }) => /^site\/meter-1\/report: /.test(message)));
  device.lose();
});

t.test('entry.one_port: sensors, web hooks and browsers on one port', async (t) => {
  const engine = await start(
    t,
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: auto, entry: entry.one_port.lua, options: { token: key } }]',
  );
  const url = `127.0.0.1:${engine.port()}`;
  const browser = await WebClient.connect(engine.port(), '/?token=key');
  const stranger = await WebClient.connect(engine.port());
  t.same(await stranger.end(), [4401, 'a token is needed']);
  await until(() => [...engine.engine.clients.values()].some(({ channels }) => channels?.has('readings')));
  const sensor = await Device.connect(engine.port());
  sensor.send('id=shed-4;temp=21.5\n');
  await sensor.until((text) => text === 'ok\r\n');
  t.same(JSON.parse(String(await browser.message(1))), { id: 'shed-4', values: { temp: 21.5 } });

  const post = (path: string, body: string, token = 'key') =>
    fetch(`http://${url}${path}`, { method: 'POST', body, headers: { Authorization: `Bearer ${token}` } });
  t.equal((await post('/report?id=shed-5', '{"hum":40}')).status, 204);
  t.same(JSON.parse(String(await browser.message(2))), { id: 'shed-5', values: { hum: 40 } });
  t.equal((await post('/send?id=shed-4', 'valve=open')).status, 204);
  await sensor.until((text) => text === 'ok\r\nvalve=open\r\n');
  t.equal((await post('/send?id=shed-9', 'valve=open')).status, 410);
  t.equal((await post('/report?id=shed-5', 'no json')).status, 400);
  t.equal((await post('/report', '{}')).status, 400);
  t.equal((await post('/else?id=1', '')).status, 404);
  t.equal((await post('/report?id=shed-5', '{}', 'guess')).status, 401);
  t.match(engine.reports, [
    { deviceId: 'shed-4', values: { temp: 21.5 }, durable: true },
    { deviceId: 'shed-5', values: { hum: 40 }, durable: true },
  ]);
  t.equal(engine.reports.length, 2);
  sensor.socket.destroy();
  browser.ws.terminate();
});

/** A Modbus slave on TCP that answers unit 17 only, and what it was asked. */
async function modbusSlave(
  t: Test,
  module: string,
): Promise<{ server: Server; port: number; asked: unknown[] }> {
  const asked: unknown[] = [];
  const slave = new ProtocolUnderTest(module, 'server');
  const server = createServer((socket) => {
    const peer = slave.peer();
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const { messages } = peer.feed([bytes]);
      asked.push(...messages);
      if (messages[0]?.unit === 17)
        socket.write(unhex(peer.encode('{ values = { 0x2000, 0x47f1, 0, 0x4000 } }')));
      if (messages[0]?.unit === 18) socket.write(unhex(peer.encode('{ exception = 2 }')));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { server, port: (server.address() as { port: number }).port, asked };
}

for (const framing of ['rtu', 'tcp']) {
  t.test(`entry.modbus: units are asked in turn over ${framing}, a silent one holds up nobody`, async (t) => {
    const { port, asked } = await modbusSlave(t, `protocols.modbus_${framing}`);
    const engine = await start(
      t,
      `links:
  - name: line
    tcp: { host: 127.0.0.1, port: ${port} }
    entry: entry.modbus.lua
    options: { framing: ${framing}, units: "16,17,18", address: 107, quantity: 4, type: float32, order: CDAB, seconds: 0.5 }
    bus: { timeout: 0.2, retries: 0 }`,
    );
    await until(() => engine.reports.length >= 2);
    t.match(engine.reports[0], {
      deviceId: 'modbus-17',
      values: {
        values: [
          { name: '107', value: 123456 },
          { name: '109', value: 2 },
        ],
      },
    });
    t.match(asked.slice(0, 4), [
      { unit: 16, function_code: 3, address: 107, quantity: 4 },
      { unit: 17 },
      { unit: 18 },
      { unit: 16 },
    ]);
    const warned = (text: string) => engine.log.some(({ message }) => message === text);
    t.ok(warned('modbus-16: timeout: unit 16 did not answer within 0.2 s'));
    t.ok(warned('modbus-18: illegal data address'));
    t.strictSame(
      engine.log.filter(({ level }) => level === 'error'),
      [],
    );
  });
}

t.test('entry.line: readings of a text sensor, by datagram and by line', async (t) => {
  const engine = await start(
    t,
    `servers:
  - { name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: entry.line.lua }
  - { name: t, port: 0, bind: 127.0.0.1, entry: entry.line.lua }`,
  );
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.send('id=shed-4;temp=21.5;hum=40', engine.port(0), '127.0.0.1');
  await until(() => engine.reports.length >= 1);
  const device = await Device.connect(engine.port(1));
  device.send('temp=-3;state=ok\r\nhello\n');
  await until(() => engine.log.some(({ message }) => /sent no readings: "hello"$/.test(message)));
  t.match(engine.reports, [
    { deviceId: 'shed-4', values: { temp: 21.5, hum: 40 } },
    { deviceId: /^127\.0\.0\.1:\d+$/, values: { temp: -3, state: 'ok' } },
  ]);
  device.socket.destroy();
});
