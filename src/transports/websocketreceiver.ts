/** How far the `ws` library has read, which it does not tell: all that is used of its inside is in this file. */

import type { Socket } from 'node:net';
import { type ServerOptions, WebSocket } from 'ws';

/** The state in which its receiver waits for the head of a frame. */
const GET_INFO = 0;

interface Receiver {
  readonly _state: number;
  readonly _bufferedBytes: number;
  readonly _buffers: readonly Buffer[];
  readonly _fragments: readonly Buffer[];
  readonly _fragmented: number;
}

function receiverOf(ws: WebSocket): Receiver | undefined {
  return (ws as unknown as { _receiver: Receiver | null })._receiver ?? undefined;
}

/** Whether it is between two messages. */
export function atBoundary(ws: WebSocket): boolean {
  const receiver = receiverOf(ws);
  if (!receiver) return false;
  return receiver._state === GET_INFO && receiver._fragments.length === 0 && receiver._fragmented === 0;
}

/** The bytes it has read and made no message of. */
export function unreadOf(ws: WebSocket): Uint8Array {
  return Buffer.concat([...(receiverOf(ws)?._buffers ?? [])]);
}

/** An open WebSocket of a server on a socket whose handshake is long over; `head`: bytes that were read of it. */
export function openWebSocket(
  socket: Socket,
  head: Uint8Array,
  subprotocol: string,
  options: ServerOptions,
): WebSocket {
  const Served = WebSocket as unknown as new (
    address: null,
    protocols: undefined,
    options: object,
  ) => WebSocket;
  const ws = new Served(null, undefined, options);
  const inner = ws as unknown as {
    _protocol: string;
    setSocket(socket: Socket, head: Buffer, options: object): void;
  };
  inner._protocol = subprotocol;
  inner.setSocket(socket, Buffer.from(head), options);
  return ws;
}
