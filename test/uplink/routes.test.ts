import t, { type Test } from 'tap';
import { cborCodec } from '../../src/codecs/cbor.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import type { Message } from '../../src/uplink/messages.js';
import {
  type Done,
  localRequests,
  Route,
  type RouteOptions,
  type RouteRequests,
} from '../../src/uplink/routes.js';
import { FakeClients, streamPair, until } from './mesh-support.js';

const DATA = { data: 'x' };

/** Keeps requests until the test answers them. */
class Held implements RouteRequests {
  readonly asked: { what: unknown[]; done: Done }[] = [];
  send(...args: [...unknown[], Done]) {
    this.hold('send', args);
  }
  call(...args: [...unknown[], Done]) {
    this.hold('call', args);
  }
  publish(...args: [...unknown[], Done]) {
    this.hold('publish', args);
  }
  private hold(kind: string, args: [...unknown[], Done]) {
    this.asked.push({ what: [kind, ...args.slice(0, -1)], done: args.at(-1) as Done });
  }
}

async function routes(t: Test, options: RouteOptions = {}, clients = new FakeClients()) {
  const { opened, arrived, stop, ...rest } = await streamPair();
  t.teardown(stop);
  const held = new Held();
  const asking = new Route(new MessageStream(opened), localRequests(clients), options);
  const answering = new Route(new MessageStream(arrived), held, options);
  return { asking, answering, held, ...rest };
}

/** A route whose other end is driven by hand. */
async function against(t: Test, options: RouteOptions = {}) {
  const { opened, arrived, stop } = await streamPair();
  t.teardown(stop);
  const clients = new FakeClients();
  const route = new Route(new MessageStream(opened), localRequests(clients), options);
  const got: Message[] = [];
  const peer = new MessageStream(arrived);
  peer.onmessage = (message) => got.push(message);
  return { route, clients, peer, got, raw: arrived };
}

/** Where answers are kept. */
function answers() {
  const list: unknown[] = [];
  return { list, done: ((...args) => list.push(args)) as Done };
}

t.test('requests arrive in order with all they hold, answers in any order', async (t) => {
  const { asking, held } = await routes(t);
  const { list } = answers();
  const done =
    (name: string): Done =>
    (...args) =>
      list.push([name, ...args]);
  asking.send(2 ** 33 + 5, { data: { a: [1, 'ü', null] }, type: 'text' }, done('send'));
  asking.call(2 ** 52, 'set_context', [{ user: 1 }], done('call'));
  asking.publish('news', { data: Uint8Array.of(0, 255), type: 'binary' }, [3, 4], done('publish'));
  await until(() => held.asked.length === 3);
  t.same(
    held.asked.map(({ what }) => what),
    [
      ['send', 2 ** 33 + 5, { data: { a: [1, 'ü', null] }, type: 'text' }],
      ['call', 2 ** 52, 'set_context', [{ user: 1 }]],
      ['publish', 'news', { data: Buffer.of(0, 255), type: 'binary' }, [3, 4]],
    ],
  );
  t.equal(asking.outstanding, 3);
  held.asked[2]!.done(10, 2);
  held.asked[0]!.done(0, 1, 'not_connected: gone');
  held.asked[1]!.done(1, 0);
  await until(() => list.length === 3);
  t.same(list, [
    ['publish', 10, 2, undefined],
    ['send', 0, 1, 'not_connected: gone'],
    ['call', 1, 0, undefined],
  ]);
  t.equal(asking.outstanding, 0);
});

t.test('both ends ask on the same stream', async (t) => {
  const clients = new FakeClients();
  clients.clients.add(7);
  const { asking, answering, held } = await routes(t, {}, clients);
  const { list, done } = answers();
  asking.send(1, DATA, () => {});
  answering.send(7, DATA, done);
  answering.send(8, DATA, done);
  await until(() => list.length === 2 && held.asked.length === 1);
  t.same(list, [
    [1, 0, undefined],
    [0, 1, 'not_connected: no client 8'],
  ]);
});

