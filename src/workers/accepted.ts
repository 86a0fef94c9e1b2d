/** Connections of a server that the primary accepts, as they come to a worker. */

import type { Socket } from 'node:net';
import type { SocketSource } from '../transports/streamlistener.js';
import type { BoundAddress } from './messages.js';

/** Ends of connections are told together, at most so many milliseconds late. */
const TELL_MS = 20;

export class AcceptedSockets implements SocketSource {
  readonly address: string;
  readonly port: number;
  /** Connections that another process had. */
  taken = 0;
  private take: ((socket: Socket) => void) | undefined;
  private closed = 0;
  private timer: NodeJS.Timeout | undefined;
  // One function for all sockets.
  private readonly gone = (): void => {
    this.closed++;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const count = this.closed;
      this.closed = 0;
      this.tell(count);
    }, TELL_MS).unref();
  };

  /** `tell` is told how many connections have closed. */
  constructor(
    { address, port }: BoundAddress,
    private readonly tell: (count: number) => void,
  ) {
    this.address = address;
    this.port = port;
  }

  open(take: (socket: Socket) => void): void {
    this.take = take;
  }

  adopted(socket: Socket): void {
    this.taken++;
    socket.on('close', this.gone);
  }

  close(): void {
    this.take = undefined;
  }

  /** A connection has come; it is closed when nobody takes it. */
  receive(socket: Socket): void {
    socket.on('close', this.gone);
    if (this.take) this.take(socket);
    else socket.destroy();
  }
}
