import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { openSerial } from '../../src/transports/serial.js';
import { startTestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';
import { registers } from '../support/modbus-line.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';

/** A device at a TCP port. */
async function device(t: Test, answer: (request: Buffer, socket: Socket) => void, port = 0) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).on('data', (request) => answer(request, socket));
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(stop);
  return { sockets, stop, port: (server.address() as { port: number }).port };
}

const RETRY = 'reconnect: { minSeconds: 0.05, maxSeconds: 0.1 }';

const MODBUS = `
protocol = require "protocols.modbus_rtu"
function on_poll(id, conn)
  local reply, err = conn:request({ unit = 1, function_code = 3, address = 5, quantity = 1 }, { timeout = 5, priority = "poll" })
  mix.report("poll", { values = reply and reply.values, err = err, id = type(id) })
end`;

t.test(
  'a link is polled again and again, by its bus, also over a serial line',
  { skip: missing('socat', 'socat') },
  async (t) => {
    const { port } = await device(t, (request, socket) => socket.write(registers(request)));
    const pair = await ptyPair();
    t.teardown(() => pair.remove());
    const line = await openSerial({ port: pair.b, baudRate: 9600 });
    line.attach({ data: (request) => line.write(registers(request)), close() {} });
    t.teardown(() => line.destroy());
    const one = (name: string, where: string) =>
      `{ name: ${name}, ${where}, entry: main.lua, poll: { everySeconds: 0.1 } }`;
    const e = await startTestEngine(
      { ...library, 'main.lua': MODBUS },
      `links: [${one('net', `tcp: { host: 127.0.0.1, port: ${port} }`)}, ${one('line', `serial: { port: ${pair.a}, baudRate: 9600 }`)}]`,
    );
    t.teardown(() => e.stop());
    const replies = (name: string): number => e.engine.buses.all.get(name)?.report().replies ?? 0;
    await until(() => replies('net') >= 3 && replies('line') >= 3);
    for (const { values } of e.reports) t.same(values, { values: [5], id: 'string' });
  },
);

t.test('a link that shows no sign of life is opened again; one without a handler too', async (t) => {
  const { sockets, port } = await device(t, () => {});
  const one = (name: string, entry: string) =>
    `{ name: ${name}, tcp: { host: 127.0.0.1, port: ${port} }, entry: ${entry}, poll: { everySeconds: 0.1, toleranceSeconds: 0.1 }, ${RETRY} }`;
  const e = await startTestEngine(
    { 'asks.lua': 'function on_poll(id, conn) conn:send("?") end', 'quiet.lua': '' },
    `links: [${one('asks', 'asks.lua')}, ${one('quiet', 'quiet.lua')}]`,
  );
  t.teardown(() => e.stop());
  await until(() => e.engine.links.every(({ station }) => station.counters.closedIdle >= 2));
  t.ok(sockets.length >= 4);
  t.match(e.log.find(({ level }) => level === 'warn')?.message, /ended: no sign of life for 0.2 s/);
});

t.test('one that answers stays', async (t) => {
  const { sockets, port } = await device(t, (request, socket) => socket.write(request));
  const e = await startTestEngine(
    {
      'main.lua': `
function protocol_input(buf) return buf:length() end
function on_poll(id, conn) conn:send("?") end
function on_message() mix.report("alive", {}) end`,
    },
    `links: [{ name: l, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua, poll: { everySeconds: 0.1, toleranceSeconds: 5 } }]`,
  );
  t.teardown(() => e.stop());
  await until(() => e.reports.length >= 5);
  t.equal(sockets.length, 1);
});

t.test('addresses are tried in turn, and the one behind the lost one is next', async (t) => {
  const [dead] = await freePorts(1);
  const hosts = "['ws://127.0.0.1:DEAD', 'ws://127.0.0.1:A', 'ws://127.0.0.1:B']";
  const { WebSocketServer } = await import('ws');
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      await once(server, 'listening');
      t.teardown(() => {
        for (const socket of server.clients) socket.terminate();
        server.close();
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  const e = await startTestEngine(
    { 'main.lua': '' },
    `links: [{ name: l, websocket: { url: ${hosts.replace('DEAD', `${dead}`).replace('A', `${ports[0]}`).replace('B', `${ports[1]}`)} }, entry: main.lua, ${RETRY} }]`,
  );
  t.teardown(() => e.stop());
  const [link] = e.engine.links;
  await until(() => servers[0]!.clients.size === 1 && link!.status().state === 'open');
  t.match(link!.status(), { state: 'open', address: `ws://127.0.0.1:${ports[0]}` });
  t.ok(
    e.log.some(({ message }) => message.includes(`${dead}`)),
    'the dead one is told',
  );
  for (const socket of servers[0]!.clients) socket.terminate();
  await until(() => servers[1]!.clients.size === 1);
  servers[0]!.close();
  for (const socket of servers[1]!.clients) socket.terminate();
  // Past the dead one and the closed one.
  await until(() => servers[1]!.clients.size === 1 && link!.status().state === 'open');
  t.match(link!.status(), { state: 'open', address: `ws://127.0.0.1:${ports[1]}` });
});