t.test('a request without an answer fails in time, and its late answer is nothing', async (t) => {
  const { asking, held } = await routes(t, { timeoutMs: 60 });
  const { list, done } = answers();
  asking.send(1, DATA, done);
  await new Promise((resolve) => setTimeout(resolve, 20));
  asking.send(2, DATA, done);
  await until(() => list.length === 2);
  t.match(list, [
    [0, 1, /^timeout: /],
    [0, 1, /^timeout: /],
  ]);
  t.equal(held.asked.length, 2);
  held.asked[0]!.done(1, 0);
  await until(() => asking.counters.strayAnswers === 1);
  t.match(asking.counters, { requested: 2, timeouts: 2 });
  t.equal(list.length, 2);
});

t.test('requests under way are bounded by count, each way', async (t) => {
  const { asking, held } = await routes(t, { maxRequests: 3 });
  const { list, done } = answers();
  for (let i = 0; i < 5; i++) asking.send(i, DATA, done);
  t.match(list, [
    [0, 1, /^queue_full: /],
    [0, 1, /^queue_full: /],
  ]);
  await until(() => held.asked.length === 3);
  held.asked[0]!.done(1, 0);
  await until(() => asking.outstanding === 2);
  asking.send(9, DATA, done);
  await until(() => held.asked.length === 4);
  t.equal(asking.counters.refused, 2);
});

t.test('a peer that asks more than it may is refused, and the stream goes on', async (t) => {
  const { opened, arrived, stop } = await streamPair();
  t.teardown(stop);
  const held = new Held();
  new Route(new MessageStream(opened), held, { maxRequests: 2 });
  const peer = new MessageStream(arrived);
  const got: Message[] = [];
  peer.onmessage = (message) => got.push(message);
  for (let id = 1; id <= 3; id++) peer.send({ t: 'send', id, c: 1, d: 'x' });
  await until(() => got.length === 1);
  t.match(got[0], { t: 'done', id: 3, s: 0, f: 1, e: /^queue_full: / });
  for (const { done } of held.asked) done(1, 0);
  await until(() => got.length === 3);
});

