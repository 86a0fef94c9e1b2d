import type { Socket } from 'node:net';
import { formatAddress } from './address.js';
import type { TlsFacts } from './connection.js';
import { Endpoint } from './endpoint.js';
import { socketError } from './failure.js';
import { handleOf, startReading, stopReading } from './handles.js';
import type { Passage } from './movable.js';
import { tlsFacts } from './tlsfacts.js';

/** What carries a stream socket's bytes. */
export function streamTransport(socket: Socket): 'tcp' | 'tls' {
  return (socket as { encrypted?: boolean }).encrypted ? 'tls' : 'tcp';
}

const OWNER = Symbol('connection');
type OwnedSocket = Socket & { [OWNER]: SocketConnection };

/**
 * Options every stream socket is made with. Half-open, since an `end` of the peer must not make a later write
 * an error; a high-water mark of one byte, since Node then tells of every time its queue ran empty, and stops
 * reading after the first chunk a paused reader does not take.
 */
export const SOCKET_OPTIONS = {
  allowHalfOpen: true,
  highWaterMark: 1,
  noDelay: true,
  keepAlive: true,
} as const;

/**
 * A connection over a connected stream socket of Node (`net.Socket` and what derives from it).
 *
 * Tens of thousands of them sit idle in one process. So there is one object beside Node's own, and no closure,
 * timer or buffer: the listeners are shared functions that find the connection through the socket.
 *
 * Writes of one turn of the event loop leave in one system call: the socket stays corked until the turn's end, or
 * until the bytes are handled that they answer: with thousands of busy peers, answers that wait for the turn's end
 * outlive V8's young generation.
 */
export class SocketConnection extends Endpoint {
  readonly datagram = false;
  /** Kept as text, because a closed socket no longer knows it. */
  readonly remote: string;
  private corked = false;
  private paused = false;
  /** Whether its owner is told of bytes just now. */
  private reading = false;

  constructor(
    readonly transport: string,
    private readonly socket: Socket,
  ) {
    super();
    this.remote = formatAddress(socket.remoteAddress, socket.remotePort);
    (socket as OwnedSocket)[OWNER] = this;
    socket.on('error', onError).on('close', onClose);
  }

  get local(): string {
    return formatAddress(this.socket.localAddress, this.socket.localPort);
  }

  tls(): TlsFacts | undefined {
    return tlsFacts(this.socket);
  }

  get pendingBytes(): number {
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (this.closed || bytes.length === 0) return;
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      if (!this.reading) setImmediate(SocketConnection.flush, this);
    }
    this.socket.write(bytes);
  }

  pause(): void {
    this.paused = true;
    if (this.handler && !this.closed) this.socket.pause();
  }

  resume(): void {
    this.paused = false;
    if (this.handler) this.socket.resume();
  }

  freeze(): void {
    stopReading(this.socket);
  }

  thaw(): void {
    startReading(this.socket);
    // One that was just opened from a handle does not flow by itself.
    if (!this.paused) this.socket.resume();
  }

  passage(): Passage | undefined {
    const handle = handleOf(this.socket);
    if (!handle || this.closed || this.pendingBytes > 0 || this.transport !== 'tcp') return undefined;
    return { handle };
  }

  protected start(): void {
    this.socket.on('data', onData).on('drain', onDrain).on('end', onEnd);
    if (this.paused) this.socket.pause();
  }

  /**
   * Sends the rest and our FIN, and reads on until the peer's FIN: closing with unread bytes would make the
   * system send a reset, which can overtake the rest (RFC 1122, 4.2.2.13).
   */
  protected flushAndClose(): void {
    this.socket.end();
    this.socket.resume();
  }

  protected abort(): void {
    this.socket.destroy();
  }

  private static flush(connection: SocketConnection): void {
    connection.corked = false;
    connection.socket.uncork();
  }

  /** The socket tells: bytes came. What they are answered at once leaves at once, and together. */
  received(bytes: Uint8Array): void {
    if (this.closed) return;
    this.reading = true;
    this.handler!.data(bytes);
    this.reading = false;
    if (this.corked) SocketConnection.flush(this);
  }

  /** The socket tells: its queue ran empty. */
  drained(): void {
    this.handler?.drain?.();
  }

  /** The socket tells: it failed, and closes next. */
  failed(error: Error): void {
    this.blame(socketError(error, this.remote));
  }

  /** The socket tells: it is closed. */
  released(): void {
    this.finish();
  }
}

function onData(this: OwnedSocket, bytes: Buffer): void {
  this[OWNER].received(bytes);
}

function onDrain(this: OwnedSocket): void {
  this[OWNER].drained();
}

function onEnd(this: OwnedSocket): void {
  this[OWNER].end();
}

function onError(this: OwnedSocket, error: Error): void {
  this[OWNER].failed(error);
}

function onClose(this: OwnedSocket): void {
  this[OWNER].released();
}
