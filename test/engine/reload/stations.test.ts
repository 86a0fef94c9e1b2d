import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { coap } from '../../../src/codecs/coap.js';
import { silentLogger } from '../../../src/log.js';
import type { Connection } from '../../../src/transports/connection.js';
import { openSerial } from '../../../src/transports/serial.js';
import { listenTcp } from '../../../src/transports/tcp.js';
import { startTestEngine, type TestEngine, until } from '../../support/engine.js';
import { library } from '../../support/library.js';
import { registers, serveLine } from '../../support/modbus-line.js';
import { RawMqtt, startMqtt } from '../../support/mqtt.js';
import { missing } from '../../support/need.js';
import { ptyPair } from '../../support/pty.js';
import { WebClient } from '../../support/websocket.js';

function reload(e: TestEngine, text: string, name = 'main.lua') {
  writeFileSync(join(e.folder, name), text);
  const { servers, links } = e.engine;
  return [...servers, ...links][0]!.station.reloads.reload();
}

/** Lets the handlers of client 1 go on, which wait for this. */
const go = ({ engine }: TestEngine) => engine.clients.get(1)!.context.set('go', true);

t.test('WebSocket: no message is lost while code is replaced again and again', async (t) => {
  const script = (version: number) => `
    function on_message(m, conn)
      if tonumber(m.data) % 7 == 0 then mix.sleep(0.002) end
      conn:send(m.data .. " v${version}")
    end`;
  const e = await startTestEngine(
    { 'main.lua': script(0) },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: websocket, entry: main.lua, byteCodeExpires: 0 }]',
  );
  t.teardown(() => e.stop());
  const clients = await Promise.all(Array.from({ length: 5 }, () => WebClient.connect(e.port())));
  let n = 0;
  for (let version = 1; version <= 5; version++) {
    const reloading = reload(e, script(version));
    for (let i = 0; i < 40; i++, n++) {
      for (const client of clients) client.send(String(n));
      if (i % 10 === 0) await new Promise(setImmediate);
    }
    t.match(await reloading, { outcome: 'reloaded' });
  }
  for (const client of clients) {
    await client.message(n);
    t.strictSame(
      client.received.map((text) => Number(String(text).split(' ')[0])),
      Array.from({ length: n }, (_, i) => i),
    );
    const versions = client.received.map((text) => Number(String(text).split('v')[1]));
    t.strictSame(versions, [...versions].sort(), 'never older code after newer code');
    t.equal(client.closed, undefined);
  }
});

t.test('MQTT: session, subscriptions and what is under way stay', async (t) => {
  const script = (version: number) => `
    function on_authenticate() return true end
    function on_message(m, conn) conn:wait_context_value("go") mix.report("d", { v = ${version}, payload = m.payload }) end`;
  const e = await startMqtt(script(1), 'byteCodeExpires: 0');
  t.teardown(() => e.stop());
  const client = await RawMqtt.connect(e.port(), { clientId: 'a' });
  await client.subscribe('news', 1);
  client.publish('x', '1', { qos: 1, messageId: 1 });
  client.publish('x', '2', { qos: 1, messageId: 2 });
  await until(() => e.engine.servers[0]!.station.counters.messages === 1);
  t.match(await reload(e, script(2)), { outcome: 'reloaded' });
  go(e);
  t.match(await client.next('puback'), { messageId: 1 });
  t.match(await client.next('puback'), { messageId: 2 });
  t.strictSame(
    e.reports.map(({ values }) => values),
    [
      { v: 1, payload: '1' },
      { v: 2, payload: '2' },
    ],
  );
  await e.engine.mesh.publish('news', { data: 'hello', type: undefined });
  t.match(await client.next('publish'), { topic: 'news', payload: Buffer.from('hello') });
  t.notOk(client.closed);
});

