import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { Session, TypedSession } from '../../src/mux/index.js';
import type { MeshPointOptions } from '../../src/uplink/mesh-point.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { type ChallengeMessage, type Message, STREAM } from '../../src/uplink/messages.js';
import { type Exchange, isSigned, type ProofRole, sign } from '../../src/uplink/proof.js';
import { random } from '../support/random.js';
import { makeKeys, TestNode, until } from './mesh-support.js';

const NONCE = new Uint8Array(32).fill(7);

/** An engine that knows one other, which the test plays. */
async function engine(t: Test, point: Partial<MeshPointOptions> = {}) {
  const node = new TestNode(5, { point: { host: '127.0.0.1', port: 0, ...point } });
  await node.mesh.start();
  t.teardown(() => node.mesh.stop());
  const keys = makeKeys();
  node.mesh.peers([{ name: 'other', node: 2, key: keys.publicKey }]);
  return { node, keys, port: node.mesh.port! };
}

/** Dials a mesh point and keeps what it says. */
async function dialler(t: Test, port: number) {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const typed = new TypedSession(new Session(socket, { role: 'client' }));
  t.teardown(() => socket.destroy());
  const control = new MessageStream(typed.open(STREAM.control));
  const got: Message[] = [];
  control.onmessage = (message) => got.push(message);
  const next = async () => {
    await until(() => got.length > 0, 'an answer');
    return got.shift()!;
  };
  const hello = (key: Uint8Array, changes: object = {}) =>
    control.send({ t: 'hello', v: 1, name: 'other', key, nonce: NONCE, version: '', labels: {}, ...changes });
  return { typed, control, got, next, hello, socket };
}

/** A connection without a session. Resolves once the system has made it, be it closed at once. */
async function raw(port: number) {
  const socket = connect(port, '127.0.0.1').resume();
  const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
  await Promise.race([closed, new Promise((resolve) => socket.once('connect', resolve))]);
  return { socket, closed };
}

function exchange(node: TestNode, key: Uint8Array, { nonce }: ChallengeMessage): Exchange {
  const acceptorKey = node.keys.publicKey;
  return { context: 'moonwire mesh v1', name: 'other', key, nonce: NONCE, challenge: nonce, acceptorKey };
}

t.test('both ends prove themselves', async (t) => {
  const { node, keys, port } = await engine(t);
  const { hello, next, control, typed } = await dialler(t, port);
  hello(keys.publicKey);
  const challenge = (await next()) as ChallengeMessage;
  const both = exchange(node, keys.publicKey, challenge);
  t.ok(isSigned(both, 'acceptor', node.keys.publicKey, challenge.sig!));
  control.send({ t: 'prove', sig: sign(both, 'dialer', keys.privateKey) });
  t.match(await next(), { t: 'welcome', node: 5, peers: [] });
  t.match(await next(), { t: 'chan', full: true });
  t.equal(node.path(2), 'none', 'not before the route is open and the channels are known');
  typed.open(STREAM.route).on('error', () => {});
  control.send({ t: 'chan', full: true, add: [], del: [] });
  await until(() => node.path(2) === 'direct');

  control.send({ t: 'resend' });
  t.match(await next(), { t: 'error', code: 'unknown' });
  const second = typed.open(STREAM.route);
  const [error] = await once(second, 'error');
  t.match(error, { code: 'protocol' }, 'there is one route');
  t.equal(node.path(2), 'direct');
});

t.test('who does not prove itself is refused, and counted', async (t) => {
  const { node, keys, port } = await engine(t);
  const stranger = makeKeys();
  const refusals: Record<string, { code: string; run: (d: Awaited<ReturnType<typeof dialler>>) => unknown }> =
    {
      'an unknown key': { code: 'unknown_key', run: ({ hello }) => hello(stranger.publicKey) },
      'a known key under another name': {
        code: 'unknown_key',
        run: ({ hello }) => hello(keys.publicKey, { name: 'another' }),
      },
      'the engine itself': {
        code: 'unknown_key',
        run: ({ hello }) => hello(node.keys.publicKey, { name: 'engine-5' }),
      },
      'another version': { code: 'bad_hello', run: ({ hello }) => hello(keys.publicKey, { v: 2 }) },
      'a proof without a hello': {
        code: 'bad_hello',
        run: ({ control }) => control.send({ t: 'prove', sig: new Uint8Array(64) }),
      },
      'another message': { code: 'bad_hello', run: ({ control }) => control.send({ t: 'resend' }) },
      'a second hello': {
        code: 'bad_hello',
        run: async ({ hello, next }) => {
          hello(keys.publicKey);
          await next();
          hello(keys.publicKey);
        },
      },
    };
  let before = 0;
  for (const [name, { code, run }] of Object.entries(refusals)) {
    const d = await dialler(t, port);
    await run(d);
    t.match(await d.next(), { t: 'refused', code }, name);
    await d.typed.session.closed;
    before++;
  }
  const { refused, opened } = node.mesh.counters.sessions;
  t.equal(
    Object.values(refused).reduce((sum, n) => sum + n, 0),
    before,
  );
  t.equal(opened, 0);
});

