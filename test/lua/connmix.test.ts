import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { QueueMessage } from '../../src/engine/queues.js';
import { startTestEngine, type TestEngine, until } from '../support/engine.js';
import { WebClient } from '../support/websocket.js';

async function start(t: Test, entry: string, options = '{}'): Promise<TestEngine> {
  const test = await startTestEngine(
    { [entry]: readFileSync(`lua/${entry}`, 'utf8') },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: websocket, entry: ${entry}, options: ${options} }]`,
  );
  t.teardown(test.stop);
  return test;
}

function noScriptFailed(t: Test, test: TestEngine): void {
  const errors = test.log.filter(({ level }) => level === 'error');
  t.same(errors, [], 'no script failed');
}

/** A client that speaks JSON. */
async function join(test: TestEngine, path = '/') {
  const client = await WebClient.connect(test.port(), path);
  const ask = (request: unknown) => client.send(JSON.stringify(request));
  const told = async (n: number) => JSON.parse(String(await client.message(n)));
  return { client, ask, told };
}

t.test('entry.websocket: an echo that knows its clients', async (t) => {
  const test = await start(t, 'entry.websocket.lua');
  const ann = await WebClient.connect(test.port(), '/?name=ann');
  const stranger = await WebClient.connect(test.port());
  t.equal(await ann.message(1), 'hello ann');
  t.equal(await stranger.message(1), 'hello stranger');
  ann.send(Buffer.from([1, 2]));
  ann.send('bye');
  t.same(await ann.message(2), Buffer.from([1, 2]));
  t.equal(await ann.message(3), 'bye');
  t.same(await ann.end(), [1000, '2 messages']);
  stranger.ws.terminate();
  const left = () => test.log.map(({ message }) => message).filter((message) => message.includes(' left'));
  await until(() => left().length === 2);
  t.same(left().sort(), ['ann left', 'stranger left: closed by peer: 1006 no close frame']);
  noScriptFailed(t, test);
});

t.test('entry.chat: join, send, quit, and a broadcast from outside', async (t) => {
  const test = await start(t, 'entry.chat.lua');
  const [ann, bob] = [await join(test), await join(test)];
  ann.ask({ op: 'join', room: 1, name: 'ann' });
  t.same(await ann.told(1), { event: 'join', room: 1, name: 'ann' });
  bob.ask({ op: 'send', room: 1, text: 'let me in' });
  t.same(await bob.told(1), { event: 'error', error: 'not in this room' });
  bob.ask({ op: 'join', room: 1, name: 'bob' });
  t.same(await ann.told(2), { event: 'join', room: 1, name: 'bob' });
  t.same(await bob.told(2), { event: 'join', room: 1, name: 'bob' });
  bob.ask({ op: 'send', room: 1, text: 'grüß euch' });
  t.same(await ann.told(3), { event: 'message', room: 1, name: 'bob', text: 'grüß euch' });
  t.same(await test.engine.mesh.publish('room:1', { data: '{"event":"notice"}' }), { success: 2, fail: 0 });
  t.same(await ann.told(4), { event: 'notice' });
  bob.client.ws.terminate();
  t.same(await ann.told(5), { event: 'quit', room: 1, name: 'bob' });
  ann.ask({ op: 'join', room: 1, name: 'ann' });
  t.match(await ann.told(6), { error: 'already there' });
  ann.ask({ op: 'quit', room: 1 });
  await until(() => test.engine.channels.size === 0);
  for (const bad of [
    'no JSON',
    7,
    { op: 'join' },
    { op: 'join', room: 'a b', name: 'x' },
    { op: 'x', room: 1 },
  ])
    ann.ask(bad);
  for (let n = 7; n <= 11; n++) t.match(await ann.told(n), { error: 'an op and a room are needed' });
  noScriptFailed(t, test);
});

t.test('entry.message_center: log in by HTTP, then get what is published to the user', async (t) => {
  const login = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const good = JSON.parse(body).token === 'good';
      response.statusCode = good ? 200 : 401;
      response.end(good ? '{"user":7}' : '');
    });
  });
  login.listen(0, '127.0.0.1');
  await once(login, 'listening');
  t.teardown(() => login.close());
  const url = `http://127.0.0.1:${(login.address() as AddressInfo).port}/login`;
  const test = await start(t, 'entry.message_center.lua', `{ login: "${url}" }`);
  const [phone, laptop, thief] = [await join(test), await join(test), await join(test)];
  for (const device of [phone, laptop]) {
    device.ask({ op: 'login', token: 'good' });
    t.same(await device.told(1), { event: 'login', user: '7' });
  }
  phone.ask({ op: 'login', token: 'good' });
  t.match(await phone.told(2), { error: 'already logged in' });
  thief.ask({ op: 'read' });
  t.match(await thief.told(1), { event: 'error' });
  thief.ask({ op: 'login', token: 'guess' });
  t.same(await thief.client.end(), [4401, 'unknown token']);
  t.same(await test.engine.mesh.publish('user:7', { data: '"you have mail"' }), { success: 2, fail: 0 });
  t.equal(await laptop.told(2), 'you have mail');
  t.equal(await phone.told(3), 'you have mail');
  noScriptFailed(t, test);
});

