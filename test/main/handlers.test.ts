/** Handlers in TypeScript, driven by real sockets. */

import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import {
  type CreateEngineOptions,
  createEngine,
  framer,
  type HandlerStats,
  type Handlers,
  lines,
  type MoonwireEngine,
  type WebSocketMessage,
} from '../../src/index.js';
import { Device, recordingLogger, until } from '../support/engine.js';

const LOCAL = { port: 0, bind: '127.0.0.1' };

async function start(t: Test, options: CreateEngineOptions): Promise<MoonwireEngine> {
  const engine = createEngine(options);
  t.teardown(() => engine.stop());
  await engine.start();
  return engine;
}

const serve = (t: Test, handlers: Handlers, more: object = {}, options: CreateEngineOptions = {}) =>
  start(t, { ...options, servers: [{ ...LOCAL, name: 's', handlers, ...more }] });

t.test('a client is greeted, its lines are handled, and its end is told', async (t) => {
  const told: string[] = [];
  const engine = await serve(t, {
    onReady: (ready: MoonwireEngine) => told.push(`ready ${ready.port() > 0}`),
    parse: lines(),
    onConnected(client) {
      client.context = { lines: 0 };
      client.send('hello\n');
    },
    onData(client, line) {
      const context = client.context as { lines: number };
      client.send(`${++context.lines} ${line}\n`);
      if (String(line) === 'bye') client.end();
    },
    onClosed: (client, error) => told.push(`closed ${client.closed} ${error}`),
  });
  const device = await Device.connect(engine.port('s'));
  device.send('a\nb\r\n\nby');
  device.send('e\n');
  t.equal(await device.until((text) => text.includes('bye')), 'hello\n1 a\n2 b\n3 bye\n');
  await until(() => device.closed && told.length === 2);
  t.strictSame(told, ['ready true', 'closed true undefined']);
});

t.test('handlers of one client run one after the other, and the peer is slowed down meanwhile', async (t) => {
  const COUNT = 20_000;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const seen: number[] = [];
  let running = 0;
  let together = 0;
  const engine = await serve(t, {
    parse: lines(),
    async onData(client, line) {
      if (line[0] === 111) {
        client.send('served');
        return;
      }
      together = Math.max(together, ++running);
      if (seen.length === 0) await gate;
      seen.push(Number(line.toString('latin1', 0, 6)));
      running--;
    },
  });
  const device = await Device.connect(engine.port());
  const line = Buffer.alloc(1000, '.');
  line[999] = 10;
  for (let i = 0; i < COUNT; i++) {
    line.write(String(i).padStart(6, '0'));
    device.send(Buffer.from(line));
  }
  const other = await Device.connect(engine.port());
  other.send('other\n');
  await other.until((text) => text === 'served');
  t.ok(device.socket.writableLength > 2 ** 20, 'the peer could not send all');
  open();
  await until(() => seen.length === COUNT);
  t.equal(together, 1);
  t.ok(
    seen.every((number, i) => number === i),
    'in order',
  );
});

t.test('what a handler throws is logged and counted, and its client stays', async (t) => {
  const log = recordingLogger();
  const stats: HandlerStats[] = [];
  const engine = await serve(
    t,
    {
      parse: framer('length', { at: 1, size: 1, add: 1 }),
      onConnected: () => Promise.reject(new Error('late')),
      onData(client, frame) {
        if (frame[1] === 0) throw new TypeError('no zero');
        client.send(frame);
      },
      onStat: (figures) => stats.push(figures),
      statSeconds: 0.1,
    },
    {},
    { log },
  );
  const device = await Device.connect(engine.port());
  device.send(Uint8Array.of(1, 0, 2, 7, 8));
  await until(() => device.received.length === 3);
  t.strictSame([...device.received], [2, 7, 8]);
  t.match(
    log.lines.filter(({ level }) => level === 'error').map(({ message }) => message),
    ['onConnected: late', 'onData: no zero'],
  );
  await until(() => stats.at(-1)?.frames === 2);
  t.match(stats.at(-1), { server: 's', clients: 1, opened: 1, errors: 2, bytesIn: 5, bytesOut: 3, sends: 1 });
});

