import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { startEngineWithApi } from '../support/api.js';
import { until } from '../support/engine.js';
import { random as seeded } from '../support/random.js';
import { WebClient } from '../support/websocket.js';

const NOTHING = 'function on_connect() end';

/** A raw connection, what it received, and whether it is over. */
async function raw(port: number): Promise<{ socket: Socket; text: () => string; over: () => boolean }> {
  const socket = connect({ port, host: '127.0.0.1' });
  let [text, over] = ['', false];
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    over = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, text: () => text, over: () => over };
}

/** Status of a request with these headers, which fetch would not send. */
function statusOf(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1', path: '/v1/clients', headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

t.test('a name that was pointed at this machine is no way in', async (t) => {
  const api = await startEngineWithApi(NOTHING);
  t.teardown(api.stop);
  const { port } = api.api;
  t.equal(await statusOf(port, { host: `evil.example:${port}` }), 403);
  t.equal(await statusOf(port, { host: `localhost:${port}` }), 200);
  t.equal(await statusOf(port, { host: `[::1]:${port}` }), 200);
  t.equal(await statusOf(port, { host: `127.0.0.1:${port}`, origin: 'http://evil.example' }), 403);
  api.setAccess('{ open: true }');
  t.equal(await statusOf(port, { host: 'gateway.local' }), 200);
});

t.test('bodies that are too large are refused, told or counted', async (t) => {
  const api = await startEngineWithApi(NOTHING, { apiServer: '{ port: 0, limits: { bodyBytes: 10KiB } }' });
  t.teardown(api.stop);
  const large = JSON.stringify({ c: '1', d: 'x'.repeat(20_000) });
  t.match(await api.request('POST', '/v1/mesh/send', large), { status: 413, body: { code: 'too_large' } });

  const endless = await raw(api.api.port);
  endless.socket.write(
    'POST /v1/mesh/send HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  for (let i = 0; i < 200 && !endless.over(); i++) {
    endless.socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(endless.over);
  t.match(endless.text(), /^HTTP\/1.1 413 /);

  const claims = await raw(api.api.port);
  claims.socket.write(
    'POST /v1/mesh/send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n',
  );
  await until(() => claims.text().includes('413'));
  claims.socket.destroy();
  t.equal((await api.request('POST', '/v1/mesh/send', { c: '1', d: 'x' })).status, 200);
});

t.test('peers that send little by little are closed', async (t) => {
  const api = await startEngineWithApi(NOTHING, { apiServer: '{ port: 0, readTimeout: 1s }' });
  t.teardown(api.stop);
  const peers = await Promise.all([1, 2, 3].map(() => raw(api.api.port)));
  peers[1]!.socket.write('GET /v1/clients HT');
  peers[2]!.socket.write('POST /v1/mesh/send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{');
  const drip = setInterval(() => peers[2]!.socket.write(' '), 100);
  t.teardown(() => clearInterval(drip));
  await until(() => peers.every(({ over }) => over()));
  t.match(peers[1]!.text(), /^HTTP\/1.1 408 /);
  t.equal((await api.request('GET', '/v1/clients')).status, 200);
});

t.test('a probe of HTTP/1.0 without Host is answered, odd targets are too', async (t) => {
  const api = await startEngineWithApi(NOTHING);
  t.teardown(api.stop);
  for (const [head, status] of [
    ['GET /healthz HTTP/1.0', 200],
    ['GET //evil.example/healthz HTTP/1.1\r\nHost: 127.0.0.1', 404],
    ['GET http://evil.example/healthz HTTP/1.1\r\nHost: 127.0.0.1', 200],
    ['GET /healthz HTTP/1.1\r\nHost: a b', 400],
    ['GET /healthz HTTP/1.1\r\nHost: ', 403],
    ['GET /v1/../healthz HTTP/1.1\r\nHost: 127.0.0.1', 200],
    ['BREW /healthz HTTP/1.1\r\nHost: 127.0.0.1', 400],
    ['PATCH /healthz HTTP/1.1\r\nHost: 127.0.0.1', 405],
  ] as const) {
    const peer = await raw(api.api.port);
    peer.socket.write(`${head}\r\nConnection: close\r\n\r\n`);
    await until(peer.over);
    t.equal(Number(peer.text().split(' ')[1]), status, head);
  }
});

t.test('a peer that reads no answers is closed', async (t) => {
  const api = await startEngineWithApi(NOTHING, { apiServer: '{ port: 0, writeTimeout: 1s }' });
  t.teardown(api.stop);
  const peer = await raw(api.api.port);
  peer.socket.pause();
  const request = 'GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
  peer.socket.write(request.repeat(500));
  await until(() => api.api.counters.closedStalled === 1);
  peer.socket.destroy();
  t.equal((await api.request('GET', '/healthz')).status, 200);
});

t.test('more connections than the limit are refused and counted', async (t) => {
  const api = await startEngineWithApi(NOTHING, { apiServer: '{ port: 0, limits: { connections: 3 } }' });
  t.teardown(api.stop);
  const sockets = await Promise.all([1, 2, 3].map(() => WebClient.connect(api.api.port, '/ws/v1')));
  const fourth = await raw(api.api.port);
  await until(fourth.over);
  t.equal(api.api.counters.refusedConnections, 1);
  for (const { ws } of sockets) ws.close();
  await until(() => api.api.counters.webSockets.closed === 3);
  t.equal((await api.request('GET', '/v1/clients')).status, 200);
});

t.test('garbage on the port, and in frames, ends that connection only', async (t) => {
  const api = await startEngineWithApi(NOTHING);
  t.teardown(api.stop);
  const random = seeded(t);
  for (let i = 0; i < 20; i++) {
    const peer = await raw(api.api.port);
    peer.socket.write(random.bytes(1 + random.below(2000)));
    peer.socket.end();
    await until(peer.over);
  }
  for (let i = 0; i < 20; i++) {
    const ws = await WebClient.connect(api.api.port, '/ws/v1');
    // Behind the client's back: bytes that are no frames.
    (ws.ws as unknown as { _socket: Socket })._socket.write(random.bytes(1 + random.below(200)));
    (ws.ws as unknown as { _socket: Socket })._socket.end();
    await ws.end();
  }
  t.equal((await api.request('GET', '/v1/clients')).status, 200);
  await until(() => api.api.counters.webSockets.closed === 20);
});

t.test('a flood on one WebSocket does not keep others waiting', async (t) => {
  const api = await startEngineWithApi(NOTHING);
  t.teardown(api.stop);
  const flood = await WebClient.connect(api.api.port, '/ws/v1');
  for (let i = 0; i < 10_000; i++) flood.send('{"m":"mesh.send","p":{"c":"9","d":"x"},"i":1}');
  t.equal((await api.request('GET', '/healthz')).status, 200);
  await flood.message(10_000);
  flood.ws.close();
});

t.test('an upgrade to something else, and a head of endless headers', async (t) => {
  const api = await startEngineWithApi(NOTHING);
  t.teardown(api.stop);
  const other = await raw(api.api.port);
  other.socket.write('GET /ws/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  await until(other.over);
  t.match(other.text(), /^HTTP\/1.1 4\d\d /);
  const endless = await raw(api.api.port);
  endless.socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${'x-a: b\r\n'.repeat(5000)}\r\n`);
  await until(endless.over);
  t.match(endless.text(), /^HTTP\/1.1 431 /);
});