t.test('a peer that does not read is bounded by bytes', async (t) => {
  const { asking, held, far } = await routes(t, { maxPendingBytes: 256 * 1024 });
  far.pause();
  const { list, done } = answers();
  const data = new Uint8Array(64 * 1024);
  for (let i = 0; i < 400 && list.length === 0; i++) {
    asking.send(i, { data }, done);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.match(list, [[0, 1, /^queue_full: .*has not taken/]]);
  far.resume();
  const { outstanding } = asking;
  await until(() => held.asked.length === outstanding, 'the rest arrives');
  asking.send(1, DATA, done);
  await until(() => held.asked.length === outstanding + 1);
  t.equal(list.length, 1);
});

t.test('what cannot be sent, or would end the stream at the other end, fails alone', async (t) => {
  const { asking, held } = await routes(t);
  const { list, done } = answers();
  const deep: unknown[] = [];
  for (let i = 0, at = deep; i < 70; i++) {
    const inner: unknown[] = [];
    at.push(inner);
    at = inner;
  }
  asking.send(1, { data: new Uint8Array(2 ** 20) }, done);
  asking.send(1, { data: () => {} }, done);
  asking.send(1, { data: undefined }, done);
  asking.send(1, { data: deep }, done);
  asking.send(1, { data: '\ud800' }, done);
  asking.send(1, { data: { list: [{ '\udfff': 1 }] } }, done);
  asking.send(1, { data: new Map([[1, 'a\ud83d']]) }, done);
  asking.send(1, { data: 'x', type: 'html' as 'text' }, done);
  asking.send(2 ** 53, DATA, done);
  asking.call(1, 'subscribe', Array(65).fill('a'), done);
  asking.call(1, 'subscribe', [undefined], done);
  asking.publish('c'.repeat(1025), DATA, [], done);
  asking.publish('\ud800', DATA, [], done);
  const codes = list.map((answer) => String((answer as string[])[2]).split(':')[0]);
  t.same(codes, ['too_large', ...Array(12).fill('invalid_argument')]);
  asking.send(1, { data: ['😀', { ü: '\u0000' }] }, done);
  await until(() => held.asked.length === 1);
  held.asked[0]!.done(0, 1, `${'x'.repeat(1023)}😀 and more`);
  await until(() => list.length === 14);
  t.same(list[13], [0, 1, `${'x'.repeat(1023)}\ufffd`]);
  t.ok(asking.open);
});

t.test('the end of the stream fails what is under way, once, and everything after it', async (t) => {
  const { asking, answering, held } = await routes(t);
  const { list, done } = answers();
  let closed = 0;
  asking.onclose = () => closed++;
  asking.send(1, DATA, done);
  asking.publish('a', DATA, [], done);
  await until(() => held.asked.length === 2);
  answering.close();
  await until(() => list.length === 2);
  held.asked[0]!.done(1, 0);
  asking.send(2, DATA, done);
  asking.close();
  t.match(list, [
    [0, 1, /^not_connected: /],
    [0, 1, /^not_connected: /],
    [0, 1, /^not_connected: /],
  ]);
  t.equal(closed, 1);
  t.equal(asking.open, false);
});

t.test('a defect of the handler is answered and ends nothing', async (t) => {
  const clients = new FakeClients();
  clients.deliver = () => {
    throw new Error('broken');
  };
  const { answering } = await routes(t, {}, clients);
  const { list, done } = answers();
  answering.send(1, DATA, done);
  answering.call(1, 'subscribe', [], done);
  await until(() => list.length === 2);
  t.same(list, [
    [0, 1, 'internal: broken'],
    [0, 1, 'not_connected: no client 1'],
  ]);
});

t.test('hostile messages: what is not understood is answered, what is wrong ends the stream', async (t) => {
  t.test('unknown types, unknown functions, answers nobody waits for', async (t) => {
    const { route, clients, peer, got } = await against(t);
    clients.clients.add(1);
    peer.send({ t: 'resend' });
    peer.send({ t: 'error', code: 'unknown' });
    peer.send({ t: 'done', id: 99, s: 1, f: 0 });
    peer.send({ t: 'call', id: 1, c: 1, f: 'constructor', a: [] });
    peer.send({ t: 'send', id: 2, c: 1, d: 'fine' });
    await until(() => got.length === 3);
    t.match(got, [
      { t: 'error', code: 'unknown' },
      { t: 'done', id: 1, s: 0, f: 1, e: /^invalid_argument: / },
      { t: 'done', id: 2, s: 1, f: 0 },
    ]);
    t.match(route.counters, { unknown: 1, strayAnswers: 1, served: 2 });
    t.ok(route.open);
  });

  const wrong: Record<string, unknown> = {
    'a client that is no number': { t: 'send', id: 1, c: '7', d: 1 },
    'a client beyond 2^53': { t: 'send', id: 1, c: 2 ** 53, d: 1 },
    'a negative id': { t: 'send', id: -1, c: 1, d: 1 },
    'no data': { t: 'send', id: 1, c: 1 },
    'a type of data': { t: 'send', id: 1, c: 1, d: 1, y: 'html' },
    'a channel that is a list': { t: 'pub', id: 1, ch: ['a'], d: 1 },
    'exceptions that are text': { t: 'pub', id: 1, ch: 'a', d: 1, except: ['1'] },
    'arguments that are a map': { t: 'call', id: 1, c: 1, f: 'subscribe', a: {} },
    'a count of -1': { t: 'done', id: 1, s: -1, f: 0 },
    'a list': [1],
    'a message of 2 MiB': { t: 'send', id: 1, c: 1, d: new Uint8Array(2 ** 21) },
  };
  for (const [name, message] of Object.entries(wrong)) {
    t.test(name, async (t) => {
      const { route, clients, raw } = await against(t);
      raw.on('error', () => {});
      const { list, done } = answers();
      let reason: Error | undefined;
      route.onclose = (error) => {
        reason = error;
      };
      route.send(1, DATA, done);
      raw.write(cborCodec().encode(message));
      await until(() => reason);
      t.match(list, [[0, 1, /^not_connected: /]]);
      t.equal(route.open, false);
      t.equal(clients.received.length, 0);
    });
  }
});
