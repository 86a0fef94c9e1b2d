import t, { type Test } from 'tap';
import type { Published } from '../../src/engine/mesh.js';
import { clientId } from '../../src/store/ids.js';
import { CutProxy, StandInRelay, TestNode, until } from './mesh-support.js';

/** Engines that know each other, and have sessions with each other. */
async function meshOf(t: Test, count: number): Promise<TestNode[]> {
  const nodes = Array.from({ length: count }, (_, i) => new TestNode(i + 1));
  for (const { mesh } of nodes) await mesh.start();
  t.teardown(async () => {
    for (const { mesh } of nodes) await mesh.stop();
  });
  const peers = nodes.map((node) => node.peer());
  for (const { mesh } of nodes) mesh.peers(peers);
  for (const node of nodes) {
    await until(() => node.mesh.state().every(({ path }) => path === 'direct'), 'direct paths');
  }
  return nodes;
}

/** Announcements take a moment: publishes until the counts are right. */
async function publishUntil(
  { mesh }: TestNode,
  channel: string,
  right: (published: Published) => boolean,
): Promise<void> {
  let last: Published | undefined;
  for (let i = 0; i < 500; i++) {
    last = await mesh.publish(channel, { data: 'x' });
    if (right(last)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`published to ${JSON.stringify(last)}`);
}

t.test('sends and calls cross nodes both ways', async (t) => {
  const [one, two] = (await meshOf(t, 2)) as [TestNode, TestNode];
  const [a, b] = [one.client(), two.client()];
  t.equal(await one.mesh.send(b, { data: 'hello', type: 'text' }), undefined);
  t.equal(await two.mesh.send(a, { data: Uint8Array.of(1, 2), type: 'binary' }), undefined);
  t.same(two.local.received, [{ id: b, data: 'hello', type: 'text' }]);
  t.same(one.local.received, [{ id: a, data: Buffer.of(1, 2), type: 'binary' }]);
  t.equal(await one.mesh.send(b, { data: { n: [1, null, 2.5] } }), undefined);
  t.same(two.local.received[1], { id: b, data: { n: [1, null, 2.5] }, type: undefined });

  t.equal(await one.mesh.call(b, 'set_context_value', ['user', 7]), undefined);
  t.same(two.local.calls, [[b, 'set_context_value', ['user', 7]]]);

  const gone = await one.mesh.send(clientId(2, 99), { data: 'x' });
  t.equal(gone?.code, 'not_connected');
  const unknown = await one.mesh.send(clientId(77, 1), { data: 'x' });
  t.match(unknown?.message, /not_connected: node 77 is not known/);
  const large = await one.mesh.send(b, { data: new Uint8Array(2 ** 20) });
  t.equal(large?.code, 'too_large');
  t.equal(await one.mesh.send(b, { data: 'still here' }), undefined);

  const { sends, failures, sessions } = one.mesh.counters;
  t.same(sends, { direct: 6, relay: 0, none: 1 });
  t.same(failures, { not_connected: 2, too_large: 1 });
  t.equal(sessions.opened, 1);
  t.equal(one.mesh.state()[0]?.outstanding, 0);
});

t.test('publish reaches subscribers on all nodes with one copy each, and counts them', async (t) => {
  const [one, two, three] = (await meshOf(t, 3)) as [TestNode, TestNode, TestNode];
  two.subscribe('news', two.client(1), two.client(2));
  three.subscribe('news', three.client(1));
  three.subscribe('other', three.client(1));
  three.local.channels.get('news')!.add(clientId(3, 9));
  await publishUntil(one, 'news', (published) => published.success + published.fail === 4);
  const before = one.mesh.counters.publishes.direct;
  t.same(await one.mesh.publish('news', { data: 'x' }), { success: 3, fail: 1 });
  t.equal(one.mesh.counters.publishes.direct, before + 2);
  t.same(await one.mesh.publish('nobody', { data: 'x' }), { success: 0, fail: 0 });
  t.equal(one.mesh.counters.publishes.direct, before + 2, 'no copy for engines without subscribers');

  two.unsubscribe('news');
  three.unsubscribe('news');
  await publishUntil(one, 'news', (published) => published.success === 0);
  t.same(await one.mesh.publish('news', { data: 'x' }), { success: 0, fail: 0 });
});

t.test('falls back to the relay and returns, by itself', async (t) => {
  const [one, two] = [new TestNode(1), new TestNode(2)];
  const relay = new StandInRelay();
  const proxy = new CutProxy(() => two.mesh.port!);
  t.teardown(async () => {
    await one.mesh.stop();
    await two.mesh.stop();
    relay.stop();
    proxy.stop();
  });
  for (const part of [one.mesh, two.mesh, relay, proxy]) await part.start();
  proxy.refusing = true;
  await relay.join(one);
  const leave = await relay.join(two);
  const [a, b] = [one.client(), two.client()];
  two.subscribe('news', b);
  one.mesh.peers([one.peer(null), two.peer(proxy.port)]);
  two.mesh.peers([one.peer(null), two.peer(proxy.port)]);

  t.equal(one.path(2), 'relay');
  t.equal(await one.mesh.send(b, { data: 1 }), undefined);
  t.equal(await two.mesh.send(a, { data: 2 }), undefined);
  t.same(await one.mesh.publish('news', { data: 3 }), { success: 1, fail: 0 });
  t.equal(await two.mesh.call(a, 'subscribe', ['x']), undefined);
  t.same(relay.seen, [
    ['send', 1],
    ['send', 2],
    ['pub', 1],
    ['call', 2],
  ]);

  proxy.refusing = false;
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct', 'a direct session');
  t.equal(await one.mesh.send(b, { data: 4 }), undefined);
  t.equal(await two.mesh.send(a, { data: 5 }), undefined);
  t.same(await one.mesh.publish('news', { data: 6 }), { success: 1, fail: 0 });
  t.equal(relay.seen.length, 4, 'nothing went through the relay');

  proxy.refusing = true;
  proxy.cut();
  await until(() => one.path(2) === 'relay' && two.path(1) === 'relay', 'the relay again');
  t.equal(await one.mesh.send(b, { data: 7 }), undefined);
  t.equal(await two.mesh.send(a, { data: 8 }), undefined);
  t.same(await one.mesh.publish('news', { data: 9 }), { success: 1, fail: 0 });
  t.same(
    two.local.received.map(({ data }) => data),
    [1, 3, 4, 6, 7, 9],
  );
  t.same(
    one.local.received.map(({ data }) => data),
    [2, 5, 8],
  );

  relay.cutAll();
  leave();
  await until(() => one.path(2) === 'none', 'no way');
  t.match(await one.mesh.send(b, { data: 10 }), { code: 'not_connected' });
  t.same(
    await one.mesh.publish('news', { data: 11 }),
    { success: 0, fail: 1 },
    'it is known to have subscribers',
  );
  t.same(await one.mesh.publish('nobody', { data: 11 }), { success: 0, fail: 0 });

  await relay.join(one);
  await relay.join(two);
  t.equal(await one.mesh.send(b, { data: 12 }), undefined);
  proxy.refusing = false;
  await until(() => one.path(2) === 'direct', 'a direct session');
  t.equal(await one.mesh.send(b, { data: 13 }), undefined);
  t.ok(one.mesh.counters.sessions.pathChanges >= 4);
});

t.test('a subscription with wildcards at one node is found by publishes at another', async (t) => {
  const [one, two] = (await meshOf(t, 2)) as [TestNode, TestNode];
  two.subscribe('plant/+/alarm', two.client(1));
  two.local.channels.set('plant/7/alarm', two.local.channels.get('plant/+/alarm')!);
  await publishUntil(one, 'plant/7/alarm', ({ success }) => success === 1);
  t.same(await one.mesh.publish('plant/7', { data: 'x' }), { success: 0, fail: 0 });
});
