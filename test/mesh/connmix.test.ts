import t, { type Test } from 'tap';
import { Cluster, type Node } from '../support/cluster.js';
import { WebClient } from '../support/websocket.js';

/** A client that speaks JSON. */
async function connect(t: Test, port: number, path: string) {
  const client = await WebClient.connect(port, path);
  t.teardown(() => client.ws.terminate());
  return {
    got: client.received,
    send: (message: unknown) => client.send(typeof message === 'string' ? message : JSON.stringify(message)),
    message: async (n: number): Promise<unknown> => {
      const text = String(await client.message(n));
      return text.startsWith('{') ? JSON.parse(text) : text;
    },
  };
}

/** Where a server of an engine listens. */
async function portOf(node: Node, server: string): Promise<number> {
  const { engines } = await node.get<{ engines: { servers: { name: string; port: number }[] }[] }>(
    '/v1/engines',
  );
  return engines[0]!.servers.find(({ name }) => name === server)!.port;
}

t.test('chat and worker samples over two engines, with their APIs', async (t) => {
  const cluster = await Cluster.prepare(t, 2, {
    engine: `    - { name: chat, port: 0, bind: 127.0.0.1, protocol: websocket, options: [{ name: path, value: /chat }], entry: lua/entry.chat.lua }
    - { name: queue, port: 0, bind: 127.0.0.1, protocol: websocket, entry: lua/entry.worker_queue.lua }`,
  });
  await cluster.start();
  const { center, engines } = cluster;
  const [first, second] = engines as [Node, Node];

  await t.test('a room spans both engines, and a program speaks to it', async (t) => {
    const ann = await connect(t, await portOf(first, 'chat'), '/chat');
    const bob = await connect(t, await portOf(second, 'chat'), '/chat');
    ann.send({ op: 'join', room: 1, name: 'ann' });
    t.same(await ann.message(1), { event: 'join', room: 1, name: 'ann' });
    bob.send({ op: 'join', room: 1, name: 'bob' });
    t.same(await bob.message(1), { event: 'join', room: 1, name: 'bob' });
    await center.until<{ channels: { name: string; nodes: number[] }[] }>('/v1/channels', ({ channels }) =>
      channels.some(({ name, nodes }) => name === 'room:1' && nodes.length === 2),
    );
    const from = [ann.got.length, bob.got.length];
    for (const node of [center, first, second]) {
      const answer = await node.post('/v1/mesh/publish', { c: 'room:1', d: '{"event":"broadcast"}' });
      t.same(answer, { E: null, r: { s: 2, f: 0, t: 2 } });
    }
    t.same(await ann.message(from[0]! + 3), { event: 'broadcast' });
    t.same(await bob.message(from[1]! + 3), { event: 'broadcast' });
  });

  await t.test('a worker consumes from one engine and answers through the other', async (t) => {
    const worker = await connect(t, second.api, '/ws/v1');
    const other = await connect(t, first.api, '/ws/v1');
    worker.send('ping');
    t.equal(await worker.message(1), 'pong');
    worker.send({ m: 'queue.pop', p: { t: ['connect', 'jobs'] }, i: 1 });
    t.same(await worker.message(2), { E: null, r: { s: true }, i: 1 });

    const client = await connect(t, await portOf(second, 'queue'), '/?x=1');
    client.send('do this');
    const event = (await worker.message(3)) as {
      e: string;
      id: null;
      p: { n: number; c: string; t: string; d: unknown };
    };
    t.match(event, { e: 'queue.pop', id: null, p: { t: 'connect', d: { uri: '/?x=1' } } });
    t.equal(event.p.n, Math.floor(Number(event.p.c) / 2 ** 33));
    // The script waits for the user, whom the other engine's API sets.
    other.send({ m: 'conn.call', p: { c: event.p.c, f: 'set_context_value', a: ['user', 10_000] }, i: 2 });
    t.same(await other.message(1), { E: null, r: { s: true }, i: 2 });
    t.match(await worker.message(4), {
      e: 'queue.pop',
      p: { c: event.p.c, t: 'jobs', d: { user: 10_000, text: 'do this' } },
    });
    other.send({ m: 'mesh.send', p: { c: Number(event.p.c), d: 'done', t: 'text' }, id: 3 });
    t.same(await other.message(2), { E: null, r: { s: true }, id: 3 });
    t.equal(await client.message(1), 'done');
    other.send({ m: 'conn.call', p: { c: event.p.c, f: 'subscribe', a: ['news'] }, i: 4 });
    await other.message(3);
    worker.send({ m: 'mesh.publish', p: { c: 'news', d: 'AAH/', t: 'binary' }, i: 5 });
    t.same(await worker.message(5), { E: null, r: { s: 1, f: 0, t: 1 }, i: 5 });
    await client.message(2);
    t.same(client.got[1], Buffer.from([0, 1, 255]));
  });
});
