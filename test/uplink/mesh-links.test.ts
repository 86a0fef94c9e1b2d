import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Session, TypedSession } from '../../src/mux/index.js';
import type { MeshOptions } from '../../src/uplink/mesh.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { type ChallengeMessage, STREAM } from '../../src/uplink/messages.js';
import { MAX_CHANNELS } from '../../src/uplink/peer-channels.js';
import { sign } from '../../src/uplink/proof.js';
import { random } from '../support/random.js';
import { CutProxy, makeKeys, StandInRelay, TestNode, until } from './mesh-support.js';

async function started(t: Test, ...nodes: TestNode[]) {
  for (const { mesh } of nodes) await mesh.start();
  t.teardown(async () => {
    for (const { mesh } of nodes) await mesh.stop();
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

t.test('both dial at the same time: one session stays, the same at both ends', async (t) => {
  const rng = random(t);
  // Neither leaves it to the other, so that their hellos cross.
  const eager = { dial: { minBackoffMs: 5, maxBackoffMs: 20, yieldMs: 0, timeoutMs: 2000 } };
  let duplicates = 0;
  for (let round = 0; round < 15; round++) {
    const [one, two] = [new TestNode(1, eager), new TestNode(2, eager)];
    for (const { mesh } of [one, two]) await mesh.start();
    const [a, b] = [one.client(), two.client()];
    const peers = [one.peer(), two.peer()];
    one.mesh.peers(peers);
    if (rng.below(2)) await pause(rng.below(3));
    two.mesh.peers(peers);
    await until(() => one.path(2) === 'direct' && two.path(1) === 'direct');
    await pause(30);
    t.equal(await one.mesh.send(b, { data: 1 }), undefined);
    t.equal(await two.mesh.send(a, { data: 1 }), undefined);
    const opened = [one, two].map(({ mesh }) => mesh.counters.sessions.opened);
    await pause(30);
    t.same(
      [one, two].map(({ mesh }) => mesh.counters.sessions.opened),
      opened,
      'and it goes on',
    );
    duplicates += [one, two].filter(({ mesh }) => mesh.counters.sessions.refused.duplicate).length;
    for (const { mesh } of [one, two]) await mesh.stop();
  }
  t.comment(`${duplicates} duplicates`);
});

t.test('the engine with the higher number dials where the other cannot', async (t) => {
  const [one, two] = [new TestNode(1), new TestNode(2)];
  await started(t, one, two);
  one.mesh.peers([two.peer(null)]);
  two.mesh.peers([one.peer()]);
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct');
  t.pass();
});

t.test('a half-open link: noticed by heartbeats, then the relay takes over', async (t) => {
  const impatient = { heartbeat: { intervalMs: 100, toleranceMs: 400 } };
  const [one, two] = [new TestNode(1, impatient), new TestNode(2, impatient)];
  await started(t, one, two);
  const relay = new StandInRelay();
  const proxy = new CutProxy(() => two.mesh.port!);
  t.teardown(() => {
    relay.stop();
    proxy.stop();
  });
  await relay.start();
  await proxy.start();
  await relay.join(one);
  await relay.join(two);
  const b = two.client();
  one.mesh.peers([two.peer(proxy.port)]);
  two.mesh.peers([one.peer(null)]);
  await until(() => one.path(2) === 'direct');
  await until(() => one.mesh.state()[0]!.roundTripMs !== undefined, 'a heartbeat');
  proxy.dropping = true;
  const lost = one.mesh.send(b, { data: 'lost' });
  t.match(await lost, { code: 'not_connected' }, 'fails when the session does');
  t.equal(one.path(2), 'relay');
  t.equal(await one.mesh.send(b, { data: 'relayed' }), undefined);
  await until(() => two.path(1) === 'relay', 'the other end notices, too');
  proxy.cut();
  proxy.dropping = false;
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct', 'a new session');
  t.equal(await one.mesh.send(b, { data: 'direct' }), undefined);
});

t.test('a half-open link between heartbeats: noticed by requests without answers', async (t) => {
  const rare = {
    heartbeat: { intervalMs: 3_600_000, toleranceMs: 3_600_000 },
    route: { timeoutMs: 200 },
  };
  const [one, two] = [new TestNode(1, rare), new TestNode(2, rare)];
  await started(t, one, two);
  const proxy = new CutProxy(() => two.mesh.port!);
  await proxy.start();
  t.teardown(() => proxy.stop());
  const b = two.client();
  one.mesh.peers([two.peer(proxy.port)]);
  two.mesh.peers([one.peer(null)]);
  await until(() => one.path(2) === 'direct');
  proxy.dropping = true;
  t.match(await one.mesh.send(b, { data: 'lost' }), { code: 'timeout' });
  await until(() => one.path(2) === 'none');

  proxy.cut();
  proxy.dropping = false;
  await until(() => one.path(2) === 'direct', 'a new session');
  t.equal(await one.mesh.send(b, { data: 'there' }), undefined);
});

for (const dialler of ['the restarted engine', 'the other one']) {
  t.test(`an engine that restarted replaces the session that ${dialler} dialled, at once`, async (t) => {
    const [one, two] = [new TestNode(1), new TestNode(2)];
    await started(t, one, two);
    const twoDials = dialler === 'the restarted engine';
    const proxy = new CutProxy(() => (twoDials ? one : two).mesh.port!);
    await proxy.start();
    t.teardown(() => proxy.stop());
    one.mesh.peers([two.peer(twoDials ? null : proxy.port)]);
    two.mesh.peers([one.peer(twoDials ? proxy.port : null)]);
    await until(() => one.path(2) === 'direct');
    // The first process is gone without a word, a second one with its key comes up.
    proxy.dropping = true;
    const again = new TestNode(2, {
      self: { name: 'engine-2', version: '1', node: 2, ...two.keys },
    });
    await started(t, again);
    const client = again.client();
    again.mesh.peers([one.peer()]);
    await until(() => again.path(1) === 'direct');
    await until(() => one.mesh.counters.sessions.opened === 2 && one.path(2) === 'direct');
    t.equal(await one.mesh.send(client, { data: 1 }), undefined);
  });
}

t.test('an engine that the centre names no more keeps its session, and gets no other', async (t) => {
  const [one, two] = [new TestNode(1), new TestNode(2)];
  await started(t, one, two);
  const proxy = new CutProxy(() => two.mesh.port!);
  await proxy.start();
  t.teardown(() => proxy.stop());
  one.mesh.peers([two.peer(proxy.port)]);
  two.mesh.peers([one.peer(null)]);
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct');
  one.mesh.peers([]);
  t.equal(await one.mesh.send(two.client(), { data: 1 }), undefined);
  const again = new TestNode(2, { self: { name: 'engine-2', version: '1', node: 2, ...two.keys } });
  await started(t, again);
  again.mesh.peers([one.peer()]);
  await until(() => one.mesh.counters.sessions.opened === 2, 'it may replace it');
  await until(() => one.path(2) === 'direct');
  t.equal(await one.mesh.send(again.client(), { data: 1 }), undefined);
  await again.mesh.stop();
  await until(() => one.mesh.state().length === 0, 'forgotten');
  one.mesh.peers([two.peer(proxy.port)]);
  await until(() => one.path(2) === 'direct');

  one.mesh.peers([{ ...two.peer(proxy.port), node: 3 }]);
  await until(() => one.mesh.state().length === 1 && one.path(2) === undefined, 'under its new number only');
});

t.test('an engine that does not read costs the others nothing', async (t) => {
  const options: Partial<MeshOptions> = { route: { timeoutMs: 5000, maxPendingBytes: 128 * 1024 } };
  const [one, two] = [new TestNode(1, options), new TestNode(2)];
  await started(t, one, two);
  const keys = makeKeys();
  one.mesh.peers([two.peer(), { name: 'slow', node: 3, key: keys.publicKey }]);
  two.mesh.peers([one.peer()]);
  await until(() => one.path(2) === 'direct');
  const good = two.client();
  two.subscribe('all', good);

  const socket = connect(one.mesh.port!, '127.0.0.1');
  await once(socket, 'connect');
  t.teardown(() => socket.destroy());
  const typed = new TypedSession(new Session(socket, { role: 'client' }));
  const control = new MessageStream(typed.open(STREAM.control));
  const nonce = new Uint8Array(32);
  control.onmessage = (message) => {
    if (message.t === 'challenge') {
      const { nonce: challenge } = message as ChallengeMessage;
      const acceptorKey = one.keys.publicKey;
      const key = keys.publicKey;
      const both = { context: 'moonwire mesh v1', name: 'slow', key, nonce, challenge, acceptorKey } as const;
      control.send({ t: 'prove', sig: sign(both, 'dialer', keys.privateKey) });
    } else if (message.t === 'welcome') {
      control.send({ t: 'chan', full: true, add: ['all'], del: [] });
      // A stream that nobody reads: its window fills, and then what waits here.
      typed.open(STREAM.route).on('error', () => {});
    }
  };
  control.send({ t: 'hello', v: 1, name: 'slow', key: keys.publicKey, nonce, version: '', labels: {} });
  await until(() => one.path(3) === 'direct', 'the slow engine');

  const data = new Uint8Array(32 * 1024);
  let refused = 0;
  const slow = [];
  for (let i = 0; refused === 0; i++) {
    if (i > 200) throw new Error('never refused');
    slow.push(
      one.mesh.send(3 * 2 ** 33 + 1, { data }).then((failure) => {
        if (failure?.code === 'queue_full') refused++;
      }),
    );
    t.equal(await one.mesh.send(good, { data: i }), undefined);
  }
  t.same(await one.mesh.publish('all', { data: 'x' }), { success: 1, fail: 1 }, 'and counts as a failure');
  t.ok(one.mesh.counters.failures.queue_full);
  await one.mesh.stop();
  await Promise.all(slow);
});

t.test('announcements: long lists, more than is kept, and what changes later', async (t) => {
  const [one, two] = [new TestNode(1), new TestNode(2)];
  for (let i = 0; i < 25_000; i++) two.local.channels.set(`channel/${i}/${'ü'.repeat(20)}`, new Set());
  const b = two.client();
  const name = `channel/24999/${'ü'.repeat(20)}`;
  two.local.channels.get(name)!.add(b);
  await started(t, one, two);
  one.mesh.peers([two.peer()]);
  two.mesh.peers([one.peer()]);
  await until(() => one.path(2) === 'direct');
  t.same(await one.mesh.publish(name, { data: 1 }), { success: 1, fail: 0 });
  t.same(await one.mesh.publish('unknown', { data: 1 }), { success: 0, fail: 0 });
  t.equal(one.mesh.counters.publishes.direct, 1);

  // In one turn: only how it ends is told.
  two.unsubscribe(name);
  two.subscribe(name, b);
  two.subscribe('late', b);
  two.subscribe('brief', b);
  two.unsubscribe('brief');
  for (let i = 0; i < 100 && one.mesh.counters.publishes.direct < 2; i++) {
    await pause(5);
    await one.mesh.publish('late', { data: 1 });
  }
  const before = one.mesh.counters.publishes.direct;
  t.same(await one.mesh.publish(name, { data: 1 }), { success: 1, fail: 0 });
  t.same(await one.mesh.publish('brief', { data: 1 }), { success: 0, fail: 0 });
  t.equal(one.mesh.counters.publishes.direct, before + 1);

  for (let i = 0; i < MAX_CHANNELS; i++) two.subscribe(`more/${i}`);
  for (let i = 0; i < 400 && one.mesh.counters.publishes.direct < before + 2; i++) {
    await pause(5);
    await one.mesh.publish('nobody has this', { data: 1 });
  }
  t.equal(one.mesh.counters.publishes.direct, before + 2, 'one with too many channels gets every message');
});

t.test('engines that accept and say nothing are dialled a few at a time, others after them', async (t) => {
  const held = new Set<Socket>();
  let most = 0;
  const mute = createServer((socket) => {
    held.add(socket.on('error', () => {}).resume());
    socket.once('close', () => held.delete(socket));
    most = Math.max(most, held.size);
  });
  await once(mute.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => mute.close());
  const one = new TestNode(1, { dial: { minBackoffMs: 5000, timeoutMs: 150 } });
  const last = new TestNode(100);
  await started(t, one, last);
  last.mesh.peers([one.peer(null)]);
  const { port } = mute.address() as { port: number };
  const silent = Array.from({ length: 40 }, (_, i) => new TestNode(i + 2).peer(port));
  one.mesh.peers([...silent, last.peer()]);
  await until(() => one.path(100) === 'direct');
  await until(() => one.mesh.counters.sessions.refused.timeout === 40, 'all were tried');
  t.ok(most <= 20, `${most} at a time, a few of them closing`);
});
