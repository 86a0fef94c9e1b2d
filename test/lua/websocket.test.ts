import { readFileSync } from 'node:fs';
import t from 'tap';
import { WebSocket } from 'ws';
import { abuseProtocol } from '../support/abuse.js';
import { startTestEngine, until } from '../support/engine.js';
import { splits, unhex } from '../support/framing.js';
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
  t.match(encode('{}'), /a message is a string/);
});

t.test('a client of another library', async (t) => {
  const engine = await startTestEngine(
    {
      'protocols/websocket.lua': readFileSync('lua/protocols/websocket.lua', 'utf8'),
      'entry.lua': `
        protocol = require "protocols.websocket"
        function on_message(msg, conn)
          if msg.type == "handshake" then conn:send { type = "text", data = "welcome to " .. msg.path } end
          if msg.type == "close" then conn:close() end
          if msg.type == "text" or msg.type == "binary" then conn:send { type = msg.type, data = msg.data } end
        end`,
    },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: entry.lua }]',
  );
  t.teardown(() => engine.stop());
  const socket = new WebSocket(`ws://127.0.0.1:${engine.port()}/room`);
  const received: string[] = [];
  let closed = 0;
  let pongs = 0;
  socket.on('message', (data, binary) => received.push(`${binary ? 'binary' : 'text'} ${String(data)}`));
  socket.on('pong', () => pongs++);
  socket.on('close', (code) => {
    closed = code;
  });
  socket.on('open', () => {
    socket.send('ü');
    socket.send(Buffer.alloc(40_000, 'x'));
    socket.ping();
  });
  await until(() => received.length === 3 && pongs === 1);
  t.strictSame(received, ['text welcome to /room', 'text ü', `binary ${'x'.repeat(40_000)}`]);
  socket.close(1000);
  await until(() => closed > 0);
  t.equal(closed, 1000);
});
