import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { makeCertificates } from '../support/certificates.js';
import { Device, startTestEngine, until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { OpensslClient } from '../support/openssl.js';
import { random } from '../support/random.js';

const run = promisify(execFile);
const needs = { skip: missing('curl', 'curl') || missing('openssl', 'openssl') };

/** Lines with a protocol module, which is compiled; WebSockets and requests beside them. */
const SCRIPT = `
protocol = {
  name = "lines",
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(line, session)
    session.n = (session.n or 0) + 1
    return { line = line, n = session.n }
  end,
  encode = function(msg, session)
    session.sent = (session.sent or 0) + 1
    return "<" .. (msg.text or "?") .. session.sent .. ">"
  end,
  reply = function(msg) return "ack " .. msg.n .. "\\n" end,
}
function on_connect(id, conn) print("connect") end
function on_handshake(id, headers, server, conn) conn:subscribe("news") conn:send("welcome") end
function on_message(msg, conn)
  if msg.type then
    if msg.data == "table" then conn:send{ text = "ws" } else conn:send(msg.type .. ":" .. msg.data) end
  else
    conn:send("line " .. msg.line .. (conn:tls() and " tls" or "") .. "\\n")
    if msg.line == "table" then conn:send{ text = "tcp" } end
  end
end
function on_request(req, conn)
  if req.path == "/news" then return tostring(mix.mesh.publish("news", { text = req.body })) end
  return { json = { path = req.path, tls = conn:tls() ~= nil } }
end
function on_close(id) print("close") end`;

async function start(t: Test, settings = '', script = SCRIPT) {
  const test = await startTestEngine(
    { 'main.lua': script },
    `servers: [{ name: all, port: 0, bind: 127.0.0.1, protocol: auto, entry: main.lua, ${settings} }]`,
  );
  t.teardown(test.stop);
  const { counters } = test.engine.servers[0]!.listener!;
  return { ...test, counters, station: test.engine.servers[0]!.station, sniffed: () => counters.sniffed! };
}

async function webSocket(t: Test, url: string, options = {}) {
  const client = new WebSocket(url, options);
  const messages: string[] = [];
  client.on('message', (data) => messages.push(data.toString()));
  t.teardown(() => client.terminate());
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
  return { client, messages };
}

t.test('lines, requests and WebSockets on one port', needs, async (t) => {
  const { port, sniffed, log, station } = await start(t, 'limits: { sniffSeconds: 60 }');
  const device = await Device.connect(port());
  device.send('GET one\ntable\n');
  await device.until((text) => text.endsWith('line table\n<tcp1>ack 2\n'));
  t.equal(device.text, 'line GET one\nack 1\nline table\n<tcp1>ack 2\n');

  const { client, messages } = await webSocket(t, `ws://127.0.0.1:${port()}/chat`);
  client.send('hello');
  client.send('table');
  await until(() => messages.length === 3);
  t.same(messages, ['welcome', 'text:hello', '<ws1>']);

  const { stdout } = await run('curl', ['-s', '-m', '20', '-d', 'all', `http://127.0.0.1:${port()}/news`]);
  t.equal(stdout, '1');
  await until(() => messages.length === 4);
  t.equal(messages[3], '<all1>');

  t.match(sniffed(), { http: 2, own: 1 });
  device.socket.destroy();
  client.terminate();
  await until(() => station.clients.size === 0);
  const printed = log.map(({ message }) => message).filter((text) => /^(connect|close)$/.test(text));
  t.same(printed.sort(), ['close', 'close', 'connect', 'connect'], 'a request is neither');
});

t.test('an upgrade on a connection that served a request', async (t) => {
  const { port, engine, station } = await start(t, 'limits: { sniffSeconds: 60 }');
  const device = await Device.connect(port());
  const upgrade =
    'GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  device.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
  await device.until((text) => text.includes('"path"'));
  device.send(upgrade);
  await device.until((text) => text.includes(' 101 ') && text.includes('welcome'));
  await until(() => engine.clients.size === 1);
  t.equal([...station.clients][0]!.connection.transport, 'websocket', 'the client of the request is gone');

  const hasty = await Device.connect(port());
  hasty.send(`GET /a HTTP/1.1\r\nHost: a\r\n\r\n${upgrade}`);
  await until(() => hasty.closed);
  t.notMatch(hasty.text, / 101 /, 'no answer is overtaken');
});

t.test('with TLS and without, on the same port', needs, async (t) => {
  const certificates = makeCertificates(t);
  const { cert, key } = certificates.server;
  const { port, sniffed, counters } = await start(
    t,
    `tls: { cert: ${cert}, key: ${key}, plain: true }, limits: { sniffSeconds: 60 }`,
  );
  const ca = readFileSync(certificates.ca);

  const openssl = OpensslClient.start(t, port(), '-CAfile', certificates.ca, '-quiet');
  openssl.send('hello');
  await openssl.until(/line hello tls\nack 1/);
  const device = await Device.connect(port());
  device.send('hello\n');
  await device.until((text) => text === 'line hello\nack 1\n');

  const ask = async (url: string) =>
    JSON.parse((await run('curl', ['-s', '-m', '20', '--cacert', certificates.ca, url])).stdout);
  t.same(await ask(`https://localhost:${port()}/x`), { path: '/x', tls: true });
  t.same(await ask(`http://localhost:${port()}/y`), { path: '/y', tls: false });
  for (const [url, options] of [
    [`wss://localhost:${port()}/`, { ca }],
    [`ws://localhost:${port()}/`, {}],
  ] as const) {
    const { messages } = await webSocket(t, url, options);
    await until(() => messages[0] === 'welcome');
  }
  t.match(sniffed(), { tls: 3, own: 2, http: 4 });

  // What begins as TLS and is none is refused as such; it never reaches the script.
  const odd = await Device.connect(port());
  odd.send(Buffer.from('160301000501000000ff', 'hex'));
  await until(() => odd.closed);
  t.equal(counters.refusedHandshakes, 1);
});

t.test('a ClientHello that drips in', needs, async (t) => {
  const certificates = makeCertificates(t);
  const { cert, key } = certificates.server;
  const { port, sniffed } = await start(
    t,
    `tls: { cert: ${cert}, key: ${key}, plain: true }, limits: { sniffSeconds: 60 }`,
  );
  const device = await Device.connect(port());
  // TLS over a stream that hands its bytes on one by one.
  const { Duplex } = await import('node:stream');
  const slow = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      const next = (at: number): void => {
        if (at === chunk.length) done();
        else device.socket.write(chunk.subarray(at, at + 1), () => setImmediate(next, at + 1));
      };
      next(0);
    },
  });
  device.socket.on('data', (bytes) => slow.push(bytes));
  const secure = connectTls({ socket: slow, ca: readFileSync(certificates.ca), servername: 'localhost' });
  let text = '';
  secure.on('data', (bytes) => {
    text += bytes;
  });
  secure.on('error', () => {});
  secure.write('GET drip\n');
  await until(() => text === 'line GET drip tls\nack 1\n');
  t.match(sniffed(), { tls: 1, own: 1 });
});

