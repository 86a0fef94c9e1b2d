import type { Server, Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import { type Connection, type Listener, listenerCounters } from './connection.js';
import { socketError } from './failure.js';
import type { Spoken } from './firstbytes.js';
import { Gate, type GateLimits } from './gate.js';
import { acceptOn, boundTo, type Handle, HeldAccepts, handleOf, listenOn, socketOn } from './handles.js';
import type { Passage } from './movable.js';
import { Sniffer } from './sniffer.js';
import { SOCKET_OPTIONS, SocketConnection } from './socketconnection.js';
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
  /** Listens on in the place of this one, at the same address: nobody who connects meanwhile is turned away. */
  inPlaceOf?: StreamListener | undefined;
  /** What another process listened on: taken over, frozen, in place of listening anew. */
  inherited?: Passage | undefined;
}

export const BACKLOG = 1024;

/** Connections that somebody else accepts. */
export interface SocketSource {
  /** Where they are accepted: "host:port" as bound, and the port. */
  readonly address: string;
  readonly port: number;
  /** Hands over what comes, until `close`. */
  open(take: (socket: Socket) => void): void;
  /** A connection that another process had is open here. */
  adopted(socket: Socket): void;
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
  if (options.inherited) return;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve);
    // Node lets a server go on with the handle of another one, which hears nothing any more.
    if (options.inPlaceOf) server.listen(options.inPlaceOf.server);
    else server.listen({ host: options.host, port: options.port, backlog: options.backlog ?? BACKLOG });
  }).catch((error: unknown) => {
    throw socketError(error, formatAddress(options.host ?? '*', options.port));
  });
}

/** What all servers of stream sockets share once they listen: whom they let in, and that every refusal is counted. */
export class StreamListener implements Listener {
  readonly address: string;
  readonly port: number;
  readonly counters: ReturnType<typeof listenerCounters>;
  private readonly source: SocketSource | undefined;
  /** What it is to listen on, until it is thawed for the first time. */
  private inherited: Passage | undefined;
  private held: HeldAccepts | undefined;
  /** How many of those held another process has. */
  private passed = 0;
  /** Of which it became known while it is frozen what they speak. */
  private told: [socket: Socket, spoken: Spoken][] = [];
  /** Makes a WebSocket, where there are any, of a socket and what another process kept of it. */
  upgraded: ((socket: Socket, state: unknown) => Connection) | undefined;
  private readonly gate: Gate;
  private readonly throttle = new LogThrottle();
  private readonly tlsHandshakes: Handshakes | undefined;
  private readonly sniffer: Sniffer | undefined;
  private readonly parts: { close(): void }[] = [];

  /**
   * Whoever takes a connection as a client counts it as accepted. `credentials`: those that a server of node:tls was made with, closed with it.
   */
  constructor(
    readonly server: Server,
    private readonly options: StreamListenOptions,
    private readonly log: Logger,
    private readonly onSocket: OnSocket,
    credentials?: { close(): void },
  ) {
    this.source = options.source;
    this.inherited = options.inherited;
    this.counters = options.inPlaceOf?.counters ?? listenerCounters();
    // Handshakes and requests that are under way are none of the new one's.
    this.parts.push(...(options.inPlaceOf?.parts ?? []));
    const { address, port } = options.source ?? boundTo(options.inherited?.handle ?? handleOf(server)!);
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

  freeze(): void {
    const handle = handleOf(this.server);
    if (handle && !this.held) this.held = new HeldAccepts(handle);
  }

  thaw(): void {
    const { inherited, held, told } = this;
    this.inherited = undefined;
    this.held = undefined;
    this.told = [];
    if (inherited?.handle)
      listenOn(this.server, inherited.handle, this.options.backlog ?? BACKLOG, inherited.accepted ?? []);
    held?.end();
    for (const [socket, spoken] of told) this.onSocket(socket, spoken);
  }

  passage(): Passage | undefined {
    const handle = handleOf(this.server);
    const accepted = [...(this.held?.handles ?? [])];
    this.passed = accepted.length;
    return handle && { handle, accepted };
  }

  letGo(): Handle[] {
    void this.close();
    for (const [socket] of this.told) socket.destroy();
    return this.held?.handles.slice(this.passed) ?? [];
  }

  receive(accepted: Handle): void {
    acceptOn(this.server, accepted);
  }

  adopt({ handle, state }: Passage): Connection {
    const socket = socketOn(handle!, SOCKET_OPTIONS, this.server);
    const host = socket.remoteAddress ?? '';
    this.source?.adopted(socket);
    this.gate.arrived(host);
    this.leaves(socket, host);
    return state === undefined ? new SocketConnection('tcp', socket) : this.upgraded!(socket, state);
  }

  private leaves(socket: Socket, host: string): void {
    if (this.gate.counts) socket.once('close', () => this.gate.left(host));
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
    const { sniffer, options } = this;
    const among = { tls: tls !== undefined && options.plain === true, http: options.tellHttp === true };
    if (tls && !among.tls) tls.take(socket);
    else if (!sniffer || !(among.tls || among.http)) this.hand(socket, 'own');
    else
      sniffer.take(socket, among, (spoken) =>
        spoken === 'tls' ? tls!.take(socket) : this.hand(socket, spoken),
      );
  }

  /** It is known what a connection speaks: hands it to its owner, once it may have new ones. */
  private hand(socket: Socket, spoken: Spoken): void {
    if (this.held) this.told.push([socket, spoken]);
    else this.onSocket(socket, spoken);
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
