// The protocols of the echo: the servers, how a client greets them, what it sends and what comes back. Clients are plain
// sockets that send bytes made beforehand, so that they cost as little as they can.
import { once } from 'node:events';
import { generate } from 'mqtt-packet';
import { frame } from '../support/clients.mjs';
import { startBare, startEngine, startPeer } from '../support/server.mjs';

const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: bench',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');
const MASK = Buffer.from([0x5a, 0x91, 0x3c, 0xe7]);
/** A binary frame begins with 4 bytes at the sizes that are measured (RFC 6455, 5.2). */
const FRAME_HEAD = 4;
const PUBACK = 0x40;
const PUBACK_BYTES = 4;
/** Where the id of a PUBLISH under `down` stands, behind a length of two bytes (MQTT 3.3). */
const ID_AT = 3 + 2 + 'down'.length;

/** Resolves to what a server sends, once it is `enough`. */
async function until(socket, enough) {
  let text = '';
  while (!enough(text)) {
    const [bytes] = await once(socket, 'data', { signal: AbortSignal.timeout(60_000) });
    text += bytes.toString('latin1');
  }
}

async function upgrade(socket) {
  socket.write(UPGRADE);
  await until(socket, (text) => text.endsWith('\r\n\r\n'));
}

function maskedFrame(size) {
  const head = Buffer.from([0x82, 0x80 | 126, size >> 8, size & 0xff, ...MASK]);
  return Buffer.concat([head, Buffer.alloc(size).map((_, i) => 7 ^ MASK[i % 4])]);
}

/** Logs in and subscribes to where the answers come. */
async function logIn(socket, number, topic) {
  const clientId = `bench-${number}`;
  socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId }));
  await until(socket, ({ length }) => length === 4);
  socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] }));
  await until(socket, ({ length }) => length === 5);
}

const publish = (topic, size, qos) =>
  generate({ cmd: 'publish', topic, payload: Buffer.alloc(size, 7), qos, messageId: qos && 1 });

const stream = (name, tls) => ({
  name,
  idle: name,
  tls,
  greet() {},
  request: frame,
  replyBytes: (size) => size,
  start: (certificate) => [startEngine('echo', { tls: certificate }), startBare('echo', certificate)],
});

const webSocket = (name, tls) => ({
  name,
  idle: name,
  tls,
  greet: upgrade,
  request: maskedFrame,
  replyBytes: (size) => FRAME_HEAD + size,
  start: (certificate) => [
    startEngine('echo_websocket', { tls: certificate, protocol: 'websocket', websocket: { pingSeconds: 0 } }),
    startPeer('websocket', certificate),
  ],
});

const mqtt = {
  greet: (socket, number) => logIn(socket, number, 'down'),
  request: (size) => publish('up', size, 0),
  replyBytes: (size) => publish('down', size, 0).length,
  start: () => [startEngine('echo_mqtt', { protocol: 'mqtt' }), startPeer('mqtt')],
};

export const PROTOCOLS = [
  stream('TCP', false),
  stream('TLS', true),
  webSocket('WebSocket', false),
  webSocket('WSS', true),
  { ...mqtt, name: 'MQTT, answered by the handler', idle: 'MQTT' },
  {
    ...mqtt,
    name: 'MQTT, QoS 1, answered by the handler',
    request: (size) => publish('up', size, 1),
    replyBytes: (size) => PUBACK_BYTES + publish('down', size, 1).length,
    /** PUBACK of what came in answer. */
    confirmation(answer) {
      const at = answer[0] === PUBACK ? PUBACK_BYTES : 0;
      const confirmation = Buffer.from([PUBACK, 2, 0, 0]);
      answer.copy(confirmation, 2, at + ID_AT, at + ID_AT + 2);
      return confirmation;
    },
  },
  {
    ...mqtt,
    name: 'MQTT, sent back by subscription',
    greet: (socket, number) => logIn(socket, number, own(number)),
    request: (size, number) => publish(own(number), size, 0),
    replyBytes: (size) => publish(own(0), size, 0).length,
  },
];

/** A topic of each client's own, all of the same length. */
function own(number) {
  return `own/${String(number).padStart(5, '0')}`;
}
