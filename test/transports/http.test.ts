import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { type HttpListenOptions, type HttpTakers, listenHttp } from '../../src/transports/http.js';
import type { HttpConnection } from '../../src/transports/httpconnection.js';
import { until } from '../support/engine.js';
import { random } from '../support/random.js';
import { Recorder } from './recorder.js';

const LOCAL = '127.0.0.1';

/** Answers each request with its method, target and body; tells others what they sent. */
async function listen(t: Test, options: Partial<HttpListenOptions> = {}, takers: Partial<HttpTakers> = {}) {
  const recorders: Recorder[] = [];
  const serve = (connection: Connection) => {
    const recorder = new Recorder(connection);
    recorders.push(recorder);
    recorder.onData = (bytes) => connection.write(Buffer.concat([Buffer.from('own:'), bytes]));
  };
  const http: HttpConnection[] = [];
  const answer = (connection: Connection) => {
    const one = connection as HttpConnection;
    http.push(one);
    connection.attach({
      data: (body) => {
        const { method, url } = one.request!;
        setImmediate(() => one.answer(200, {}, Buffer.from(`${method} ${url} ${Buffer.from(body)};`)));
      },
      close: () => {},
    });
  };
  const listener = await listenHttp(
    { host: LOCAL, port: 0, sniffSeconds: 30, ...options },
    { requests: { bodyBytes: 1000, onConnection: answer }, others: serve, ...takers },
    silentLogger,
  );
  t.teardown(async () => {
    await listener.close();
    for (const { connection } of recorders) connection.destroy();
    for (const connection of http) connection.destroy();
  });
  return { listener, recorders, http, counters: listener.counters, sniffed: listener.counters.sniffed! };
}

class Raw {
  text = '';
  closed = false;

