import t, { type Test } from 'tap';
import type { Center } from '../../src/center/center.js';
import type { Outgoing } from '../../src/engine/mesh.js';
import { Failure } from '../../src/errors.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { STREAM } from '../../src/uplink/messages.js';
import { localRequests, Route } from '../../src/uplink/routes.js';
import { random } from '../support/random.js';
import { until } from '../uplink/support.js';
import { addressOf, openCenter, TestEngine } from './support.js';

/** An engine with a route to the centre; it keeps what reaches its clients. */
async function routed(t: Test, center: Center, name: string, channel?: string) {
  const engine = await new TestEngine(t, [addressOf(center)], { name }).joined();
  const received: [client: number | string, data: unknown, type: string | undefined][] = [];
  const stream = engine.uplink.openStream(STREAM.route);
  const route = new Route(
    new MessageStream(stream),
    localRequests({
      deliver(client, { data, type }) {
        if ((client % 2 ** 33) % 10 === 9) return new Failure('not_connected: the client is gone');
        received.push([client, data, type]);
        return undefined;
      },
      fanOut(name, { data, type }) {
        received.push([name, data, type]);
        return { success: 2, fail: 1 };
      },
      call(client, fn, args) {
        received.push([client, [fn, ...args], undefined]);
        return undefined;
      },
    }),
  );
  if (channel !== undefined) engine.subscribe(channel);
  const session = () => center.registry.engineOfNode(engine.identity.node);
  await until(() => session()?.route !== undefined, 'the route');
  if (channel !== undefined) {
    await until(() => [...center.registry.nodesOf(channel)].includes(engine.identity.node), 'the channel');
  }
  return { engine, route, received, stream, node: engine.identity.node };
}

/** The outcome of one request. */
function outcome(run: (done: (s: number, f: number, e?: string) => void) => void): Promise<unknown[]> {
  return new Promise((resolve) => run((...result) => resolve(result)));
}

const TEXT: Outgoing = { data: 'hello', type: 'text' };

t.test('sends and calls go to the engine of the client', async (t) => {
  const center = await openCenter(t);
  const [a, b] = [await routed(t, center, 'a'), await routed(t, center, 'b')];
  const client = b.node * 2 ** 33 + 1;
  t.same(await outcome((done) => a.route.send(client, TEXT, done)), [1, 0, undefined]);
  const bytes = { data: { x: [1, new Uint8Array([1, 2])] } };
  t.same(await outcome((done) => a.route.send(client, bytes, done)), [1, 0, undefined]);
  t.same(await outcome((done) => a.route.call(client, 'subscribe', ['news'], done)), [1, 0, undefined]);
  t.same(b.received, [
    [client, 'hello', 'text'],
    [client, bytes.data, undefined],
    [client, ['subscribe', 'news'], undefined],
  ]);
  t.same(await outcome((done) => a.route.send(client + 8, TEXT, done)), [
    0,
    1,
    'not_connected: the client is gone',
  ]);
  t.match(await outcome((done) => a.route.send(77 * 2 ** 33, TEXT, done)), [
    0,
    1,
    /not_connected: node 77 is not/,
  ]);

  t.equal(await center.send(client, TEXT), undefined);
  t.match(await center.send(client + 8, TEXT), { message: 'not_connected: the client is gone' });
  t.equal(await center.call(client, 'set_context', [{ a: 1 }]), undefined);
  t.match(center.relay.counters, { sends: 6, calls: 2, unreachable: 1 });

  await b.engine.uplink.stop();
  await until(() => center.registry.size === 1, 'b is gone');
  t.match(await outcome((done) => a.route.send(client, TEXT, done)), [0, 1, /not_connected/]);
});

t.test('a subscription with wildcards gets what it means, once', async (t) => {
  const center = await openCenter(t);
  const [a, b] = [await routed(t, center, 'a'), await routed(t, center, 'b', 'news/+')];
  const both = await routed(t, center, 'c', '#');
  t.same(await outcome((done) => a.route.publish('news/x', TEXT, [], done)), [4, 2, undefined]);
  t.same(await outcome((done) => a.route.publish('other', TEXT, [], done)), [2, 1, undefined]);
  t.same(
    [a, b, both].map(({ received }) => received.length),
    [0, 1, 2],
  );
  await b.engine.uplink.stop();
  await both.engine.uplink.stop();
  await until(() => center.registry.size === 1, 'they are gone');
  t.same([...center.registry.nodesOf('news/x')], []);
});

