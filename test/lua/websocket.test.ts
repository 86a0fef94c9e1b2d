import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { abuseProtocol } from '../support/abuse.js';
import { startTestEngine, until } from '../support/engine.js';
import { splits, unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';

const websocket = new ProtocolUnderTest('protocols.websocket');
const REQUEST = Buffer.from(
  'GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
);
const KEY = unhex('37fa213d');

/** A masked frame of a client. */
function frame(first: number, payload: Uint8Array | string): Buffer {
  const data = Buffer.from(payload);
  const head = data.length < 126 ? [data.length] : [126, data.length >> 8, data.length & 255];
  head[0]! |= 0x80;
  return Buffer.concat([Buffer.of(first, ...head), KEY, data.map((byte, i) => byte ^ KEY[i % 4]!)]);
}
const feed = (...frames: Uint8Array[]) => websocket.feed([REQUEST, ...frames]);

t.test('handshake and messages, however the bytes arrive', async (t) => {
  const rng = random(t);
  const stream = Buffer.concat([
    REQUEST,
    unhex('818537fa213d7f9f4d5158'), // RFC 6455, 5.7: a masked "Hello"
    frame(0x01, 'Hel'),
    frame(0x89, 'ping'),
    frame(0x80, 'lo'),
    frame(0x82, unhex('00ff'.repeat(100))),
    frame(0x81, ''),
    frame(0x8a, ''),
    frame(0x88, Buffer.concat([unhex('03e8'), Buffer.from('bye')])),
  ]);
  for (const chunks of splits(stream, rng)) {
    const { messages, errors, replies } = websocket.feed(chunks);
    t.strictSame(errors, []);
    t.match(messages, [
      { type: 'handshake', method: 'GET', path: '/chat', query: 'x=1', headers: { host: 'a' } },
      { type: 'text', data: 'Hello', finish: true },
      { type: 'ping', data: 'ping' },
      { type: 'text', data: 'Hello' },
      { type: 'binary' },
      { type: 'text', data: '' },
      { type: 'pong' },
      { type: 'close', code: 1000, reason: 'bye' },
    ]);
    t.equal(messages.length, 8);
    t.match(unhex(replies[0]!).toString(), /^HTTP\/1\.1 101 [\s\S]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n\r\n$/);
    t.strictSame(replies.slice(1), ['8a0470696e67', '880203e8']);
  }
});

t.test('what breaks the protocol is refused', async (t) => {
  const refused: [Uint8Array, RegExp][] = [
    [unhex('810548656c6c6f'), /masked/],
    [frame(0xc1, 'x'), /reserved bit/],
    [frame(0x83, 'x'), /reserved opcode/],
    [frame(0x09, 'x'), /control frame/],
    [frame(0x80, 'x'), /continuation of nothing/],
    [Buffer.concat([frame(0x01, 'x'), frame(0x81, 'y')]), /within a message/],
    [frame(0x81, unhex('ff')), /not UTF-8/],
    [frame(0x88, 'x'), /valid reason/],
    [frame(0x88, unhex('03ed')), /close code 1005/],
    [unhex('82ff0000000100000000'), /too large/],
    [unhex('82ff0000000000200000'), /too large/],
    [Buffer.concat([frame(0x01, 'x'), ...Array(10_000).fill(frame(0x00, ''))]), /more than 10000 fragments/],
  ];
  for (const [bytes, message] of refused) t.match(feed(bytes).errors, [message], String(message));
  t.throws(() => feed(frame(0x83, 'x'), frame(0x81, 'y')), { name: 'DisconnectRequest' });
  const requests: [string, RegExp][] = [
    ['POST /chat', /no WebSocket upgrade/],
    ['hello', /no HTTP/],
  ];
  for (const [text, message] of requests) {
    const request = Buffer.from(REQUEST.toString().replace('GET /chat?x=1', text));
    t.match(websocket.feed([request]).errors, [message]);
  }
  t.match(websocket.feed([Buffer.from(REQUEST.toString().replace('13', '8'))]).errors, [/version 13/]);
  t.match(websocket.feed([Buffer.from(REQUEST.toString().replace('dGhl', ''))]).errors, [
    /Sec-WebSocket-Key/,
  ]);
  t.throws(() => websocket.feed([Buffer.alloc(20_000, 'x')]), { name: 'DisconnectRequest' });
  abuseProtocol(t, websocket, [REQUEST, Buffer.concat([REQUEST, frame(0x81, 'hello'), frame(0x88, '')])]);
});

t.test('encode', async (t) => {
  const encode = (source: string) => websocket.peer().encode(source);
  t.equal(encode('"Hello"'), '810548656c6c6f');
  t.equal(encode('"\\xff"'), '8201ff');
  t.equal(encode('{ type = "close", code = 1000, reason = "x" }'), '880303e878');
  t.equal(encode('{ type = "binary", data = ("x"):rep(256) }').slice(0, 8), '827e0100');
  t.equal(encode('("x"):rep(65536)').slice(0, 20), '817f0000000000010000');
  t.match(encode('{ type = "ping", data = ("x"):rep(126) }'), /at most 125/);
  t.match(encode('{ type = "close", code = 1000, reason = ("x"):rep(124) }'), /at most 125/);
  t.match(encode('{ type = "close", code = 70000 }'), /from 1000 to 4999/);
  t.match(encode('{ type = "text", data = 7 }'), /data must be a string/);
  t.match(encode('{}'), /a message is a string/);
});

async function start(t: Test, entry: string, more: Record<string, string> = {}) {
  const engine = await startTestEngine(
    { ...library, ...more },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: socket, entry: ${entry} }]`,
  );
  t.teardown(() => engine.stop());
  return engine;
}

/** A client of another library, which keeps what it got. */
function dial(t: Test, port: number, path: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  const client = { socket, received: [] as string[], pongs: 0, closed: undefined as string | undefined };
  socket.on('message', (data, binary) =>
    client.received.push(`${binary ? 'binary' : 'text'} ${String(data)}`),
  );
  socket.on('pong', () => client.pongs++);
  socket.on('error', () => {});
  socket.on('close', (code, reason) => {
    client.closed = `${code} ${String(reason)}`;
  });
  t.teardown(() => socket.terminate());
  return client;
}

t.test('a client of another library', async (t) => {
  const engine = await start(t, 'main.lua', {
    'main.lua': `
      protocol = require "protocols.websocket"
      function on_message(msg, conn)
        if msg.type == "handshake" then conn:send { type = "text", data = "welcome to " .. msg.path } end
        if msg.type == "close" then conn:close() end
        if msg.type == "text" or msg.type == "binary" then conn:send { type = msg.type, data = msg.data } end
      end`,
  });
  const client = dial(t, engine.port(), '/room');
  client.socket.on('open', () => {
    client.socket.send('ü');
    client.socket.send(Buffer.alloc(40_000, 'x'));
    client.socket.send('in ', { fin: false });
    client.socket.send('parts', { fin: true });
    client.socket.ping();
  });
  await until(() => client.received.length === 4 && client.pongs === 1);
  t.strictSame(client.received, [
    'text welcome to /room',
    'text ü',
    `binary ${'x'.repeat(40_000)}`,
    'text in parts',
  ]);
  client.socket.close(1000);
  await until(() => client.closed !== undefined);
  t.equal(client.closed, '1000 ');
});

t.test('entry.websocket_lua: what is said in a room reaches those who are there', async (t) => {
  const engine = await start(t, 'entry.websocket_lua.lua');
  const [ann, bob, eve] = ['/room/1', '/room/1', '/room/2'].map((path) => dial(t, engine.port(), path));
  const lost = dial(t, engine.port(), '/nowhere');
  await until(() => [ann, bob, eve].every((client) => client!.socket.readyState === WebSocket.OPEN));
  // The answer to the handshake comes before its handler has run; the one to a ping comes after.
  for (const client of [ann!, bob!, eve!]) client.socket.ping();
  await until(() => [ann, bob, eve].every((client) => client!.pongs === 1));
  ann!.socket.send('hello');
  eve!.socket.send('alone');
  await until(() => [ann, bob, eve].every((client) => client!.received.length === 1));
  t.strictSame(
    [ann, bob, eve].map((client) => client!.received),
    [['text hello'], ['text hello'], ['text alone']],
  );
  bob!.socket.close(1000, 'bye');
  await until(() => bob!.closed !== undefined && lost.closed !== undefined);
  t.strictSame([bob!.closed, lost.closed], ['1000 ', '4004 no such room']);
  t.strictSame(
    engine.log.filter(({ level }) => level === 'error'),
    [],
  );
});

t.test('scripts of CONNMIX call it with the client', async (t) => {
  const engine = await start(t, 'main.lua', {
    'main.lua': `
      local websocket = require("protocols/websocket")
      function on_connect(conn) end
      function on_close(err, conn) end
      function on_handshake(headers, conn) mix.log(mix.INFO, "uri " .. headers["RequestUri"]) end
      function protocol_input(buf, conn) return websocket.input(buf, conn, "/chat", on_handshake) end
      function protocol_decode(str, conn) return websocket.decode(conn) end
      function protocol_encode(str, conn) return websocket.encode(str) end
      function on_message(data, conn)
        if data["type"] ~= "text" then return end
        websocket.send_text(conn, data["data"] .. " " .. conn:context()["headers"]["Host"])
        websocket.send_binary(data["data"])
        mix.mesh.send(conn:client_id(), "sent")
      end`,
  });
  const client = dial(t, engine.port(), '/chat?x=1');
  client.socket.on('open', () => {
    client.socket.ping();
    client.socket.send('hello');
  });
  await until(() => client.received.length === 3 && client.pongs === 1);
  t.strictSame(client.received, [`text hello 127.0.0.1:${engine.port()}`, 'binary hello', 'text sent']);
  t.ok(engine.log.some(({ message }) => message === 'uri /chat?x=1'));
  client.socket.close(1000);
  await until(() => client.closed !== undefined);
  t.equal(client.closed, '1000 ');
  const elsewhere = dial(t, engine.port(), '/other');
  await until(() => elsewhere.closed !== undefined);
  t.ok(engine.log.some(({ message }) => message === 'websocket: no such path: /other'));
});
