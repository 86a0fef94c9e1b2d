import { createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';

const SCRIPT = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { text = f } end }
function on_connect(id, conn) conn:send("hello\\n") end
function on_message(m, conn) mix.report(conn:remote_addr(), m) end
function on_close(id, err) mix.report("closed", {}) end
`;

t.test('a TCP link opens, and opens again when its device comes back', async (t) => {
  const sockets: Socket[] = [];
  const listen = (port: number): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => {}).resume();
        socket.write('from the device\n');
      });
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  const first = await listen(0);
  const { port } = first.address() as { port: number };
  const e = await startTestEngine(
    { 'main.lua': SCRIPT },
    `links: [{ name: plc, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua, reconnect: { minSeconds: 0.05, maxSeconds: 0.1 } }]`,
  );
  await until(() => e.reports.length === 1);
  first.close();
  sockets[0]!.destroy();
  await until(() => e.reports.length === 2);
  const second = await listen(port);
  await until(() => e.reports.length === 3);
  t.same(
    e.reports.map((r) => [r.deviceId, r.values]),
    [
      [`127.0.0.1:${port}`, { text: 'from the device' }],
      ['closed', {}].map((v, i) => (i === 1 ? [] : v)),
      [`127.0.0.1:${port}`, { text: 'from the device' }],
    ],
  );
  await e.stop();
  second.close();
  for (const socket of sockets) socket.destroy();
});

t.test(
  'a serial device is spoken to, unplugged and plugged in again',
  { skip: missing('socat', 'socat') },
  async (t) => {
    const pair = await ptyPair();
    t.teardown(() => pair.remove());
    const e = await startTestEngine(
      { 'main.lua': SCRIPT },
      `links: [{ name: line, serial: { port: ${pair.a}, baudRate: 115200 }, entry: main.lua, reconnect: { minSeconds: 0.05, maxSeconds: 0.1 } }]`,
    );
    const { openSerial } = await import('../../src/transports/serial.js');
    const speak = async (text: string) => {
      const device = await openSerial({ port: pair.b, baudRate: 115200 });
      let heard = '';
      device.attach({
        data: (bytes) => {
          heard += Buffer.from(bytes).toString();
        },
        close() {},
      });
      device.write(Buffer.from(text));
      return { device, heard: () => heard };
    };
    await until(() => e.engine.links[0]!.station.clients.size === 1);
    const before = await speak('one\n');
    await until(() => e.reports.length === 1);
    before.device.destroy();
    await pair.unplug();
    await until(() => e.reports.length === 2);
    await pair.plug();
    await until(() => e.engine.links[0]!.station.clients.size === 1);
    const after = await speak('two\n');
    await until(
      () => e.reports.length === 3,
      () => JSON.stringify(e.reports),
    );
    t.same(
      e.reports.map((r) => r.deviceId),
      [pair.a, 'closed', pair.a],
    );
    after.device.destroy();
    await e.stop();
  },
);