t.test('a function may say where a frame ends; what it says is checked', async (t) => {
  const closed: string[] = [];
  const engine = await serve(
    t,
    {
      parse(buffer, client) {
        t.equal(client.server, 's');
        if (buffer[0] === 0xff) return -1;
        if (buffer[0] === 0xfe) throw new Error('what is this');
        if (buffer[0] === 0xfd) return 1000;
        return buffer.length > buffer[0]! ? buffer[0]! + 1 : 0;
      },
      onData: (client, frame) => client.send(frame.subarray(1)),
      onClosed: (_, error) => closed.push(String(error?.message)),
    },
    { limits: { frameBytes: 64 } },
  );
  const device = await Device.connect(engine.port());
  for (const byte of Buffer.from('\x03abc\x00\x02de')) device.send(Uint8Array.of(byte));
  t.equal(await device.until((text) => text.length === 5), 'abcde');
  for (const [bytes, why] of [
    [[0xff], /disconnect/],
    [[0xfe], /parse failed: what is this/],
    [[0xfd], /parse must return a length from 0 to 1 or -1, returned 1000/],
    [[0xf0, ...new Uint8Array(80)], /more than 64 bytes/],
  ] as const) {
    const bad = await Device.connect(engine.port());
    const before = closed.length;
    bad.send(Uint8Array.from(bytes));
    await until(() => closed.length > before);
    t.match(closed.at(-1), why);
  }
  t.notOk(device.closed, 'the others go on');
});

t.test('without parse chunks are handed on, and datagrams are one each', async (t) => {
  const { createSocket } = await import('node:dgram');
  const engine = await start(t, {
    servers: [
      { ...LOCAL, name: 'tcp', handlers: { onData: (client, data) => client.send(data) } },
      {
        ...LOCAL,
        name: 'udp',
        transport: 'udp',
        handlers: { parse: lines(), onData: (client, data) => client.send(`${data.length}`) },
      },
    ],
  });
  const device = await Device.connect(engine.port('tcp'));
  device.send('any\0thing');
  await device.until((text) => text === 'any\0thing');
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const answer = new Promise((resolve) => socket.once('message', (bytes) => resolve(String(bytes))));
  socket.send('a\nb\nc', engine.port('udp'), '127.0.0.1');
  t.equal(await answer, '5', 'a datagram is a frame as it is');
});

t.test('messages of WebSockets keep their type, and how it was opened is told', async (t) => {
  const messages: WebSocketMessage[] = [];
  let uri = '';
  const engine = await serve(
    t,
    {
      onConnected(_, handshake) {
        uri = handshake!.uri;
      },
      onMessage(client, message) {
        messages.push(message);
        client.send(message.data);
        if (message.type === 'text') client.subscribe('news');
      },
    },
    { protocol: 'websocket' },
  );
  const socket = new WebSocket(`ws://127.0.0.1:${engine.port()}/room?x=1`);
  t.teardown(() => socket.terminate());
  const echoed: [string, boolean][] = [];
  socket.on('message', (data, binary) => echoed.push([String(data), binary]));
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('héllo');
  socket.send(Uint8Array.of(65));
  await until(() => echoed.length === 2);
  t.equal(uri, '/room?x=1');
  t.strictSame(messages, [
    { type: 'text', data: 'héllo' },
    { type: 'binary', data: Buffer.from('A') },
  ]);
  t.strictSame(echoed, [
    ['héllo', false],
    ['A', true],
  ]);
  t.strictSame(await engine.publish('news', 'extra'), { success: 1, fail: 0 });
  await until(() => echoed.length === 3);
  t.strictSame(echoed[2], ['extra', false]);
});

t.test('clients send, subscribe and attach; the engine sends and publishes to them', async (t) => {
  const engine = await serve(
    t,
    {
      parse: lines(),
      onData(client, line) {
        client.attach(String(line));
        t.ok(client.subscribe('all', `to/${line}`));
        client.send('ok\n');
      },
    },
    { limits: { sendBufferBytes: 2048 } },
  );
  const seen: string[] = [];
  engine.on('attach', (id, client) => seen.push(`+${id} ${client.remote === engine.device(id)?.remote}`));
  engine.on('detach', (id) => seen.push(`-${id}`));
  const [a, b] = await Promise.all([Device.connect(engine.port()), Device.connect(engine.port())]);
  a.send('one\n');
  b.send('two\n');
  await Promise.all([a, b].map((device) => device.until((text) => text === 'ok\n')));
  t.strictSame(await engine.publish('all', 'x'), { success: 2, fail: 0 });
  t.strictSame(await engine.publish('to/two', Buffer.from('y')), { success: 1, fail: 0 });
  const one = engine.device('one')!;
  t.strictSame(one.devices, ['one']);
  await engine.send(one.id, 'z');
  await a.until((text) => text === 'ok\nxz');
  await b.until((text) => text === 'ok\nxy');
  await t.rejects(engine.send(one.id, { a: 1 }), { code: 'invalid_argument' });
  await t.rejects(engine.send('12345', 'z'), { code: 'not_connected' });
  t.equal(one.send(Buffer.alloc(4096)), false, 'more than may wait');
  t.throws(() => one.subscribe('c'.repeat(300)), { code: 'invalid_argument' });
  t.throws(() => one.attach(''), { code: 'invalid_argument' });
  one.destroy();
  await until(() => engine.device('one') === undefined && seen.length === 3);
  t.equal(one.send('late'), false);
  t.equal(one.subscribe('late'), false);
  t.strictSame(seen, ['+one true', '+two true', '-one']);
});
