import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import type { RegistryAddress } from '../../src/config/address.js';
import { MoonwireError } from '../../src/errors.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { dial } from '../../src/uplink/dial.js';
import { STREAM } from '../../src/uplink/messages.js';
import { addressOf, newIdentity, openCenter, TestEngine } from '../center/support.js';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { openProxy } from '../support/tcp-proxy.js';
import { clientTls, serverTls } from '../support/tls.js';
import { until } from './support.js';

const at = (port: number): RegistryAddress => ({ scheme: 'tcp', host: '127.0.0.1', port, path: '/' });

t.test('over WebSockets', async (t) => {
  const center = await openCenter(t);
  const engine = await new TestEngine(t, [{ ...addressOf(center, 'ws'), path: '/any/path' }]).joined();
  engine.uplink.handle('echo', (params) => params);
  const big = new Uint8Array(500_000).fill(7);
  const echo = await center.registry.engineOfNode(1)!.request('echo', big);
  t.ok(Buffer.from(big).equals(echo as Uint8Array));
  t.equal(engine.uplink.state.address, `ws://127.0.0.1:${center.listener?.port}/any/path`);
});

t.test('over TLS, and what is not trusted', { skip: missing('openssl', 'openssl') }, async (t) => {
  const certificates = makeCertificates(t);
  const { ca, server, client } = certificates;
  const center = await openCenter(t, {
    registry: { port: 0, bind: '127.0.0.1', tls: serverTls(server) },
  });
  for (const [name, scheme] of [
    ['a', 'tls'],
    ['b', 'wss'],
  ] as const) {
    const engine = new TestEngine(t, [addressOf(center, scheme)], { name, tls: clientTls({ ca }) });
    await engine.joined();
  }
  t.equal(center.registry.size, 2);

  await t.rejects(dial(addressOf(center, 'tls')), { code: 'unauthorized', message: /is not trusted/ });
  await t.rejects(
    dial(addressOf(center, 'tls'), {
      tls: clientTls({ maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2', ca: client.cert }),
    }),
    {
      code: 'unauthorized',
    },
  );
  const plain = new TestEngine(t, [addressOf(center, 'tcp'), addressOf(center, 'ws')], { name: 'c' });
  await until(() => (center.listener?.counters.badTls ?? 0) >= 2, 'plain connections are turned away');
  t.equal(plain.ups.length, 0);

  const open = await openCenter(t);
  await t.rejects(dial(addressOf(open, 'tls'), { tls: clientTls({ ca }) }));
  await until(() => open.listener?.counters.notUplink === 1, 'TLS without certificates is turned away');
});

t.test('mutual TLS', { skip: missing('openssl', 'openssl') }, async (t) => {
  const { ca, server, client } = makeCertificates(t);
  const other = makeCertificates(t);
  const center = await openCenter(t, {
    registry: { port: 0, bind: '127.0.0.1', tls: serverTls({ ...server, ca }) },
  });
  const refused = [clientTls({ ca }), clientTls({ ca, ...other.client })].map(
    (tls, index) => new TestEngine(t, [addressOf(center, 'tls')], { name: `r${index}`, tls }),
  );
  await until(() => refused.every(({ uplink }) => uplink.counters.attempts > 1), 'attempts');
  const engine = new TestEngine(t, [addressOf(center, 'tls')], { tls: clientTls({ ca, ...client }) });
  await engine.joined();
  t.ok((center.listener?.counters.badTls ?? 0) >= 2);
  t.same(
    refused.map(({ ups }) => ups.length),
    [0, 0],
  );
});

t.test('addresses are tried in turn', async (t) => {
  const center = await openCenter(t);
  const addresses = [at(await freePort()), at(await freePort()), addressOf(center)];
  const engine = await new TestEngine(t, addresses).joined();
  t.match(engine.uplink.state, { connected: true, address: `tcp://127.0.0.1:${center.listener?.port}` });
  t.equal(engine.uplink.counters.attempts, 3);
  t.match(engine.log[0], { fields: { reason: /refused the connection: nothing listens there/ } });
});

t.test('a dial gives up: in time, when asked, with a name that does not exist', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  const ws: RegistryAddress = { scheme: 'ws', host: '127.0.0.1', port, path: '/' };
  await t.rejects(dial(ws, { timeoutMs: 50 }), { code: 'timeout', message: /did not answer within 50 ms/ });
  await t.rejects(dial({ ...ws, scheme: 'tls' }, { timeoutMs: 50 }), { code: 'timeout' });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);
  await t.rejects(dial(ws, { signal: abort.signal }), { code: 'closed' });
  await t.rejects(dial(ws, { signal: abort.signal }), { code: 'closed' });
  await t.rejects(dial({ ...ws, scheme: 'tcp', host: 'no-such-host.invalid' }), { message: /no-such-host/ });
});

t.test('a silent centre does not hold an uplink, and stop ends a join under way', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  const engine = new TestEngine(t, [at(port)], { timeoutMs: 50 });
  await until(() => engine.uplink.counters.attempts > 2, 'attempts');
  t.match(engine.uplink.state.lastError, /the join took longer than 50 ms/);
  const patient = new TestEngine(t, [at(port)], { timeoutMs: 60_000 });
  await until(() => patient.uplink.counters.attempts > 0, 'an attempt');
  await patient.uplink.stop();
  t.equal(patient.downs.length, 0);
});