  constructor(readonly socket: Socket) {
    socket.setNoDelay().on('error', () => {});
    socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(t: Test, port: number): Promise<Raw> {
    const socket = connect(port, LOCAL);
    t.teardown(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Raw(socket);
  }

  until(pattern: RegExp): Promise<void> {
    return until(
      () => pattern.test(this.text),
      () => `${pattern} in ${this.text}`,
    );
  }

  end(): Promise<void> {
    return until(
      () => this.closed,
      () => `open, after ${this.text}`,
    );
  }
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;

t.test('one port: requests, and what is none, however they are split', async (t) => {
  const { below, pick } = random(t);
  const { listener, recorders, sniffed } = await listen(t);
  const said = [
    { bytes: get('/x'), answer: /200 OK[\s\S]*GET \/x ;/ },
    { bytes: 'POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody', answer: /POST \/y body;/ },
    { bytes: 'GET temperature\r\n', answer: 'GET temperature\r\n' },
    { bytes: '\x78\x78\x01\x02\x03\x0d\x0a', answer: 'xx\x01\x02\x03\r\n' },
  ];
  for (let round = 0; round < 40; round++) {
    const { bytes, answer } = pick(said);
    const client = await Raw.connect(t, listener.port);
    const all = Buffer.from(bytes, 'latin1');
    for (let at = 0; at < all.length; ) {
      const next = Math.min(all.length, at + 1 + below(below(2) === 0 ? 2 : 12));
      client.socket.write(all.subarray(at, next));
      at = next;
      if (below(3) > 0) await pause(1);
    }
    // What is none comes back in pieces.
    if (typeof answer === 'string') await until(() => client.text.replaceAll('own:', '') === answer);
    else await client.until(answer);
    client.socket.destroy();
  }
  for (const recorder of recorders) {
    await recorder.closed();
    const own = said.map(({ bytes }) => bytes).slice(2);
    t.ok(own.includes(recorder.received.toString('latin1')), 'whole');
  }
  t.equal(sniffed.http + sniffed.own, 40);
  t.equal(sniffed.own, recorders.length);
});

t.test('who says nothing, or too little, speaks what the server speaks otherwise', async (t) => {
  const { listener, recorders, sniffed } = await listen(t, { sniffSeconds: 0.1 });
  const silent = await Raw.connect(t, listener.port);
  await until(() => recorders.length === 1);
  recorders[0]!.connection.write(Buffer.from('welcome'));
  await silent.until(/welcome/);
  silent.socket.write('GET / HTTP/1.1\r\n');
  await silent.until(/own:GET \/ HTTP/);

  const slow = await Raw.connect(t, listener.port);
  slow.socket.write('GE');
  await slow.until(/own:GE$/);
  t.match(sniffed, { silent: 1, slow: 1, http: 0 });
});

t.test('a peer that drips is held for a bounded time, not for as long as it drips', async (t) => {
  const { listener, sniffed } = await listen(t, { sniffSeconds: 0.5 });
  const client = await Raw.connect(t, listener.port);
  client.socket.write('GET /');
  const drip = setInterval(() => client.socket.write('a'), 20);
  t.teardown(() => clearInterval(drip));
  await client.until(/^own:GET \/a/);
  t.equal(sniffed.slow, 1);
});

t.test('who leaves before it is known leaves nothing', async (t) => {
  const { listener, recorders, sniffed } = await listen(t);
  const mute = await Raw.connect(t, listener.port);
  mute.socket.end();
  await mute.end();
  const reset = await Raw.connect(t, listener.port);
  reset.socket.write('GE');
  await pause(20);
  reset.socket.resetAndDestroy();
  await until(() => sniffed.left === 2);
  const short = await Raw.connect(t, listener.port);
  short.socket.end('GE');
  await until(() => recorders.length === 1);
  await recorders[0]!.closed();
  t.equal(recorders[0]!.received.toString(), 'GE', 'what it said is not lost');
});

t.test('closing ends those of whom nothing is known, and those whose request is to come', async (t) => {
  const { listener } = await listen(t);
  const clients = [];
  for (const begin of ['', 'GE', 'GET / HTTP/1.1\r\n']) {
    const client = await Raw.connect(t, listener.port);
    client.socket.write(begin);
    clients.push(client);
  }
  await pause(50);
  await listener.close();
  for (const client of clients) await client.end();
  t.pass('all are closed');
});

t.test('requests that come at once are answered in their order', async (t) => {
  const { listener } = await listen(t);
  const client = await Raw.connect(t, listener.port);
  const paths = Array.from({ length: 30 }, (_, n) => `/${n}`);
  client.socket.write(paths.map((path) => get(path)).join(''));
  await client.until(/GET \/29 ;/);
  t.same(
    [...client.text.matchAll(/GET (\/\d+) ;/g)].map(([, path]) => path),
    paths,
  );
  client.socket.write(get('/last', 'Connection: close\r\n'));
  await client.end();
  t.match(client.text, /GET \/last ;$/);
});

t.test('too many at once end the connection', async (t) => {
  const { listener, counters } = await listen(t);
  const client = await Raw.connect(t, listener.port);
  client.socket.write(get('/').repeat(500));
  await client.end();
  t.equal(counters.refusedRequests, 1);
});

t.test('bodies have a limit, however they come', async (t) => {
  const { listener, counters } = await listen(t);
  const post = (headers: string, body: string) => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
  const chunks = (...texts: string[]) =>
    [...texts, ''].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('');
  const big = 'x'.repeat(1001);
  for (const [headers, body, answer] of [
    ['Content-Length: 1000', big.slice(1), /200 OK/],
    [
      'Content-Length: 1001',
      big,
      /413 Payload Too Large[\s\S]*Connection: close|Connection: close[\s\S]*413/,
    ],
    ['Transfer-Encoding: chunked', chunks('a', 'bc'), /POST \/ abc;/],
    ['Transfer-Encoding: chunked', chunks('a', big), /413 /],
    ['Content-Length: 3\r\nExpect: 100-continue', 'abc', /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200/],
    ['Content-Length: 1001\r\nExpect: 100-continue', '', /^HTTP\/1.1 413/],
    ['Content-Length: 3\r\nExpect: wonders', 'abc', /417 Expectation Failed/],
  ] as const) {
    const client = await Raw.connect(t, listener.port);
    client.socket.write(post(headers, body));
    await client.until(answer);
    client.socket.destroy();
    t.pass(headers);
  }
  t.equal(counters.refusedRequests, 3);
});

t.test('what a proxy could take for something else is refused', async (t) => {
  const { listener } = await listen(t, {}, { others: undefined });
  for (const [name, bytes] of Object.entries({
    'two lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'a length and chunks':
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'chunks and a length':
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n',
    'chunks that are not the last coding':
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'a bare LF after a header': 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n',
    'a bare CR in a header': 'GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n',
    'a blank before the colon': 'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
    'a folded header': 'GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n\r\n'.replace('Host: a', 'Host: a\r\nY:\x00'),
    'a length with a sign': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na',
    'a chunk with a bad length':
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n',
    'no host': 'GET / HTTP/1.1\r\n\r\n',
    'no HTTP': '\x78\x78\x01\x02\x03\x0d\x0a',
  })) {
    const client = await Raw.connect(t, listener.port);
    client.socket.write(`${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.end();
    t.match(client.text, /^HTTP\/1\.1 400 /, name);
    t.notMatch(client.text, /smuggled/, name);
  }
});

t.test('headers and time have limits', async (t) => {
  const { listener, counters } = await listen(t, { handshakeSeconds: 1 });
  const long = await Raw.connect(t, listener.port);
  long.socket.write(get('/', `X: ${'x'.repeat(20_000)}\r\n`));
  await long.end();
  t.match(long.text, /^HTTP\/1\.1 431 /);
  const loris = await Raw.connect(t, listener.port);
  loris.socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
  const drip = setInterval(() => loris.socket.write('X-A: b\r\n'), 50);
  t.teardown(() => clearInterval(drip));
  const body = await Raw.connect(t, listener.port);
  body.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab');
  await loris.end();
  await body.end();
  t.match(loris.text, /^HTTP\/1\.1 408 /);
  t.match(body.text, /^HTTP\/1\.1 408 /);
  t.equal(counters.refusedRequests, 3);
});

t.test('what is no HTTP after a request does not harm its answer', async (t) => {
  const { listener } = await listen(t);
  const client = await Raw.connect(t, listener.port);
  client.socket.write(`${get('/first')}\x00\x01\x02 nonsense\r\n\r\n`);
  await client.end();
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*GET \/first ;/);
  t.equal(client.text.match(/HTTP\/1\.1/g)?.length, 1, 'one answer');
});

t.test('HEAD, HTTP/1.0, and ends', async (t) => {
  const { listener, http } = await listen(t);
  const head = await Raw.connect(t, listener.port);
  head.socket.write('HEAD /h HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await head.end();
  t.match(head.text, /Content-Length: 9\r\n[\s\S]*\r\n\r\n$/, 'the length of the body, without it');
  const old = await Raw.connect(t, listener.port);
  old.socket.write('GET /old HTTP/1.0\r\n\r\n');
  await old.end();
  t.match(old.text, /GET \/old ;$/);
  const ended = await Raw.connect(t, listener.port);
  ended.socket.write(get('/a'));
  await ended.until(/GET \/a ;/);
  http.at(-1)!.end();
  await ended.end();
  t.pass('an idle connection ends at once');
});
