import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { WebSocket } from 'ws';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { SOCKET_OPTIONS } from '../../src/transports/socketconnection.js';
import { listenWebSocket, type WebSocketListenOptions } from '../../src/transports/websocket.js';
import { WebSocketConnection } from '../../src/transports/websocketconnection.js';
import { FrameMaker, frameOf } from '../../src/transports/websocketframe.js';
import { WebClient } from '../support/websocket.js';
import { rawClient, upgradeRequest } from '../support/websocket-raw.js';
import { contract, type MakePair } from './contract.js';
import { CountingLogger } from './countinglogger.js';
import { Recorder } from './recorder.js';

const LOCAL = '127.0.0.1';

async function listen(
  t: { teardown(fn: () => unknown): unknown },
  options: Partial<WebSocketListenOptions> = {},
  log = silentLogger,
) {
  const recorders: Recorder[] = [];
  const listener = await listenWebSocket(
    { host: LOCAL, port: 0, ...options },
    (connection) => recorders.push(new Recorder(connection)),
    log,
  );
  t.teardown(async () => {
    await listener.close();
    for (const { connection } of recorders) connection.destroy();
  });
  return { listener, recorders, port: listener.port };
}

/** The same class at the client's end, which masks what it sends (RFC 6455, 5.3), as the library does. */
class ClientEnd extends WebSocketConnection {
  constructor(
    private readonly client: WebSocket,
    private readonly below: Socket,
    stream: boolean,
  ) {
    const settings = { stream, messageBytes: 65_536, frames: new FrameMaker(), forget: () => {} };
    super(client, below, settings, undefined);
  }

  override write(bytes: Uint8Array): void {
    if (this.closed) return;
    // As the class does; and Node tells no end of a queue that never was.
    this.below.cork();
    this.client.send(bytes);
    setImmediate(() => this.below.uncork());
  }
}

function pairs(stream: boolean): MakePair {
  return async () => {
    let accept!: (connection: Connection) => void;
    const accepted = new Promise<Connection>((resolve) => {
      accept = resolve;
    });
    const options = { host: LOCAL, port: 0, stream, messageBytes: 2 ** 20 };
    const listener = await listenWebSocket(options, accept, silentLogger);
    let socket!: Socket;
    const client = new WebSocket(`ws://${listener.address}`, {
      perMessageDeflate: false,
      createConnection: () => {
        socket = new Socket(SOCKET_OPTIONS).connect(listener.port, LOCAL);
        return socket;
      },
    });
    const opened = new Promise<Connection>((resolve) => {
      client.once('open', () => resolve(new ClientEnd(client, socket, stream)));
    });
    const pair: [Connection, Connection] = [await opened, await accepted];
    await listener.close();
    return pair;
  };
}

contract(t, 'websocket', pairs(false), { peerSeesEnd: true, lossless: true });
contract(t, 'websocket as a stream', pairs(true), { peerSeesEnd: true, lossless: true });

t.test('frames have the length forms of RFC 6455, 5.2, and the last one is kept', async (t) => {
  const heads = [0, 125, 126, 65_535, 65_536].map((length) => {
    const frame = frameOf(new Uint8Array(length), false);
    return frame.subarray(0, frame.length - length).toString('hex');
  });
  t.same(heads, ['8200', '827d', '827e007e', '827effff', '827f0000000000010000']);
  const maker = new FrameMaker();
  const bytes = Buffer.from('grün');
  const text = maker.make(bytes, undefined);
  t.equal(text.toString('hex'), `8105${bytes.toString('hex')}`);
  t.equal(maker.make(bytes, undefined), text);
  t.equal(maker.make(bytes, 'binary')[0], 0x82);
  t.equal(maker.make(Buffer.from([0xff]), 'text')[0], 0x82, 'what is no UTF-8 is no text');
});

