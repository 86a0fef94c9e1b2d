import type { Server, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import { type Listener, listenerCounters } from './connection.js';
import { socketError } from './failure.js';
import type { Spoken } from './firstbytes.js';
import { Gate, type GateLimits } from './gate.js';
import { Sniffer } from './sniffer.js';
import { type HandshakeLimits, Handshakes } from './tlshandshakes.js';

/** Where a server of stream sockets listens, and how many may come; the limits of handshakes concern TLS. */
export interface StreamListenOptions extends GateLimits, HandshakeLimits {
  /** Address or host name to listen on. Default: all addresses, IPv4 and IPv6. */
  host?: string | undefined;
  /** 0 to 65535; 0 picks a free one. */
  port: number;
  /** Connections the system may hold before they are accepted. Default 1024, bounded by `net.core.somaxconn`. */
  backlog?: number | undefined;
  /** HTTP is told from what is spoken otherwise, by the first bytes. Default false. */
  tellHttp?: boolean | undefined;
  /** With TLS: those that come without it are let in, too. Default false. */
  plain?: boolean | undefined;
  /** Seconds to wait for first bytes, where they are looked at. Default 2. */
  sniffSeconds?: number | undefined;
  /** Where connections come from when it is not to listen itself. */
  source?: SocketSource | undefined;
}

/** Connections that somebody else accepts. */
export interface SocketSource {
  /** Where they are accepted: "host:port" as bound, and the port. */
  readonly address: string;
  readonly port: number;
  /** Hands over what comes, until `close`. */
  open(take: (socket: Socket) => void): void;
  close(): void;
}

/** Told of each connection that is let in, of which nobody has read, and of what it speaks. */
export type OnSocket = (socket: Socket, spoken: Spoken) => void;

/** Milliseconds of silence after which the system probes whether a peer still exists. */
export const KEEP_ALIVE_MS = 60_000;

/**
 * Lets a server of Node listen. Rejects with a MoonwireError: `conflict` when the port is taken, `forbidden`,
 * `invalid_argument` for an address that is not ours.
 */
export async function listen(server: Server, options: StreamListenOptions): Promise<void> {
  if (options.source) {
    options.source.open((socket) => server.emit('connection', socket));
    // A server of node:http looks after slow requests from then on.
    server.emit('listening');
    return;
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve);
    server.listen({ host: options.host, port: options.port, backlog: options.backlog ?? 1024 });
  }).catch((error: unknown) => {
    throw socketError(error, formatAddress(options.host ?? '*', options.port));
  });
}

/** What all servers of stream sockets share once they listen: whom they let in, and that every refusal is counted. */
export class StreamListener implements Listener {
  readonly address: string;
  readonly port: number;
  readonly counters = listenerCounters();
  private readonly source: SocketSource | undefined;
  private readonly throttle = new LogThrottle();
  private readonly tlsHandshakes: Handshakes | undefined;
  private readonly sniffer: Sniffer | undefined;
  private readonly parts: { close(): void }[] = [];

  /**
   * Whoever takes a connection as a client counts it as accepted. `credentials`: those that a server of node:tls was made with, closed with it.
   */
  constructor(
    protected readonly server: Server,
    private readonly options: StreamListenOptions,
    private readonly log: Logger,
    private readonly onSocket: OnSocket,
    credentials?: { close(): void },
  ) {
    this.source = options.source;
    const { address, port } = options.source ?? boundTo(server);
    this.address = address;
    this.port = port;

    if (credentials) {
      this.tlsHandshakes = this.shakeHands(server as TlsServer, options);
      this.closeWith(this.tlsHandshakes);
      this.closeWith(credentials);
    }
    if (options.tellHttp || (options.plain && credentials)) {
      this.sniffer = new Sniffer(options.sniffSeconds ?? 2);
      this.counters.sniffed = this.sniffer.counters;
      this.closeWith(this.sniffer);
    }
    const limit = options.connections ?? 10_000;
    const gate = new Gate(options, this.counters);
    // Node closes what is above its `maxConnections` before it makes a socket of it: the cheapest refusal.
    server.maxConnections = limit;
    server.on('drop', () => {
      this.counters.refusedLimit++;
      this.warn('limit', `connection refused: ${limit} are open, the most allowed`);
    });
    server.on('connection', (socket) => {
      // One that has gone already has no address any more.
      const host = socket.remoteAddress ?? '';
      const refusal = gate.admit(host);
      if (refusal) {
        this.warn(refusal.counter, `connection refused: ${refusal.why}`);
        // The peer may be gone already, which the reset would report.
        socket.on('error', () => {}).resetAndDestroy();
        return;
      }
      if (gate.counts) socket.once('close', () => gate.left(host));
      this.pass(socket, this.tlsHandshakes);
    });
    // After listening, an error is a failed accept (too many open files): the server goes on.
    server.on('error', (error) =>
      this.warn('accept', `accept failed: ${socketError(error, this.address).message}`),
    );
  }

  close(): Promise<void> {
    this.source?.close();
    // Node's callback waits for the open connections; the port itself is free once the handle is closed.
    this.server.close();
    for (const part of this.parts) part.close();
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Counts what was refused after it was let in, and logs it at a bounded rate. */
  refuse(counter: 'refusedHandshakes' | 'refusedRequests', why: string): void {
    this.counters[counter]++;
    this.warn(counter, `${counter === 'refusedRequests' ? 'request' : 'handshake'} refused: ${why}`);
  }

  /** Closes `part` with it. */
  closeWith(part: { close(): void }): void {
    this.parts.push(part);
  }

  /** Passes a connection on, by what it speaks. `tls`: what encrypts it, unless that is done. */
  private pass(socket: Socket, tls: Handshakes | undefined): void {
    const { sniffer, options, onSocket } = this;
    const among = { tls: tls !== undefined && options.plain === true, http: options.tellHttp === true };
    if (tls && !among.tls) tls.take(socket);
    else if (!sniffer || !(among.tls || among.http)) onSocket(socket, 'own');
    else
      sniffer.take(socket, among, (spoken) =>
        spoken === 'tls' ? tls!.take(socket) : onSocket(socket, spoken),
      );
  }

  private shakeHands(server: TlsServer, limits: HandshakeLimits): Handshakes {
    return new Handshakes(server, limits, {
      secured: (socket) => this.pass(socket, undefined),
      failed: (reason) => {
        this.counters.refusedHandshakes++;
        this.warn('tls', `TLS handshake failed: ${reason}`);
      },
      delayed: () => {
        this.counters.delayedHandshakes++;
      },
      full: () => {
        this.counters.refusedPending++;
        this.warn('pending', 'connection refused: the handshakes of too many others are not over');
      },
    });
  }

  /** Logs at most every 5 s for each `key`. */
  private warn(key: string, message: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(message, { server: this.address, suppressed });
  }
}

function boundTo(server: Server): { address: string; port: number } {
  const { address, port } = server.address() as { address: string; port: number };
  return { address: formatAddress(address, port), port };
}
