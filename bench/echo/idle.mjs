// Memory of an idle client of each protocol, against the same servers.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { startEngine, startPeer } from '../support/server.mjs';
import { pause } from '../support/statistics.mjs';
import { Crowd } from './clients.mjs';
import { PROTOCOLS } from './protocols.mjs';

const CLIENTS = 5000;
/** V8 collects what is garbage some seconds after work has ended. */
const QUIET_MS = 12_000;

/** A confirmable GET without token (RFC 7252, 3). */
const COAP_GET = Buffer.from([0x40, 1, 0x12, 0x34]);

/** Devices that have asked once. */
export class DatagramCrowd {
  sockets = [];

  constructor(port, request) {
    this.port = port;
    this.request = request;
  }

  async grow(count) {
    while (this.sockets.length < count) {
      const sockets = Array.from({ length: Math.min(100, count) }, () => createSocket('udp4'));
      await Promise.all(sockets.map((socket) => this.ask(socket)));
      this.sockets.push(...sockets);
    }
  }

  /** Asks, again when it gets lost. */
  async ask(socket) {
    const send = () => socket.send(this.request, this.port, '127.0.0.1');
    const again = setInterval(send, 2000);
    send();
    await once(socket, 'message');
    clearInterval(again);
  }

  close() {
    for (const socket of this.sockets) socket.close();
  }
}

export const COAP = {
  start: () => [startEngine('echo_coap', { protocol: 'coap' }), startPeer('coap')],
  crowd: (port) => new DatagramCrowd(port, COAP_GET),
};

/** One row a protocol. */
export async function idleRows(tls, note) {
  const rows = [];
  const measured = PROTOCOLS.filter(({ idle }) => idle !== undefined);
  for (const protocol of [...measured, { ...COAP, idle: 'CoAP' }]) {
    note(`idle clients of ${protocol.idle}`);
    rows.push(await idleRow(protocol, tls));
  }
  return rows;
}

async function idleRow(protocol, tls) {
  const servers = await Promise.all(protocol.start(protocol.tls ? tls.files : undefined));
  const crowds = servers.map(({ port }) => protocol.crowd?.(port) ?? new Crowd(port, protocol));
  try {
    await pause(QUIET_MS);
    const before = servers.map((server) => server.rssAnon());
    for (const crowd of crowds) await crowd.grow(CLIENTS);
    await pause(QUIET_MS);
    const [ours, theirs] = servers.map((server, i) => (server.rssAnon() - before[i]) / CLIENTS / 1024);
    return {
      what: `RssAnon of an idle client of ${protocol.idle}`,
      figure: `${ours.toFixed(1)} KiB`,
      details: `against ${theirs.toFixed(1)} KiB; ${CLIENTS} clients`,
    };
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.close()));
    for (const server of servers) await server.stop();
  }
}