t.test('an engine returns by itself and registers anew, through the centre’s restart too', async (t) => {
  const values = new MemoryKeyValue();
  let center = await openCenter(t, {}, values);
  const proxy = await openProxy(t, () => center.listener?.port ?? 1);
  const engine = await new TestEngine(t, [at(proxy.port)]).joined();
  for (let n = 0; n < 100; n++) engine.connect(2 ** 33 + n);
  engine.subscribe('news');
  await until(() => center.registry.counts().clients === 100, 'registered');

  proxy.cut();
  await until(() => engine.downs.length === 1, 'down');
  engine.connect(2 ** 33 + 100);
  engine.disconnect(2 ** 33);
  await engine.joined(2);
  await until(() => center.registry.client(2 ** 33 + 100) !== undefined, 'what came meanwhile');
  t.match(center.registry.counts(), { engines: 1, clients: 100, channels: 1 });
  t.equal(center.registry.client(2 ** 33), undefined);
  t.equal(engine.uplink.counters.flaps, 1);

  await center.stop();
  await until(() => engine.downs.length === 2, 'down again');
  t.equal(engine.downs[1], 'the centre stops');
  await until(() => engine.uplink.state.attempts > 2, 'attempts');
  await t.rejects(engine.uplink.request('x'), { code: 'not_connected' });
  t.throws(() => engine.uplink.openStream(STREAM.route), { code: 'not_connected' });
  center = await openCenter(t, {}, values);
  await engine.joined(3);
  await until(() => center.registry.counts().clients === 100, 'registered again');
  t.match(engine.uplink.state, { attempts: 0, lastError: undefined });
  t.same(
    engine.ups.map(({ node }) => node),
    [1, 1, 1],
  );
});

t.test('a half-open link is noticed by both ends, and replaced', async (t) => {
  const center = await openCenter(t);
  const proxy = await openProxy(t, () => center.listener?.port ?? 1);
  const lost: string[] = [];
  center.observers.add({ engineDown: (_engine, reason) => lost.push(reason) });
  const heartbeat = { interval: 0.1, tolerance: 0.9 };
  const engine = await new TestEngine(t, [at(proxy.port)], { heartbeat }).joined();
  await until(() => engine.uplink.state.roundTripMs !== undefined, 'a round trip');
  proxy.drop();
  await until(() => lost.length === 1 && engine.downs.length === 1, 'both ends know');
  t.match(engine.downs, [/no heartbeat was answered for 1000 ms/]);
  t.match(lost, [/no heartbeat came for 1 s|replaced by a newer session/]);
  await engine.joined(2);
  t.equal(center.registry.size, 1);
});

t.test('an engine that vanishes is forgotten within its silence', async (t) => {
  const center = await openCenter(t);
  const proxy = await openProxy(t, () => center.listener?.port ?? 1);
  const heartbeat = { interval: 0.1, tolerance: 0.9 };
  const retry = { minSeconds: 60, maxSeconds: 60, stableSeconds: 5 };
  const engine = await new TestEngine(t, [at(proxy.port)], { heartbeat, retry }).joined();
  proxy.drop();
  await until(() => center.registry.size === 0, 'forgotten');
  t.equal(center.counters.lost, 1);
  await engine.uplink.stop();
});

t.test('a live engine is not forgotten', async (t) => {
  const center = await openCenter(t);
  await new TestEngine(t, [addressOf(center)], { heartbeat: { interval: 0.1, tolerance: 1.9 } }).joined();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  t.match([center.registry.size, center.counters.lost], [1, 0]);
});

t.test('requests: errors, unknown methods, bounds, the end of the session', async (t) => {
  const center = await openCenter(t);
  center.handle('fail', () => {
    throw new Error('why');
  });
  center.handle('never', () => new Promise(() => {}));
  center.handle('odd', () => () => {});
  center.handle('half', () => '\ud800');
  center.handle('quote', () => {
    throw new MoonwireError('conflict', '\ud800');
  });
  const engine = await new TestEngine(t, [addressOf(center)]).joined();
  await t.rejects(engine.uplink.request('fail'), { code: 'internal', message: 'why' });
  await t.rejects(engine.uplink.request('nothing'), { code: 'not_found' });
  await t.rejects(engine.uplink.request('half'), { code: 'invalid_argument', message: /half a character/ });
  await t.rejects(engine.uplink.request('x', { deep: ['\udfff'] }), { code: 'invalid_argument' });
  await t.rejects(engine.uplink.request('quote'), { code: 'conflict', message: '\ufffd' });
  await t.rejects(engine.uplink.request('odd'), { code: 'invalid_argument' });
  await t.rejects(engine.uplink.request('x', new Uint8Array(2 ** 20)), { code: 'too_large' });
  const open = Array.from({ length: 1000 }, () =>
    engine.uplink.request('never').catch((error) => error.code),
  );
  await t.rejects(engine.uplink.request('never'), { code: 'overloaded' });
  await center.registry.engineOfNode(1)?.close('enough');
  t.same(new Set(await Promise.all(open)), new Set(['not_connected']));
});

t.test('an uplink without addresses stays down', async (t) => {
  const engine = new TestEngine(t, [], {}, newIdentity());
  t.match(engine.uplink.state, { connected: false, attempts: 0, address: undefined });
  await engine.uplink.stop();
});

t.test('streams of types nobody takes are refused, at both ends', async (t) => {
  const center = await openCenter(t);
  const engine = await new TestEngine(t, [addressOf(center)]).joined();
  const streams = [engine.uplink.openStream(99), center.registry.engineOfNode(1)!.openStream(99)];
  const errors = streams.map((stream) => new Promise((resolve) => stream.once('error', resolve)));
  const refused = { code: 'stream_refused', remote: true };
  t.match(await Promise.all(errors), [refused, refused]);
});
