/** Live servers that are sent bytes: WebSocket frames, MQTT packets, CoAP datagrams, HTTP and what is told apart on one port. */

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { spokenIn } from '../../../src/transports/firstbytes.js';
import { startTestEngine } from '../../support/engine.js';
import type { Random } from '../../support/random.js';
import { changed } from '../mutations.js';
import { Finding, type Target } from '../target.js';
import { seedsOf } from '../vectors.js';

const HOST = '127.0.0.1';
/** A connection is cut off then, whatever the server still waits for. */
const CONVERSATION_MS = 25;

const UPGRADE = Buffer.from(
  'GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
);
const REQUESTS = [
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc',
  'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx',
].map((text) => Buffer.from(text));

const SCRIPT = `
function on_message(msg, conn) conn:send(type(msg) == "table" and (msg.data or msg.payload) or msg) end
function on_request(req) return { status = 200, body = tostring(req.body) .. req.path } end
`;
const SERVERS = ['websocket', 'mqtt', 'http', 'auto', 'coap'] as const;

/** A frame of a client: masked, with a length that fits or lies. */
function webSocketFrame({ below, pick, bytes }: Random): Buffer {
  const body = bytes(below(140));
  const told = below(8) === 0 ? below(2 ** 31) : body.length;
  const head = Buffer.alloc(told < 126 ? 2 : told < 65_536 ? 4 : 10);
  head[0] = (below(3) === 0 ? below(16) << 4 : 0x80) | pick([0, 1, 2, 8, 9, 10, below(16)]);
  head[1] = (below(8) === 0 ? 0 : 0x80) | (told < 126 ? told : told < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(told, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(told), 2);
  // Masked by zeros, the body is itself.
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

export async function wires(): Promise<readonly Target[]> {
  const lines = SERVERS.map(
    (protocol) => `  - { name: ${protocol}, port: 0, bind: ${HOST}, protocol: ${protocol}, entry: main.lua }`,
  );
  const test = await startTestEngine({ 'main.lua': SCRIPT }, `servers:\n${lines.join('\n')}`);
  let open = SERVERS.length;
  const close = async (): Promise<void> => {
    if (--open === 0) await test.stop();
  };
  const packets = seedsOf('mqtt');
  const datagrams = seedsOf('coap');
  const several = (random: Random, make: () => Uint8Array): Buffer =>
    Buffer.concat(Array.from({ length: 1 + random.below(5) }, make));
  const inputs: Record<(typeof SERVERS)[number], (random: Random) => Uint8Array> = {
    websocket: (random) => Buffer.concat([UPGRADE, several(random, () => webSocketFrame(random))]),
    mqtt: (random) =>
      several(random, () =>
        random.below(2) === 0 ? random.pick(packets) : changed(random.pick(packets), random, packets),
      ),
    http: (random) => several(random, () => changed(random.pick(REQUESTS), random, REQUESTS)),
    auto: (random) =>
      random.below(2) === 0
        ? changed(random.pick(REQUESTS), random, [UPGRADE])
        : Buffer.concat([changed(UPGRADE, random, REQUESTS), webSocketFrame(random)]),
    coap: (random) => changed(random.pick(datagrams), random, datagrams),
  };

  const converse = async (port: number, input: Uint8Array): Promise<void> => {
    const socket = connect({ host: HOST, port });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), CONVERSATION_MS);
      socket
        .on('error', () => {})
        .on('close', () => {
          clearTimeout(timer);
          resolve();
        });
      socket.resume().write(input);
    });
  };
  const throwDatagram = async (port: number, input: Uint8Array): Promise<void> => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.send(input, port, HOST, () => resolve()));
    socket.close();
  };

  return SERVERS.map(
    (protocol, n): Target => ({
      name: `wires.${protocol}`,
      make: inputs[protocol],
      async run(input) {
        if (protocol === 'auto') sniffAnyhow(Buffer.from(input));
        await (protocol === 'coap' ? throwDatagram : converse)(test.port(n), input);
        const mistake = test.log.find(
          ({ level, reason }) =>
            level === 'error' && /TypeError|RangeError|not a function/.test(String(reason)),
        );
        if (mistake) throw new Finding(JSON.stringify(mistake));
        test.log.length = 0;
      },
      close,
    }),
  );
}

/** However the bytes are cut, what was told once stays true when more come. */
function sniffAnyhow(bytes: Buffer): void {
  const among = { tls: true, http: true };
  let told: string | undefined;
  for (let end = 1; end <= Math.min(bytes.length, 1100); end++) {
    const now = spokenIn(bytes.subarray(0, end), among);
    if (told !== undefined && now !== told)
      throw new Finding(`${told} after ${end - 1} bytes, ${now} after ${end}`);
    told = now;
  }
}