t.test('TLS and plain for servers that speak one protocol', needs, async (t) => {
  const certificates = makeCertificates(t);
  const { cert, key } = certificates.server;
  const tls = `tls: { cert: ${cert}, key: ${key}, plain: true }`;
  const test = await startTestEngine(
    { 'main.lua': SCRIPT },
    `servers:
  - { name: a, port: 0, bind: 127.0.0.1, protocol: socket, entry: main.lua, ${tls}, limits: { sniffSeconds: 0.2 } }
  - { name: b, port: 0, bind: 127.0.0.1, protocol: websocket, entry: main.lua, ${tls} }`,
  );
  t.teardown(test.stop);
  const device = await Device.connect(test.port(0));
  await until(
    () => test.engine.clients.size === 1,
    () => 'a silent one counts as one without TLS',
  );
  device.send('GET / HTTP/1.1\n');
  await device.until((text) => text === 'line GET / HTTP/1.1\nack 1\n');
  const openssl = OpensslClient.start(t, test.port(0), '-quiet');
  openssl.send('hello');
  await openssl.until(/line hello tls/);
  const ca = readFileSync(certificates.ca);
  for (const [url, options] of [
    [`wss://localhost:${test.port(1)}/`, { ca }],
    [`ws://localhost:${test.port(1)}/`, {}],
  ] as const) {
    const { messages } = await webSocket(t, url, options);
    await until(() => messages[0] === 'welcome');
  }
});

