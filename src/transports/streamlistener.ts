import type { Server, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import { type Listener, listenerCounters } from './connection.js';
import { socketError } from './failure.js';
import { Gate, type GateLimits } from './gate.js';
import { acceptOn, boundTo, type Handle, HeldAccepts, handleOf, listenOn } from './handles.js';
import type { Passage } from './movable.js';
import { type HandshakeLimits, Handshakes } from './tlshandshakes.js';

/** Where a server of stream sockets listens, and how many may come; the limits of handshakes concern TLS. */
export interface StreamListenOptions extends GateLimits, HandshakeLimits {
  /** Address or host name to listen on. Default: all addresses, IPv4 and IPv6. */
  host?: string | undefined;
  /** 0 to 65535; 0 picks a free one. */
  port: number;
  /** Connections the system may hold before they are accepted. Default 1024, bounded by `net.core.somaxconn`. */
  backlog?: number | undefined;
  /** Where connections come from when it is not to listen itself. */
  source?: SocketSource | undefined;
  /** What another process listened on: taken over, frozen, in place of listening anew. */
  inherited?: Passage | undefined;
}

const BACKLOG = 1024;

/** Connections that somebody else accepts. */
export interface SocketSource {
  /** Where they are accepted: "host:port" as bound, and the port. */
  readonly address: string;
  readonly port: number;
  /** Hands over what comes, until `close`. */
  open(take: (socket: Socket) => void): void;
  close(): void;
}

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
  if (options.inherited) return;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve);
    server.listen({ host: options.host, port: options.port, backlog: options.backlog ?? BACKLOG });
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
  /** What it is to listen on, until it is thawed for the first time. */
  private inherited: Passage | undefined;
  private held: HeldAccepts | undefined;
  /** How many of those held another process has. */
  private passed = 0;
  private readonly gate: Gate;
  private readonly throttle = new LogThrottle();
  private readonly tlsHandshakes: Handshakes | undefined;

  /**
   * `onSocket` is told of each connection that is let in; whoever takes it as a client counts it as accepted.
   * `credentials`: those that a server of node:tls or node:https was made with, closed with it.
   */
  constructor(
    protected readonly server: Server,
    private readonly where: StreamListenOptions,
    private readonly log: Logger,
    onSocket: (socket: Socket) => void,
    private readonly credentials?: { close(): void },
  ) {
    const options = where;
    this.source = options.source;
    this.inherited = options.inherited;
    const { address, port } = options.source ?? boundTo(options.inherited?.handle ?? handleOf(server)!);
    this.address = address;
    this.port = port;

    if (credentials) this.tlsHandshakes = this.shakeHands(server as TlsServer, options, onSocket);
    const limit = options.connections ?? 10_000;
    this.gate = new Gate(options, this.counters);
    // Node closes what is above its `maxConnections` before it makes a socket of it: the cheapest refusal.
    server.maxConnections = limit;
    server.on('drop', () => {
      this.counters.refusedLimit++;
      this.warn('limit', `connection refused: ${limit} are open, the most allowed`);
    });
    server.on('connection', (socket) => {
      // One that has gone already has no address any more.
      const host = socket.remoteAddress ?? '';
      const refusal = this.gate.admit(host);
      if (refusal) {
        this.warn(refusal.counter, `connection refused: ${refusal.why}`);
        // The peer may be gone already, which the reset would report.
        socket.on('error', () => {}).resetAndDestroy();
        return;
      }
      this.leaves(socket, host);
      if (this.tlsHandshakes) this.tlsHandshakes.take(socket);
      else onSocket(socket);
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
    this.tlsHandshakes?.close();
    this.credentials?.close();
    return new Promise((resolve) => setImmediate(resolve));
  }

  freeze(): void {
    const handle = handleOf(this.server);
    if (handle && !this.held) this.held = new HeldAccepts(handle);
  }

  thaw(): void {
    const { inherited, held } = this;
    this.inherited = undefined;
    this.held = undefined;
    if (inherited?.handle)
      listenOn(this.server, inherited.handle, this.where.backlog ?? BACKLOG, inherited.accepted ?? []);
    held?.end();
  }

  passage(): Passage | undefined {
    const handle = handleOf(this.server);
    const accepted = [...(this.held?.handles ?? [])];
    this.passed = accepted.length;
    return handle && { handle, accepted };
  }

  letGo(): Handle[] {
    void this.close();
    return this.held?.handles.slice(this.passed) ?? [];
  }

  receive(accepted: Handle): void {
    acceptOn(this.server, accepted);
  }

  /** Counts one among the open ones that another process let in. */
  protected expect(socket: Socket): void {
    const host = socket.remoteAddress ?? '';
    this.gate.arrived(host);
    this.leaves(socket, host);
  }

  private leaves(socket: Socket, host: string): void {
    if (this.gate.counts) socket.once('close', () => this.gate.left(host));
  }

  private shakeHands(
    server: TlsServer,
    limits: HandshakeLimits,
    secured: (socket: Socket) => void,
  ): Handshakes {
    return new Handshakes(server, limits, {
      secured,
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
  protected warn(key: string, message: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(message, { server: this.address, suppressed });
  }
}