t.test('handshakes that are refused', async (t) => {
  const log = new CountingLogger();
  const { listener, port, recorders } = await listen(
    t,
    {
      path: '/chat',
      origins: ['https://*.example.com', 'http://localhost'],
      subprotocols: ['b', 'a'],
    },
    log,
  );
  const refused = (path: string, subprotocols: string[], origin?: string) =>
    WebClient.connect(port, path, subprotocols, origin === undefined ? {} : { origin }).then(
      () => 'accepted',
      (error) => (error as Error).message.replace('Unexpected server response: ', ''),
    );
  t.equal(await refused('/', ['a']), '404');
  t.equal(await refused('/chat/', ['a']), '404');
  t.equal(await refused('/chat?room=1', ['a']), 'accepted');
  t.equal(await refused('/chat', ['c']), '400');
  t.equal(await refused('/chat', []), '400');
  t.equal(await refused('/chat', ['a'], 'https://example.com'), '403');
  t.equal(await refused('/chat', ['a'], 'https://evil.com/.example.com.evil'), '403');
  t.equal(await refused('/chat', ['a'], 'https://shop.EXAMPLE.com'), 'accepted');
  const client = await WebClient.connect(port, '/chat', ['a', 'b'], { origin: 'http://localhost' });
  t.equal(client.ws.protocol, 'b', 'ours comes first');
  const handshake = recorders.at(-1)!.connection.takeHandshake!()!;
  t.match(handshake, { method: 'GET', uri: '/chat', httpVersion: '1.1', subprotocol: 'b' });
  t.equal(handshake.headers.origin, 'http://localhost');
  t.equal(recorders.at(-1)!.connection.takeHandshake!(), undefined, 'told once');
  t.match(listener.counters, { accepted: 3, refusedHandshakes: 6 });
  t.equal(log.lines.warn.length, 1, 'logged at a bounded rate');
});

