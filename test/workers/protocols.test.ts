/** Every kind of server works in workers, and what cannot be shared lives in the first. */

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { SerialPort } from 'serialport';
import t from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { RawMqtt } from '../support/mqtt.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { WebClient } from '../support/websocket.js';
import { eventually, startPrimary } from '../support/workers.js';

const ECHO = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(line, conn) conn:send(line) end
`;
const WEB = `
function on_message(message, conn) conn:send(message.data) end
`;
const NAME = `
function on_message(line, conn) conn:send(mix.node.name) end
`;
const MQTT = `
function on_message(message, conn) end
`;

t.test(
  'TLS, WebSocket, MQTT, UDP and serial',
  { skip: missing('socat', 'socat') || missing('openssl', 'openssl') },
  async (t) => {
    const certificates = makeCertificates(t);
    const { cert, key } = certificates.server;
    const ca = readFileSync(certificates.ca);
    const line = await ptyPair();
    t.teardown(() => line.remove());
    const primary = await startPrimary(t, {
      engine: `  workers: 2
  balance: hash
  links: [{ name: meter, serial: { port: ${line.a}, baudRate: 9600 }, entry: lua/name.lua }]`,
      scripts: { 'echo.lua': ECHO, 'web.lua': WEB, 'name.lua': NAME, 'mqtt.lua': MQTT },
      servers: `    - { name: lines, port: PORT0, bind: 0.0.0.0, entry: lua/lines.lua }
    - { name: secure, port: PORT1, bind: 0.0.0.0, entry: lua/echo.lua, tls: { cert: ${cert}, key: ${key} } }
    - { name: web, port: PORT2, bind: 127.0.0.1, protocol: websocket, entry: lua/web.lua }
    - { name: mqtt, port: PORT3, bind: 127.0.0.1, protocol: mqtt, entry: lua/mqtt.lua }
    - { name: datagrams, port: PORT4, bind: 127.0.0.1, transport: udp, entry: lua/name.lua }
    - { name: websecure, port: PORT5, bind: 127.0.0.1, protocol: websocket, entry: lua/web.lua, tls: { cert: ${cert}, key: ${key} } }`,
    });
    await primary.joined(2);
    const [, secure, web, mqtt, datagrams, websecure] = primary.ports as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];

    await t.test('hash: an address comes to the same worker', async (t) => {
      for (let i = 1; i <= 8; i++) {
        const ids = await Promise.all([0, 1, 2].map(() => idFrom(primary.port, `127.0.0.${i}`)));
        t.equal(new Set(ids.map((id) => Math.floor(id / 2 ** 33))).size, 1, `127.0.0.${i}`);
      }
    });

    await t.test('TLS: a session of one worker is resumed by the other', async (t) => {
      const first = await secured(secure, { ca, localAddress: '127.0.0.1' });
      t.equal(first.resumed, false);
      t.equal(first.echo, 'hello\n');
      const resumed: boolean[] = [];
      for (let i = 1; i <= 8; i++) {
        const again = await secured(secure, { ca, session: first.session, localAddress: `127.0.0.${i}` });
        resumed.push(again.resumed);
        t.equal(again.echo, 'hello\n');
      }
      t.same(resumed, Array(8).fill(true));
    });

    await t.test('WebSocket, with TLS and without', async (t) => {
      for (const client of [
        await WebClient.connect(web),
        await WebClient.connect(websecure, '/', [], { ca }),
      ]) {
        client.send('hello');
        t.equal(await client.message(1), 'hello');
        client.ws.close(1000);
        await client.end();
      }
    });

    await t.test('MQTT: what clients of either worker publish arrives', async (t) => {
      const client = await RawMqtt.connect(mqtt, { clientId: 'c1' });
      t.teardown(() => client.socket.destroy());
      t.equal(client.connack.returnCode, 0);
      await client.subscribe('room');
      await eventually('both workers know of it', async () => {
        for (let i = 1; i <= 8; i++) await say(primary.port, `127.0.0.${i}`, `pub room from-${i}\n`);
        const payloads = client.packets.flatMap((packet) =>
          packet.cmd === 'publish' ? [String(packet.payload)] : [],
        );
        return [1, 2, 3, 4, 5, 6, 7, 8].every((i) => payloads.includes(`from-${i}`));
      });
    });

    await t.test('UDP and serial live in the first worker', async (t) => {
      const socket = createSocket('udp4');
      t.teardown(() => socket.close());
      const answer = new Promise<string>((resolve) =>
        socket.once('message', (bytes) => resolve(String(bytes))),
      );
      socket.send('who', datagrams, '127.0.0.1');
      t.equal(await answer, 'barn-1');

      const port = new SerialPort({ path: line.b, baudRate: 9600 });
      t.teardown(() => new Promise((resolve) => port.close(resolve)));
      let received = '';
      port.on('data', (bytes: Buffer) => {
        received += bytes.toString('latin1');
      });
      await eventually('the link is open', async () => {
        const { clients } = await primary.get<{ clients: unknown[] }>('/v1/clients?server=meter');
        return clients.length === 1;
      });
      port.write('who');
      await eventually('it answers', () => received === 'barn-1');
      t.match(await primary.get('/v1/links'), { links: [{ name: 'meter', state: 'open' }] });
    });

    await t.test('saved scripts take over in each worker', async (t) => {
      const { scripts } = await primary.get<{ scripts: { server: string }[] }>('/v1/scripts');
      t.equal(scripts.length, 7);
      const { reloads } = await primary.post<{ reloads: { server: string }[] }>('/v1/scripts/reload', {
        server: 'lines',
        force: true,
      });
      t.same(
        reloads.map(({ server }) => server),
        ['lines', 'lines'],
      );
    });
  },
);

/** The id that a client from this address is given. */
async function idFrom(port: number, localAddress: string): Promise<number> {
  return Number(/^id (\d+)\n/.exec(await say(port, localAddress, 'x\n'))![1]);
}

/** What a client from this address is told, its greeting and the answer to a line. */
function say(port: number, localAddress: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1', localAddress });
    let text = '';
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.split('\n').length <= 2) return;
      resolve(text);
      socket.destroy();
    });
    socket.write(line);
  });
}

interface Secured {
  readonly session: Buffer;
  readonly resumed: boolean;
  readonly echo: string;
}

/** Connects by TLS, says hello, and waits for the answer and a session to resume. */
function secured(
  port: number,
  options: { ca: Buffer; session?: Buffer; localAddress: string },
): Promise<Secured> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ...options,
    } as object);
    let session = options.session;
    let echo = '';
    const done = (): void => {
      if (!session || !echo.endsWith('\n')) return;
      resolve({ session, resumed: socket.isSessionReused(), echo });
      socket.destroy();
    };
    socket.on('error', reject);
    socket.on('secureConnect', () => socket.write('hello\n'));
    socket.on('session', (ticket) => {
      session = ticket;
      done();
    });
    socket.on('data', (bytes) => {
      echo += bytes.toString('latin1');
      done();
    });
  });
}
