import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import t, { type Test } from 'tap';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { makeCertificates } from '../support/certificates.js';
import { startTestEngine, until } from '../support/engine.js';
import { missing } from '../support/need.js';

/** A device that is a WebSocket server. */
async function device(t: Test, options: ServerOptions = {}) {
  const server = new WebSocketServer({ ...(!options.server && { port: 0, host: '127.0.0.1' }), ...options });
  const heard: { data: string; binary: boolean }[] = [];
  const requests: IncomingMessage[] = [];
  server.on('connection', (socket, request) => {
    requests.push(request);
    socket.on('message', (data, binary) => heard.push({ data: (data as Buffer).toString('latin1'), binary }));
    socket.on('error', () => {});
  });
  if (!server.options.server) await once(server, 'listening');
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const port = (): number => (server.address() as { port: number }).port;
  return { server, heard, requests, port, sockets: (): WebSocket[] => [...server.clients] };
}

const SCRIPT = `
function on_connect(id, conn) conn:send("hello") conn:send("\\255\\0") end
function on_message(msg, conn)
  mix.report("got", { type = msg.type, data = msg.data, finish = msg.finish })
  conn:send("re:" .. msg.data, msg.type)
end
function on_close(id, err) mix.report("closed", { err = err }) end`;

const link = (url: string, more = '') =>
  `links: [{ name: w, websocket: { url: '${url}'${more} }, entry: main.lua,
     reconnect: { minSeconds: 0.05, maxSeconds: 0.1 } }]`;

t.test('messages come whole and typed, and the device is found again', async (t) => {
  const { port, heard, requests, sockets } = await device(t, {
    handleProtocols: (offered) => (offered.has('meter.v2') ? 'meter.v2' : false),
  });
  const e = await startTestEngine(
    { 'main.lua': SCRIPT },
    link(
      `ws://127.0.0.1:${port()}/feed?key=s3cret`,
      ", headers: { Authorization: 'Bearer abc' }, subprotocols: [meter.v2, meter.v1]",
    ),
  );
  t.teardown(() => e.stop());
  await until(() => heard.length === 2);
  t.same(heard, [
    { data: 'hello', binary: false },
    { data: '\xff\0', binary: true },
  ]);
  t.match(requests[0], { url: '/feed?key=s3cret', headers: { authorization: 'Bearer abc' } });
  sockets()[0]!.send('text');
  sockets()[0]!.send(Buffer.from([1, 2]));
  await until(() => heard.length === 4);
  t.match(
    e.reports.map(({ values }) => values),
    [
      { type: 'text', data: 'text', finish: true },
      { type: 'binary', finish: true },
    ],
  );
  t.match(heard[3], { data: 're:\x01\x02', binary: true });
  sockets()[0]!.close(1012, 'restart');
  await until(() => requests.length === 2);
  t.match(e.reports[2], { deviceId: 'closed', values: { err: /1012/ } });
  t.notMatch(JSON.stringify(e.log), /s3cret/, 'what a URL may hold as a secret is not told');
});

t.test('its messages may be a stream for a protocol, requests and all', async (t) => {
  const { port, sockets, server } = await device(t);
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      // The answer comes in two messages.
      const [first, rest] = [`re:${String(data).slice(0, 3)}`, String(data).slice(3)];
      socket.send(Buffer.from(first));
      socket.send(Buffer.from(rest));
    });
  });
  const e = await startTestEngine(
    {
      'main.lua': `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { text = f } end }
function on_connect(id, conn)
  local reply, err = conn:request("question\\n", { timeout = 5 })
  mix.report("reply", { text = reply and reply.text, err = err })
end
function on_message(m) mix.report("said", m) end`,
    },
    link(`ws://127.0.0.1:${port()}`, ', stream: true'),
  );
  t.teardown(() => e.stop());
  await until(() => e.reports.length === 1);
  t.same(e.reports[0]!.values, { text: 're:question' });
  for (const part of ['a', 'b\nc', '\n']) sockets()[0]!.send(part);
  await until(() => e.reports.length === 3);
  t.same(
    e.reports.slice(1).map(({ values }) => values),
    [{ text: 'ab' }, { text: 'c' }],
  );
});

t.test('over TLS, trusted or not', { skip: missing('openssl', 'openssl') }, async (t) => {
  const { ca, server } = makeCertificates(t);
  const https = createServer({ cert: readFileSync(server.cert), key: readFileSync(server.key) });
  await once(https.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => https.close());
  const { heard } = await device(t, { server: https });
  const { port } = https.address() as { port: number };
  const url = `wss://localhost:${port}`;
  const e = await startTestEngine(
    { 'main.lua': SCRIPT },
    `links: [
      { name: trusts, websocket: { url: '${url}', tls: { ca: ${ca} } }, entry: main.lua },
      { name: strict, websocket: { url: '${url}' }, entry: main.lua }]`,
  );
  t.teardown(() => e.stop());
  await until(() => heard.length === 2);
  await until(() => e.log.some(({ at, message }) => at === 'strict' && /not trusted/.test(message)));
});

t.test('a server that is none, refuses or falls silent is told apart', async (t) => {
  const refusing = await device(t, { verifyClient: (_info, done) => done(false, 401) });
  const silent = await device(t, { autoPong: false });
  const big = await device(t);
  const one = (name: string, { port }: { port(): number }, more = '') =>
    `{ name: ${name}, websocket: { url: 'ws://127.0.0.1:${port()}'${more} }, entry: main.lua, limits: { frameBytes: 100 } }`;
  const e = await startTestEngine(
    { 'main.lua': SCRIPT },
    `links: [${one('refused', refusing)}, ${one('silent', silent, ', pingSeconds: 0.1')}, ${one('big', big)},
      { name: none, websocket: { url: 'ws://127.0.0.1:1' }, entry: main.lua }]`,
  );
  t.teardown(() => e.stop());
  const told = (name: string, pattern: RegExp): Promise<void> =>
    until(
      () => e.log.some(({ at, message }) => at === name && pattern.test(message)),
      () => JSON.stringify(e.log),
    );
  await told('refused', /did not open: .* answers 401/);
  await told('none', /did not open: .* refused the connection/);
  await told('silent', /ended: no answer to a ping within 0.1 s/);
  await until(() => big.sockets().length === 1);
  big.sockets()[0]!.send('x'.repeat(200));
  await told('big', /ended: a message is longer than 100 bytes/);
});