t.test('what is no handshake is answered and counted', async (t) => {
  const { listener, port } = await listen(t);
  const answer = async (request: string | Buffer) => (await rawClient(port, request)).toString('latin1');
  const plain = await answer('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(plain, /^HTTP\/1\.1 426 Upgrade Required\r\n[\s\S]*This port speaks WebSocket only/);
  t.match(await answer('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc'), /^HTTP\/1\.1 426/);
  t.match(
    await answer(upgradeRequest({ 'Sec-WebSocket-Version': '7' })),
    /400[\s\S]*Sec-WebSocket-Version: 13/,
  );
  t.match(await answer(upgradeRequest({ 'Sec-WebSocket-Key': 'short' })), /^HTTP\/1\.1 400/);
  t.match(await answer(upgradeRequest({ Upgrade: 'h2c' })), /^HTTP\/1\.1 400/);
  t.match(await answer(upgradeRequest({ 'X-Long': 'x'.repeat(20_000) })), /^HTTP\/1\.1 431/);
  t.match(await answer('no HTTP at all\r\n\r\n'), /^HTTP\/1\.1 400/);
  t.match(listener.counters, { accepted: 0, refusedHandshakes: 7 });
});

t.test('too many connections, and too many a second', async (t) => {
  const few = await listen(t, { connections: 2 });
  for (let i = 0; i < 2; i++) await WebClient.connect(few.port);
  await t.rejects(WebClient.connect(few.port));
  t.match(few.listener.counters, { accepted: 2, refusedLimit: 1 });
  const slow = await listen(t, { acceptsPerSecond: 1 });
  await WebClient.connect(slow.port);
  await t.rejects(WebClient.connect(slow.port));
  t.match(slow.listener.counters, { accepted: 1, refusedRate: 1 });
});

t.test('a slow handshake is answered 408, and takes no place for long', async (t) => {
  const { listener, port } = await listen(t, { handshakeSeconds: 1, connections: 2 });
  const silent = connect(port, LOCAL);
  const drip = connect(port, LOCAL);
  for (const socket of [silent, drip]) socket.on('error', () => {});
  const closes = [once(silent, 'close'), once(drip, 'close')];
  silent.resume();
  let received = '';
  drip.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  const letters = upgradeRequest()[Symbol.iterator]();
  const dripping = setInterval(() => drip.write(letters.next().value ?? ''), 50);
  t.teardown(() => clearInterval(dripping));
  await Promise.all(closes);
  t.match(received, /^HTTP\/1\.1 408/);
  t.equal(listener.counters.refusedHandshakes, 2);
  await WebClient.connect(port);
});

t.test('a peer that answers no ping is closed; one that does stays', async (t) => {
  const { port, recorders } = await listen(t, { pingSeconds: 1 });
  const [alive, dead] = [await WebClient.connect(port), await WebClient.connect(port)];
  dead.ws.pause();
  const error = await recorders[1]!.closed();
  t.match(error, { code: 'timeout', message: 'no answer to a ping within 1 s' });
  t.notOk(recorders[0]!.connection.closed);
  t.equal(alive.closed, undefined);
  dead.ws.terminate();
});

t.test('nobody is blamed for silence while the reader pauses', async (t) => {
  const { port, recorders } = await listen(t, { pingSeconds: 0.1 });
  const client = await WebClient.connect(port);
  recorders[0]!.connection.pause();
  client.send('late');
  await pause(500);
  t.notOk(recorders[0]!.connection.closed);
  recorders[0]!.connection.resume();
  t.equal(await recorders[0]!.text(4), 'late');
});

t.test('what came before the peer left is not lost to a pause', async (t) => {
  const { port, recorders } = await listen(t);
  const client = await WebClient.connect(port);
  const [recorder] = recorders as [Recorder];
  recorder.onData = () => recorder.connection.pause();
  for (let i = 0; i < 5; i++) client.send(String(i));
  client.ws.close(3000, 'gone');
  t.match(await recorder.closed(), { code: 'closed', message: 'closed by peer: 3000 gone' });
  t.equal(recorder.received.toString(), '01234');
});

t.test('close codes', async (t) => {
  const { port, recorders } = await listen(t);
  const cases: [(client: WebClient) => void, string | undefined][] = [
    [({ ws }) => ws.close(), undefined],
    [({ ws }) => ws.close(1000, 'done'), undefined],
    [({ ws }) => ws.close(1001), 'closed by peer: 1001 going away'],
    [({ ws }) => ws.close(4321), 'closed by peer: 4321'],
    [({ ws }) => ws.terminate(), 'closed by peer: 1006 no close frame'],
  ];
  for (const [i, [leave, expected]] of cases.entries()) {
    leave(await WebClient.connect(port));
    t.equal((await recorders[i]!.closed())?.message, expected);
  }
  const client = await WebClient.connect(port);
  recorders.at(-1)!.connection.end(4000, 'go');
  t.same(await client.end(), [4000, 'go']);
  t.equal(await recorders.at(-1)!.closed(), undefined);
});

t.test('compression, when it is on', async (t) => {
  const { port, recorders } = await listen(t, { compression: true, messageBytes: 100_000 });
  const client = await WebClient.connect(port, '/', [], { perMessageDeflate: true });
  t.match(client.ws.extensions, 'permessage-deflate');
  const text = 'moon'.repeat(5000);
  client.send(text);
  t.equal(await recorders[0]!.text(text.length), text);
  recorders[0]!.connection.write(Buffer.from(text), 'text');
  recorders[0]!.connection.write(Buffer.from('short'), 'text');
  recorders[0]!.connection.write(Buffer.from([0xff]), 'text');
  t.equal(await client.message(1), text);
  t.equal(await client.message(2), 'short');
  t.same(await client.message(3), Buffer.from([0xff]));
  client.send(Buffer.alloc(100_001));
  t.match(await client.end(), [1009]);
  t.match(await recorders[0]!.closed(), { code: 'too_large' });
  const plain = await WebClient.connect(port);
  t.equal(plain.ws.extensions, '', 'who does not ask for it is served without');
});

t.test('inflating into a paused reader has a bound', async (t) => {
  const { port, recorders } = await listen(t, { compression: true, messageBytes: 2 ** 20 });
  const client = await WebClient.connect(port, '/', [], { perMessageDeflate: true });
  const { connection } = recorders[0]!;
  recorders[0]!.onData = () => connection.pause();
  connection.pause();
  // A megabyte of zeros is a kilobyte when compressed: once all have left, they are read at once.
  const sent = Array.from({ length: 20 }, () => {
    return new Promise((resolve) => client.ws.send(Buffer.alloc(2 ** 20), resolve));
  });
  await Promise.all(sent);
  connection.resume();
  t.match(await recorders[0]!.closed(), { code: 'overloaded' });
});

t.test('what is held is delivered one by one, and not after the end', async (t) => {
  const { port, recorders } = await listen(t);
  const client = await WebClient.connect(port);
  const [recorder] = recorders as [Recorder];
  recorder.onData = () => recorder.connection.pause();
  for (let i = 0; i < 10; i++) client.send(`${i}`);
  for (let n = 1; n <= 5; n++) {
    await recorder.until(({ chunks }) => chunks.length === n);
    await pause(5);
    t.equal(recorder.chunks.length, n);
    recorder.connection.resume();
  }
  recorder.onData = () => recorder.connection.destroy();
  await recorder.closed();
  t.ok(recorder.chunks.length <= 7, 'the rest was dropped');
  t.equal(recorder.received.toString(), '0123456'.slice(0, recorder.chunks.length));
});
