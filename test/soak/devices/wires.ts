/** The ways a device may reach a server. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Dial, Wire } from './device.js';

const HOST = '127.0.0.1';

function wireOf(socket: Socket): Wire {
  return {
    send: (bytes) => socket.write(bytes),
    // A socket under TLS cannot be reset.
    close: (abruptly) => {
      if (!abruptly) socket.destroySoon();
      else if (socket instanceof TLSSocket) socket.destroy();
      else socket.resetAndDestroy();
    },
  };
}

async function opened(
  socket: Socket,
  event: string,
  hear: (bytes: Buffer) => void,
  closed: () => void,
): Promise<Wire> {
  socket
    .on('error', () => {})
    .on('close', closed)
    .on('data', hear);
  // The other side's end is ours too.
  socket.on('end', () => socket.destroy());
  await once(socket, event);
  return wireOf(socket);
}

export function tcp(port: number): Dial {
  return (hear, closed) => opened(connect({ host: HOST, port, noDelay: true }), 'connect', hear, closed);
}

export function tls(port: number, ca: Buffer): Dial {
  return (hear, closed) => opened(connectTls({ host: HOST, port, ca }), 'secureConnect', hear, closed);
}

export function udp(port: number): Dial {
  return async (hear, closed) => {
    const socket = createSocket('udp4');
    socket
      .on('error', () => {})
      .on('close', closed)
      .on('message', hear);
    socket.bind(0, HOST);
    await once(socket, 'listening');
    let open = true;
    return {
      send: (bytes) => open && socket.send(bytes, port, HOST),
      close: () => {
        if (open) socket.close();
        open = false;
      },
    };
  };
}

export function webSocket(port: number): Dial {
  return async (hear, closed) => {
    const socket = new WebSocket(`ws://${HOST}:${port}/`, { perMessageDeflate: false });
    socket
      .on('error', () => {})
      .on('close', closed)
      .on('message', (data: Buffer) => hear(data));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return {
      send: (bytes) => socket.send(bytes),
      close: (abruptly) => (abruptly ? socket.terminate() : socket.close(1000)),
    };
  };
}
