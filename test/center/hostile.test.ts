import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Center } from '../../src/center/center.js';
import { cborCodec } from '../../src/codecs/cbor.js';
import type { LogFields } from '../../src/log.js';
import { Session, TypedSession } from '../../src/mux/index.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { dial, SUBPROTOCOL } from '../../src/uplink/dial.js';
import { join } from '../../src/uplink/join.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { STREAM } from '../../src/uplink/messages.js';
import { frame, syn } from '../mux/wire.js';
import { random } from '../support/random.js';
import { until } from '../uplink/support.js';
import { addressOf, newIdentity, openCenter, recordingLogger, TestEngine } from './support.js';

const cbor = cborCodec();

function rawConnection(t: Test, center: Center): Socket {
  const socket = connect({ port: center.listener!.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.resume();
  t.teardown(() => socket.destroy());
  return socket;
}

/** Unlike `once`, not ended by an error, which is as good an end. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const CONTROL = Buffer.from([0, 0, 0, STREAM.control]);

t.test('garbage, wrong parity and giants end their own connection and nothing else', async (t) => {
  const rng = random(t);
  const center = await openCenter(t);
  const engine = await new TestEngine(t, [addressOf(center)]).joined();
  const bad: Buffer[] = [
    Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    Buffer.from('POST /x HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n'),
    Buffer.from('GET \0\r\n\r\n'),
    Buffer.from(
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ),
    Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]),
    syn(2, CONTROL),
    syn(3, Buffer.concat([CONTROL, Buffer.from('9b0000ffffffffffff', 'hex')])),
    syn(3, Buffer.concat([CONTROL, Buffer.from('5a7fffffff', 'hex')])),
    syn(3, Buffer.concat([CONTROL, Buffer.alloc(5000, 0x81)])),
    syn(3, Buffer.concat([CONTROL, cbor.encode({ t: 'hello' })])),
    syn(3, Buffer.concat([CONTROL, cbor.encode({ t: 'welcome', node: 1, time: 1, peers: [] })])),
    frame(2, 3, [0, 0, 0, 0]),
    frame(3, 9, Buffer.alloc(8)),
    ...Array.from({ length: 30 }, () => Buffer.from(rng.bytes(200 + rng.below(2000)))),
  ];
  for (const bytes of bad) {
    const socket = rawConnection(t, center);
    const closed = closeOf(socket);
    socket.end(bytes);
    await closed;
  }
  await until(() => center.listener!.strangerCount === 0, 'all are gone');
  t.equal(center.registry.size, 1);
  t.equal(engine.downs.length, 0);
  t.equal(center.pins.size, 1);
  t.ok(center.counters.brokenJoins > 10);
  t.equal(center.counters.refused.bad_hello, 1);
  t.ok(center.listener!.counters.notUplink >= 4);
});

t.test('who says nothing, or a byte now and then, is closed in time', async (t) => {
  const center = await openCenter(t, { limits: { joinMs: 150 } });
  const silent = rawConnection(t, center);
  const drip = rawConnection(t, center);
  const http = rawConnection(t, center);
  const closed = [silent, drip, http].map(closeOf);
  http.write('GET / HTTP/1.1\r\n');
  const hello = syn(3, Buffer.concat([CONTROL, cbor.encode({ t: 'hello', v: 1, name: 'x'.repeat(60) })]));
  let sent = 0;
  const dripping = setInterval(() => {
    http.write('x: y\r\n');
    drip.write(hello.subarray(sent, ++sent));
  }, 10);
  t.teardown(() => clearInterval(dripping));
  await Promise.all(closed);
  t.equal(center.listener?.counters.late, 3);
  await until(() => center.listener?.strangerCount === 0, 'forgotten');
});

t.test('thousands of idle connections keep no engine out', async (t) => {
  const lines: { message: string; fields: LogFields | undefined }[] = [];
  const center = await openCenter(
    t,
    { limits: { strangers: 50 } },
    new MemoryKeyValue(),
    recordingLogger(lines),
  );
  const first = await new TestEngine(t, [addressOf(center)], { name: 'a' }).joined();
  for (let n = 0; n < 1500; n++) {
    rawConnection(t, center);
    if (n % 100 === 99) await until(() => center.listener!.counters.connections > n, 'accepted');
  }
  const second = await new TestEngine(t, [addressOf(center)], { name: 'b' }).joined();
  t.equal(first.downs.length + second.downs.length, 0);
  t.ok(center.listener!.strangerCount <= 50);
  t.ok(center.listener!.counters.evicted > 1400);
  t.ok(lines.length < 20, `${lines.length} lines of log`);
});

t.test('a stranger’s streams hold no memory', async (t) => {
  const center = await openCenter(t);
  const session = new TypedSession(new Session(await dial(addressOf(center)), { role: 'client' }));
  t.teardown(async () => {
    await session.session.close();
  });
  let refused = 0;
  for (let n = 0; n < 500; n++) {
    const stream = session.open(STREAM.route);
    stream.on('error', () => refused++);
    stream.write(Buffer.alloc(10_000));
  }
  await until(() => refused === 500, 'all are refused');
  const hello = session.open(STREAM.control);
  const ended = once(hello, 'error');
  hello.write(Buffer.concat([Buffer.from([0x5a, 0, 1, 0, 0]), Buffer.alloc(70_000)]));
  t.match(await ended, [{ code: 'protocol' }], 'a first message is small');
});

t.test('an engine that joined and misbehaves ends its own session only', async (t) => {
  const center = await openCenter(t);
  const victim = await new TestEngine(t, [addressOf(center)], { name: 'victim' }).joined();
  victim.connect(2 ** 33 + 1);
  const hostile = await new TestEngine(t, [addressOf(center)], { name: 'hostile' }).joined();
  hostile.channels.add('x');
  hostile.registration.resend();
  await until(() => [...center.registry.nodesOf('x')].length === 1, 'its channel');
  hostile.registration.clientOpened(-1);
  await until(() => hostile.downs.length === 1, 'its session ends');
  await hostile.joined(2);
  t.equal(victim.downs.length, 0);
  t.ok(center.registry.client(2 ** 33 + 1));
  t.equal(center.messages.malformed, 1);
});

t.test('subprotocols of WebSockets', async (t) => {
  const center = await openCenter(t);
  const { WebSocket } = await import('ws');
  const url = `ws://127.0.0.1:${center.listener?.port}/`;
  for (const protocols of [[], ['other.protocol']]) {
    const [error] = await once(new WebSocket(url, protocols), 'error');
    t.match(error, { message: /400/ });
  }
  const good = new WebSocket(url, ['other.protocol', SUBPROTOCOL]);
  await once(good, 'open');
  t.equal(good.protocol, SUBPROTOCOL);
  const closed = once(good, 'close');
  good.send(frame(2, 3, [0, 0, 0, 0]));
  await closed;
  await until(() => center.counters.brokenJoins === 1, 'counted');
});

t.test('noise from an engine that joined', async (t) => {
  const rng = random(t);
  const center = await openCenter(t, { limits: { joinsPerSecond: 1000 } });
  const victim = await new TestEngine(t, [addressOf(center)], { name: 'victim' }).joined();
  victim.connect(2 ** 33 + 1);
  const { publicKey, privateKey } = newIdentity();
  const joiner = { name: 'noisy', publicKey, privateKey, node: 0, version: '', labels: {}, silence: 25 };
  const samples = [
    { t: 'reg', n: 0, full: true, labels: { a: 'b' }, channels: { add: ['x', 'y'], del: [] } },
    { t: 'reg', n: 0, full: true, clients: { add: [2 ** 33 + 1, 2 ** 34 + 1], del: [5] } },
    { t: 'reg', n: 0, full: true, devices: { add: [['d', 2 ** 34]], del: ['e'] }, stats: { clients: 1 } },
    { t: 'req', id: 1, m: 'x', p: [1, { a: 2 }] },
    { t: 'res', id: 1, r: 1, e: { code: 'x', text: 'y' } },
    { t: 'peers', peers: [], gone: [1] },
    { t: 'pub', id: 1, ch: 'x', d: 1, except: [1] },
  ].map((message) => cbor.encode(message));
  for (let round = 0; round < 60; round++) {
    const session = new TypedSession(new Session(await dial(addressOf(center)), { role: 'client' }));
    const stream = session.open(STREAM.control);
    await join(new MessageStream(stream), joiner, () => {});
    for (const type of [STREAM.control, STREAM.route, 99]) {
      const raw = type === STREAM.control ? stream : session.open(type);
      raw.on('error', () => {});
      for (let n = rng.below(5); n >= 0; n--) {
        const bytes = Buffer.from(rng.pick(samples));
        for (let flips = rng.below(4); flips > 0; flips--) bytes[rng.below(bytes.length)] = rng.below(256);
        if (!raw.destroyed) raw.write(bytes);
      }
    }
    await new Promise(setImmediate);
    await session.session.close();
  }
  t.ok(center.messages.malformed > 0, `${center.messages.malformed} streams were reset`);
  await until(() => center.registry.size === 1, 'the noisy engine is gone');
  t.same(center.registry.counts(), { engines: 1, clients: 1, channels: 0, devices: 0 });
  t.equal(victim.downs.length, 0);
});
