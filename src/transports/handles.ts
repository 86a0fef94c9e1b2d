/**
 * Node's handles: the descriptors below its sockets, which may be sent to another process. Node documents sending a
 * socket, but that begins to read it on the other side at once; the handle itself waits until it is opened. All that
 * is used of Node beyond its documentation is in this file.
 */

import type { Socket as DatagramSocket, RemoteInfo } from 'node:dgram';
import { type Server, Socket, type SocketConstructorOpts } from 'node:net';
import { formatAddress } from './address.js';

/** A descriptor, as `subprocess.send` takes it. */
export interface Handle {
  close(): void;
  getsockname(into: { address?: string; port?: number; family?: string }): number;
}

interface StreamHandle extends Handle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

type OnAccepted = (this: ListeningHandle, error: number, accepted?: Handle) => void;

interface ListeningHandle extends Handle {
  onconnection: OnAccepted;
}

interface DatagramHandle extends Handle {
  recvStart(): number;
  recvStop(): number;
}

/** The handle of a socket or server that is open. */
export function handleOf(socket: Socket | Server): Handle | undefined {
  return (socket as unknown as { _handle: Handle | null })._handle ?? undefined;
}

/** Whether a handle has a descriptor still: a closed one cannot be sent. */
export function isOpen(handle: Handle): boolean {
  return handle.getsockname({}) === 0;
}

/** Where a handle is bound. */
export function boundTo(handle: Handle): { address: string; port: number } {
  const bound: { address?: string; port?: number } = {};
  handle.getsockname(bound);
  const { address = '', port = 0 } = bound;
  return { address: formatAddress(address, port), port };
}

/** Stops reading at the system, and delivers what was read before to the socket's listeners. */
export function stopReading(socket: Socket): void {
  const handle = handleOf(socket) as StreamHandle | undefined;
  if (!handle) return;
  handle.readStop();
  // As long as Node takes the handle to be reading, `resume` does not begin to.
  handle.reading = true;
  while (socket.readableLength > 0 && socket.read() !== null) {}
}

/** Reads again. */
export function startReading(socket: Socket): void {
  const handle = handleOf(socket) as StreamHandle | undefined;
  if (!handle) return;
  handle.reading = true;
  handle.readStart();
}

/** A socket on a handle from elsewhere, which does not read yet. It counts among those of `server`, if given. */
export function socketOn(handle: Handle, options: object, server: Server | undefined): Socket {
  const settings = { ...options, handle, pauseOnCreate: true } as SocketConstructorOpts;
  const socket = new Socket(settings);
  if (server) {
    const counted = server as unknown as { _connections: number };
    counted._connections++;
    Object.assign(socket, { server, _server: server });
  }
  return socket;
}

/** Connections that come while a server does not accept. The system cannot be told to hold them back. */
export class HeldAccepts {
  readonly handles: Handle[] = [];
  private readonly usual: OnAccepted;

  constructor(private readonly handle: Handle) {
    const listening = handle as ListeningHandle;
    this.usual = listening.onconnection;
    listening.onconnection = (_error, accepted) => {
      if (accepted) this.handles.push(accepted);
    };
  }

  /** Accepts again, those that came meanwhile first. */
  end(): void {
    const listening = this.handle as ListeningHandle;
    listening.onconnection = this.usual;
    accept(listening, this.handles);
  }
}

/** Lets a server listen on a handle from elsewhere; `held` were accepted there already. */
export function listenOn(server: Server, handle: Handle, backlog: number, held: readonly Handle[]): void {
  server.listen(handle, backlog);
  accept(handle as ListeningHandle, held);
}

/** Lets a server that listens take a connection accepted elsewhere. */
export function acceptOn(server: Server, accepted: Handle): void {
  accept(handleOf(server) as ListeningHandle, [accepted]);
}

function accept(listening: ListeningHandle, held: readonly Handle[]): void {
  for (const accepted of held) listening.onconnection(0, accepted);
}

/** The handle of a bound datagram socket. */
export function datagramHandleOf(socket: DatagramSocket): Handle | undefined {
  const state = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'state symbol',
  );
  const inner = state && (socket as unknown as Record<symbol, { handle: Handle | null }>)[state];
  return inner?.handle ?? undefined;
}

/** Stops receiving at the system. */
export function stopReceiving(socket: DatagramSocket): void {
  (datagramHandleOf(socket) as DatagramHandle | undefined)?.recvStop();
}

/** Receives after {@link stopReceiving}. */
export function receiveAgain(socket: DatagramSocket): void {
  (datagramHandleOf(socket) as DatagramHandle | undefined)?.recvStart();
}

/** Receives with a datagram socket that is not bound yet on a handle from elsewhere. */
export function receiveOn(socket: DatagramSocket, handle: Handle): void {
  (socket.bind as unknown as (handle: Handle) => void).call(socket, handle);
}

/** A datagram that was received and not handed on. */
export interface HeldDatagram {
  readonly bytes: Uint8Array;
  readonly from: Pick<RemoteInfo, 'address' | 'port'>;
}