t.test('a message published reaches each engine with subscribers once, and counts add up', async (t) => {
  const center = await openCenter(t);
  const [a, b, c, d] = [
    await routed(t, center, 'a', 'news'),
    await routed(t, center, 'b', 'news'),
    await routed(t, center, 'c', 'news'),
    await routed(t, center, 'd'),
  ];
  t.same(await outcome((done) => a.route.publish('news', TEXT, [], done)), [4, 2, undefined]);
  t.same(
    [a, b, c, d].map(({ received }) => received.length),
    [0, 1, 1, 0],
    'not the sender, nor who has no subscriber',
  );
  t.same(await outcome((done) => a.route.publish('news', TEXT, [b.node], done)), [2, 1, undefined]);
  t.same(await outcome((done) => a.route.publish('quiet', TEXT, [], done)), [0, 0, undefined]);
  t.same(await center.publish('news', TEXT), { success: 6, fail: 3 });
  t.equal(center.relay.counters.copies, 6);

  b.stream.destroy();
  await until(() => center.registry.engineOfNode(b.node)?.route?.open === false, 'b takes none');
  t.same(await center.publish('news', TEXT), { success: 4, fail: 3 }, 'an engine out of reach counts as one');
});

t.test('order of one sender and client is kept', async (t) => {
  const rng = random(t);
  const center = await openCenter(t);
  const [a, b] = [await routed(t, center, 'a'), await routed(t, center, 'b', 'news')];
  const client = b.node * 2 ** 33 + 1;
  let open = 0;
  for (let n = 0; n < 3000; n++) {
    open++;
    const done = () => open--;
    const message = { data: n };
    if (rng.below(3) === 0) a.route.publish('news', message, [], done);
    else a.route.send(client, message, done);
    if (rng.below(50) === 0) await new Promise(setImmediate);
  }
  await until(() => open === 0, 'all are done');
  t.same(
    b.received.map(([, data]) => data),
    Array.from({ length: 3000 }, (_, n) => n),
  );
});

t.test('an engine that does not read fails alone', async (t) => {
  const center = await openCenter(t);
  const [a, fast] = [await routed(t, center, 'a'), await routed(t, center, 'fast', 'news')];
  const slow = await routed(t, center, 'slow', 'news');
  slow.stream.pause();
  const slowClient = slow.node * 2 ** 33 + 1;
  const message = { data: new Uint8Array(100_000) };
  const results: unknown[][] = [];
  let sent = 0;
  while (!results.some(([, , error]) => /queue_full/.test(String(error))) && sent < 200) {
    sent++;
    a.route.send(slowClient, message, (...result) => results.push(result));
    await new Promise(setImmediate);
  }
  await until(() => results.some(([, , error]) => /queue_full/.test(String(error))), 'queue_full');
  t.ok(sent < 200, `${sent} messages of 100 KB were taken`);
  t.same(await outcome((done) => a.route.send(fast.node * 2 ** 33 + 1, TEXT, done)), [1, 0, undefined]);
  t.same(await outcome((done) => a.route.publish('news', TEXT, [], done)), [2, 2, undefined]);
  slow.stream.resume();
  await until(() => results.length === sent, 'the others are delivered');
});

t.test(
  'hostile route streams: unknown answers, wrong functions, wrong messages, a second stream',
  async (t) => {
    const center = await openCenter(t);
    const [a, b] = [await routed(t, center, 'a'), await routed(t, center, 'b')];
    const second = a.engine.uplink.openStream(STREAM.route);
    t.match(await new Promise((resolve) => second.once('error', resolve)), { code: 'stream_refused' });

    b.stream.destroy();
    await until(() => center.registry.engineOfNode(b.node)?.route?.open === false, 'closed');
    const stream = new MessageStream(b.engine.uplink.openStream(STREAM.route));
    const got: unknown[] = [];
    stream.onmessage = (message) => got.push(message);
    stream.send({ t: 'done', id: 12345, s: 1, f: 0 });
    stream.send({ t: 'call', id: 1, c: a.node * 2 ** 33, f: 'no_such_function', a: [] });
    stream.send({ t: 'resend' });
    await until(() => got.length === 2, 'answers');
    t.match(got, [
      { t: 'done', id: 1, s: 0, f: 1, e: /invalid_argument/ },
      { t: 'error', code: 'unknown' },
    ]);
    const ended = new Promise((resolve) => {
      stream.onclose = resolve;
    });
    stream.send({ t: 'send', id: -1, c: 1, d: 1 });
    t.match(await ended, { code: 'protocol', remote: true });
    t.equal(center.registry.size, 2, 'the engine stays: only its stream has ended');
    t.same(await outcome((done) => a.route.send(a.node * 2 ** 33 + 1, TEXT, done)), [1, 0, undefined]);
  },
);
