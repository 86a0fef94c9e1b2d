/** Peers that mean harm: noise, false lengths, half-open and unread connections, floods, at every port. */

import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { type Campaign, pause } from '../campaign.js';
import type { Site } from '../site.js';

const HOST = '127.0.0.1';
/** Hostile connections that are open at a time. */
const MOST = 60;

/** How the protocols begin, so that noise gets past the first look. */
const OPENINGS: readonly (readonly number[])[] = [
  [],
  // TLS, HTTP, WebSocket, MQTT, muxado, GT06, JT/T 808, and lengths that promise much.
  [0x16, 3, 1, 0xff, 0xff, 1],
  [...Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n')],
  [...Buffer.from('POST /v1/mesh/send HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n')],
  [
    ...Buffer.from(
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    ),
  ],
  [0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5],
  [0xff, 0xff, 0xff, 0x12, 0, 0, 0, 3, 0, 0, 0, 1],
  [0x79, 0x79, 0xff, 0xff, 0x12],
  [0x78, 0x78, 0x0d, 0x01],
  [0x7e, 0x02, 0x00, 0x23, 0xff],
  [0x40, 0x02, 0, 1, 0xbf, 0xff, 0xff, 0xff],
];

/** Lives until the campaign is over. */
export async function liveHostile(campaign: Campaign, site: Site): Promise<void> {
  const { random } = campaign;
  const streams = site.engines.flatMap(({ ports, mesh, member, proxy }) => [
    ...Object.entries(ports).flatMap(([name, port]) => (['datagrams', 'coap'].includes(name) ? [] : [port])),
    mesh,
    member.options.api,
    proxy.port,
  ]);
  streams.push(site.center.registry, site.center.member.options.api);
  const datagrams = site.engines.flatMap(({ ports }) => [ports.datagrams, ports.coap]);
  const open = new Set<Socket>();
  const udp = createSocket('udp4').on('error', () => {});
  campaign.teardown(() => udp.close());

  const noise = (most: number): Buffer =>
    Buffer.from([...random.pick(OPENINGS), ...random.bytes(random.below(most))]);
  const attack = (): void => {
    const socket = connect({ host: HOST, port: random.pick(streams) });
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    campaign.count('hostile connections');
    switch (random.below(6)) {
      case 0: // says nothing, for as long as it may
        break;
      case 1: // a byte now and then
        drip(campaign, socket, noise(200));
        break;
      case 2: // more than anybody wants to hear, and does not read
        socket.pause();
        for (let i = 0; i < 20; i++) socket.write(noise(65_536));
        break;
      case 3: // in the middle of something, gone
        socket.write(noise(100), () => socket.resetAndDestroy());
        break;
      case 4: // the other side may talk on
        socket.end(noise(3000));
        break;
      default:
        socket.resume().write(noise(3000));
    }
  };

  while (!campaign.over) {
    await pause(50 + random.below(400));
    if (!campaign.active) {
      for (const socket of open) socket.destroy();
      continue;
    }
    const flood = random.below(40) === 0 ? 30 : 1;
    for (let i = 0; i < flood && open.size < MOST; i++) attack();
    for (let i = random.below(5); i > 0; i--) udp.send(noise(1400), random.pick(datagrams), HOST);
    if (open.size >= MOST) for (const socket of [...open].slice(0, MOST / 2)) socket.destroy();
  }
  for (const socket of open) socket.destroy();
}

function drip(campaign: Campaign, socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (campaign.over || socket.destroyed || at >= bytes.length) clearInterval(timer);
    else socket.write(bytes.subarray(at, ++at));
  }, 300);
  socket.once('close', () => clearInterval(timer));
}
