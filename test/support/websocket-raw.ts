/** WebSocket bytes by hand, for what no library sends. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A handshake's request, with headers replaced or added. */
export function upgradeRequest(headers: Record<string, string> = {}, target = '/'): string {
  const all = {
    Host: 'x',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends `request` and resolves to all that comes back, once the server has closed the connection. */
export async function rawClient(port: number, request: string | Uint8Array): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** A socket behind a completed handshake, that speaks frames by hand. */
export async function rawWebSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(upgradeRequest());
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    head += chunk.toString('latin1');
  }
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(head);
  return socket;
}

/** A frame; `first` is its first byte (FIN, reserved bits, opcode). Masked with zeros, unless said. */
export function rawFrame(first: number, data: Uint8Array, masked = true): Buffer {
  const { length } = data;
  const head = Buffer.alloc(length < 126 ? 2 : length < 0x10000 ? 4 : 10);
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeUIntBE(length, 4, 6);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), data]);
}