t.test('signatures that are not worth anything here', async (t) => {
  const { node, keys, port } = await engine(t);
  const stranger = makeKeys();
  const proofs: Record<string, (both: Exchange) => Uint8Array> = {
    'by another key': (both) => sign(both, 'dialer', stranger.privateKey),
    'for a join': (both) => sign({ ...both, context: 'moonwire join v1' }, 'dialer', keys.privateKey),
    'of the other role': (both) => sign(both, 'acceptor' as ProofRole, keys.privateKey),
    'for another acceptor': (both) =>
      sign({ ...both, acceptorKey: stranger.publicKey }, 'dialer', keys.privateKey),
    'from an earlier session': (both) => sign({ ...both, challenge: NONCE }, 'dialer', keys.privateKey),
    'of zeros': () => new Uint8Array(64),
  };
  for (const [name, prove] of Object.entries(proofs)) {
    const { hello, next, control } = await dialler(t, port);
    hello(keys.publicKey);
    const both = exchange(node, keys.publicKey, (await next()) as ChallengeMessage);
    control.send({ t: 'prove', sig: prove(both) });
    t.match(await next(), { t: 'refused', code: 'bad_proof' }, name);
  }
  t.equal(node.mesh.counters.sessions.refused.bad_proof, Object.keys(proofs).length);
  t.equal(node.path(2), 'none');
});

t.test('a dialler wants the engine it was told of', async (t) => {
  const [one, two] = [new TestNode(1), new TestNode(2)];
  for (const { mesh } of [one, two]) await mesh.start();
  t.teardown(async () => {
    await one.mesh.stop();
    await two.mesh.stop();
  });
  const other = makeKeys();
  two.mesh.peers([one.peer()]);
  one.mesh.peers([{ ...two.peer(), key: other.publicKey }]);
  await until(() => one.mesh.counters.sessions.refused.unknown_key, 'another engine answers');
  t.equal(one.path(2), 'none');

  one.mesh.peers([two.peer()]);
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct', 'the right key');
  one.mesh.peers([{ ...two.peer(null), key: other.publicKey }]);
  await until(() => one.path(2) === 'none', 'a session ends when the key is another one');
});

t.test('before the proof: few connections, little time, nothing else served', async (t) => {
  const { node, port } = await engine(t, { maxUnproved: 3, proofMs: 150 });
  const rng = random(t);

  const silent = [];
  for (let i = 0; i < 3; i++) silent.push(await raw(port));
  await (await raw(port)).closed;
  t.equal(node.mesh.counters.sessions.refused.limit, 1);
  for (const { closed } of silent) await closed;
  t.equal(node.mesh.counters.sessions.refused.timeout, 3);

  for (let i = 0; i < 8; i++) {
    const { socket, closed } = await raw(port);
    socket.write(rng.bytes(1 + rng.below(2000)));
    if (rng.below(2)) socket.end();
    await closed;
  }

  const early = await dialler(t, port);
  const route = new MessageStream(early.typed.open(STREAM.route));
  route.send({ t: 'pub', id: 1, ch: 'a', d: 'x' });
  const answered = await Promise.race([
    new Promise((resolve) => {
      route.onmessage = resolve;
    }),
    early.typed.session.closed.then(() => 'closed'),
  ]);
  t.equal(answered, 'closed');
  t.equal(node.local.received.length, 0);
  t.equal(node.mesh.counters.sessions.opened, 0);
});

t.test('a peer that breaks the rules after its proof ends its session alone', async (t) => {
  const { node, keys, port } = await engine(t);
  const third = new TestNode(9);
  await third.mesh.start();
  t.teardown(() => third.mesh.stop());
  const other = { name: 'other', node: 2, key: keys.publicKey };
  node.mesh.peers([other, third.peer()]);
  third.mesh.peers([node.peer()]);
  await until(() => node.path(9) === 'direct');
  for (const break_ of [
    (raw: MessageStream) => raw.send({ t: 'chan', add: [7] as unknown as string[], del: [] }),
    (raw: MessageStream) => raw.reset('enough'),
    (raw: MessageStream) => raw.close(),
  ]) {
    const { hello, next, control, typed } = await dialler(t, port);
    hello(keys.publicKey);
    const both = exchange(node, keys.publicKey, (await next()) as ChallengeMessage);
    control.send({ t: 'prove', sig: sign(both, 'dialer', keys.privateKey) });
    typed.open(STREAM.route).on('error', () => {});
    control.send({ t: 'chan', full: true, add: ['a'], del: [] });
    await until(() => node.path(2) === 'direct');
    break_(control);
    await until(() => node.path(2) === 'none');
    await typed.session.closed;
  }
  t.equal(node.path(9), 'direct');
  t.same(await node.mesh.publish('a', { data: 1 }), { success: 0, fail: 1 });
});