t.test('200 clients of all kinds at once', async (t) => {
  const { pick, below } = random(t);
  const { port, station, sniffed } = await start(t, 'limits: { sniffSeconds: 60 }');
  const kinds = { line: 0, http: 0, websocket: 0 };
  const one = async (n: number): Promise<void> => {
    const kind = pick(['line', 'http', 'websocket'] as const);
    kinds[kind]++;
    if (kind === 'websocket') {
      const { client, messages } = await webSocket(t, `ws://127.0.0.1:${port()}/${n}`);
      client.send(`m${n}`);
      await until(() => messages.includes(`text:m${n}`));
      client.close();
      return;
    }
    const device = await Device.connect(port());
    const said =
      kind === 'line' ? `line${n}\n` : `GET /p${n} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    for (let at = 0; at < said.length; ) {
      const next = at + 1 + below(said.length);
      device.send(said.slice(at, next));
      at = next;
      if (below(2) === 0) await new Promise((resolve) => setTimeout(resolve, below(5)));
    }
    await device.until((text) => text.includes(kind === 'line' ? `line line${n}\nack 1` : `"/p${n}"`));
    device.socket.destroy();
  };
  await Promise.all(Array.from({ length: 200 }, (_, n) => one(n)));
  t.match(sniffed(), { own: kinds.line, http: kinds.http + kinds.websocket, slow: 0, silent: 0 });
  await until(() => station.clients.size === 0);
});

t.test('one script for requests by HTTP and by CoAP', async (t) => {
  const { coap } = await import('../../src/codecs/coap.js');
  const { createSocket } = await import('node:dgram');
  const script = `
function on_request(req, conn)
  if req.method ~= "POST" then return nil, "forbidden: POST only" end
  if req.content_type and not req.content_type:find("json") then return { status = 415 } end
  return { status = 201, json = { at = req.path, got = mix.json_decode(req.body).v, id = req.query.id } }
end`;
  const test = await startTestEngine(
    { 'main.lua': script },
    `servers:
  - { name: web, port: 0, bind: 127.0.0.1, protocol: http, entry: main.lua }
  - { name: coap, port: 0, bind: 127.0.0.1, protocol: coap, entry: main.lua }`,
  );
  t.teardown(test.stop);
  const device = await Device.connect(test.port(0));
  device.send(
    'POST /report?id=7 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"v":1}',
  );
  await device.until((text) => text.includes('}'));
  const [, body] = device.text.split('\r\n\r\n');
  t.match(device.text, /^HTTP\/1\.1 201 /);
  t.same(JSON.parse(body!), { at: '/report', got: 1, id: '7' });

  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const ask = (more: object) =>
    new Promise<Record<string, unknown>>((resolve) => {
      socket.once('message', (bytes) => resolve(coap.decode(bytes) as Record<string, unknown>));
      socket.send(
        coap.encode({
          type: 'CON',
          message_id: Math.floor(Math.random() * 65_536),
          token: 't',
          ...more,
        }) as Uint8Array,
        test.port(1),
        '127.0.0.1',
      );
    });
  const options = (format: number) => [
    { name: 'Uri-Path', value: 'report' },
    { name: 'Content-Format', value: format },
    { name: 'Uri-Query', value: 'id=7' },
  ];
  const answer = await ask({ code: '0.02', options: options(50), payload: '{"v":1}' });
  t.equal(answer.code, '2.01');
  t.same(JSON.parse(String(Buffer.from(answer.payload as Uint8Array))), { at: '/report', got: 1, id: '7' });
  t.match(answer.options, [{ name: 'Content-Format', value: new Uint8Array([50]) }]);
  t.match(await ask({ code: '0.02', options: options(60), payload: 'x' }), { code: '4.15' });
  t.match(await ask({ code: '0.01', options: [], payload: '' }), { code: '4.03' });
});