t.test('entry.exchange: public channels for all, private ones after auth', async (t) => {
  const test = await start(t, 'entry.exchange.lua', '{ secret: s3cret }');
  const { ask, told } = await join(test);
  ask({ op: 'subscribe', channels: ['ticker.BTC-USD', 'trades.ETH-USD'], id: 1 });
  t.same(await told(1), { event: 'subscribe', id: 1 });
  const refused: [unknown[], string][] = [
    [['orders'], 'orders needs auth'],
    [['ticker.BTC-USD', 'orders.7'], 'no such channel: orders.7'],
    [[7], 'a channel is a string'],
    [[], '1 to 100 channels are needed'],
  ];
  for (const [i, [channels, error]] of refused.entries()) {
    ask({ op: 'subscribe', channels, id: i });
    t.same(await told(i + 2), { event: 'error', error, id: i });
  }
  const expires = Math.floor(Date.now() / 1000) + 60;
  const sign = (at: number, secret = 's3cret') =>
    createHash('sha1').update(`7:${at}:${secret}`).digest('hex');
  ask({ op: 'auth', account: '7', expires, sign: sign(expires, 'guess') });
  t.match(await told(6), { error: 'wrong sign' });
  ask({ op: 'auth', account: '7', expires: 1, sign: sign(1) });
  t.match(await told(7), { error: 'expired' });
  ask({ op: 'auth', account: '7', expires, sign: sign(expires) });
  t.same(await told(8), { event: 'auth' });
  ask({ op: 'subscribe', channels: ['orders', 'balance'] });
  t.same(await told(9), { event: 'subscribe' });
  t.same([...test.engine.client(1)!.channels!].sort(), [
    'balance.7',
    'orders.7',
    'ticker.BTC-USD',
    'trades.ETH-USD',
  ]);
  t.same(await test.engine.mesh.publish('orders.7', { data: '{"filled":1}' }), { success: 1, fail: 0 });
  t.same(await told(10), { filled: 1 });
  ask({ op: 'unsubscribe', channels: ['orders'] });
  t.same(await told(11), { event: 'unsubscribe' });
  t.same(await test.engine.mesh.publish('orders.7', { data: '{}' }), { success: 0, fail: 0 });
  noScriptFailed(t, test);
});

t.test('entry.worker_queue: a worker elsewhere says who a client is, and answers it', async (t) => {
  const test = await start(t, 'entry.worker_queue.lua', '{ topic: jobs }');
  const { queues, mesh } = test.engine;
  const jobs: QueueMessage[] = [];
  const connects: QueueMessage[] = [];
  queues.consume(['connect'], { ready: true, take: (message) => void connects.push(message) });
  queues.consume(['jobs'], {
    ready: true,
    take: (message) => {
      jobs.push(message);
      const { user, text } = message.data as { user: { name: string }; text: string };
      void mesh.send(message.client!, { data: `${user.name}: ${text.toUpperCase()}` });
    },
  });
  const client = await WebClient.connect(test.port(), '/?token=x', [], { headers: { Cookie: 'session=1' } });
  client.send('first');
  client.send('second');
  await until(() => connects.length === 1 && test.engine.client(1)!.messages === 1);
  t.match(connects[0], { client: 1, data: { uri: '/?token=x', cookie: 'session=1' } });
  t.same(jobs, [], 'nothing is handled before the worker knows the client');
  t.equal(await mesh.call(1, 'set_context_value', ['user', { name: 'ann' }]), undefined);
  t.equal(await client.message(1), 'ann: FIRST');
  t.equal(await client.message(2), 'ann: SECOND');
  noScriptFailed(t, test);
});