t.test(
  'CoAP: a request under way is answered by the code that got it, a repeated one as before',
  async (t) => {
    const script = (version: number) =>
      `function on_request(r, conn) conn:wait_context_value("go") return "v${version}" end`;
    const e = await startTestEngine(
      { 'main.lua': script(1) },
      'servers: [{ name: c, port: 0, bind: 127.0.0.1, protocol: coap, entry: main.lua, byteCodeExpires: 0 }]',
    );
    t.teardown(() => e.stop());
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.teardown(() => socket.close());
    const answers: string[] = [];
    socket.on('message', (bytes) => {
      const { message_id: id, payload } = coap.decode(bytes) as { message_id: number; payload: Uint8Array };
      answers.push(`${id} ${Buffer.from(payload)}`);
    });
    const ask = (id: number) =>
      socket.send(
        coap.encode({ type: 'CON', code: 'GET', message_id: id, token: 't' }) as Uint8Array,
        e.port(),
        '127.0.0.1',
      );
    ask(1);
    await until(() => e.engine.servers[0]!.station.counters.messages === 1);
    t.match(await reload(e, script(2)), { outcome: 'reloaded' });
    go(e);
    await until(() => answers.length === 1);
    ask(2);
    await until(() => answers.length === 2);
    ask(1);
    await until(() => answers.length === 3);
    t.strictSame(answers, ['1 v1', '2 v2', '1 v1']);
  },
);

/** Polls a bus in rounds of three requests, and tells of each with the version of the code. */
const polling = (version: number) => `
protocol = require "protocols.modbus_rtu"
local rounds = require "utils.rounds"
on_connect, on_close, on_unload, on_reload = rounds.handlers(0.1, function(conn)
  for unit = 1, 3 do
    local reply, err = conn:request({ unit = unit, function_code = 3, address = unit * 256 + ${version}, quantity = 1 })
    mix.report("unit " .. unit, { v = ${version}, value = reply and reply.values[1], err = err })
  end
end)
function on_message(m) mix.report("stray", m) end`;

async function polled(t: Test, link: string, device: () => Promise<Connection>): Promise<void> {
  const e = await startTestEngine(
    { ...library, 'main.lua': polling(1) },
    `links: [{ name: line, ${link}, entry: main.lua, byteCodeExpires: 0, bus: { timeout: 10, silence: 10, retries: 0 } }]`,
  );
  t.teardown(() => e.stop());
  const line = await device();
  t.teardown(() => line.destroy());
  let late: (() => void) | undefined;
  let hold = false;
  serveLine(line, (request, answer) => {
    const reply = () => {
      // In two halves, so that a reload comes between them.
      const bytes = registers(request);
      answer(bytes.subarray(0, 3));
      setTimeout(() => answer(bytes.subarray(3)), 2);
    };
    if (hold) late = reply;
    else reply();
  });
  const versions = () => e.reports.map(({ values }) => (values as { v: number }).v);
  await until(() => e.reports.length >= 3);
  for (let version = 2; version <= 4; version++) {
    hold = true;
    await until(() => late !== undefined);
    t.match(await reload(e, polling(version)), { outcome: 'reloaded' });
    hold = false;
    late?.();
    late = undefined;
    await until(() => versions().filter((v) => v === version).length >= 3);
  }
  for (const { deviceId, values } of e.reports) {
    const { v, value, err } = values as { v: number; value: number; err: string };
    t.match(
      { deviceId, value, err },
      { deviceId: `unit ${value >> 8}`, value: (value & ~255) + v, err: undefined },
    );
  }
  t.equal(e.engine.links[0]!.station.counters.opened, 1, 'the connection stayed');
  t.match(e.engine.buses.all.get('line')!.report(), { timeouts: 0, decode_errors: 0, unexpected: 0 });
}

t.test('bus over a serial line', { skip: missing('socat', 'socat') }, async (t) => {
  const pair = await ptyPair();
  t.teardown(() => pair.remove());
  await polled(t, `serial: { port: ${pair.a}, baudRate: 115200 }`, () =>
    openSerial({ port: pair.b, baudRate: 115200 }),
  );
});

t.test('bus over TCP', async (t) => {
  let arrived: (connection: Connection) => void = () => {};
  const connection = new Promise<Connection>((resolve) => {
    arrived = resolve;
  });
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, (one) => arrived(one), silentLogger);
  t.teardown(() => listener.close());
  await polled(t, `tcp: { host: 127.0.0.1, port: ${listener.port} }`, () => connection);
});
