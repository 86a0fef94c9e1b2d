/**
 * Sockets between processes. A connection travels as the handle below Node's socket: the socket itself would come out
 * with other settings than ours, and Node would keep a record of each, in both processes.
 */

import type { ChildProcess, SendHandle } from 'node:child_process';
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Handle } from '../transports/handles.js';
import { SOCKET_OPTIONS } from '../transports/socketconnection.js';
import { KEEP_ALIVE_MS } from '../transports/streamlistener.js';

/** What Node's types leave out: the handle below a socket, by which `node:cluster` passes connections, too. */
type WithHandle = { readonly _handle: SendHandle | null };

/**
 * Sends the handle of a socket that was never read with a message; the socket stays as it is. `sent` is told when the
 * channel has taken it, or why it did not. False: the peer is gone, and so is the handle.
 */
export function sendHandle(
  child: ChildProcess,
  message: object,
  socket: Socket,
  sent: (error: Error | null) => void,
): boolean {
  const { _handle: handle } = socket as unknown as WithHandle;
  if (!handle) return false;
  child.send(message, handle, sent);
  return true;
}

/** Sends a handle that stays open here. Rejects when the other process is gone. */
export function passHandle(
  port: Pick<ChildProcess, 'send'> | Pick<NodeJS.Process, 'send'>,
  message: object,
  handle: Handle,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = (error: Error | null): void => (error ? reject(error) : resolve());
    port.send!(message, handle as unknown as SendHandle, { keepOpen: true }, sent);
  });
}

/** The socket over a handle that came. */
export function socketOver(handle: unknown): Socket {
  const options = { ...SOCKET_OPTIONS, handle, readable: true, writable: true };
  const socket = new Socket(options as SocketConstructorOpts);
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}
