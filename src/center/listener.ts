/** The registry port: takes muxado bare, under TLS, and under WebSockets, and keeps strangers within bounds. */

import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import type { WebSocketServer } from 'ws';
import type { Config } from '../config/schema.js';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from '../transports/address.js';
import { socketError } from '../transports/failure.js';
import { TlsCredentials } from '../transports/tlscredentials.js';
import { MAX_WS_MESSAGE_BYTES, SUBPROTOCOL } from '../uplink/dial.js';

/** `center.registry` of a configuration. */
export type RegistryConfig = Config['center']['registry'];

/** Someone at the door: a connection that has not proved anything yet. */
export interface Visitor {
  /** Bytes of a session. */
  readonly transport: Duplex;
  /** Where it comes from. */
  readonly host: string;
  /** "host:port" */
  readonly remote: string;
  /** To be called when it has joined: the time limit for strangers ends. */
  admit(): void;
}

/** Bounds for strangers. */
export interface ListenerLimits {
  /** Connections that have not joined yet; one more pushes out the oldest, so that none can keep others out. 256. */
  readonly strangers: number;
  /** Milliseconds from the connection to the join; 10,000. */
  readonly joinMs: number;
}

/** Rising for ever; names are metric labels. */
export interface ListenerCounters {
  connections: number;
  /** Closed because they did not join in time, or to make room for newer ones. */
  late: number;
  evicted: number;
  /** Failed TLS handshakes, and plain connections where TLS is demanded. */
  badTls: number;
  /** What spoke neither muxado nor a WebSocket of ours. */
  notUplink: number;
}

/** First bytes that tell what is spoken; a muxado frame beginning so would be larger than any window. */
const HTTP_START = 0x47;
const TLS_START = 0x16;
const KEEP_ALIVE_MS = 60_000;

/** The open port. */
export class RegistryListener {
  readonly counters: ListenerCounters = { connections: 0, late: 0, evicted: 0, badTls: 0, notUplink: 0 };

  private readonly server: Server;
  /** Connections that have not joined, oldest first, by their remote "host:port", which TLS leaves as it is. */
  private readonly strangers = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  private readonly sockets = new Set<Socket>();
  private readonly throttle = new LogThrottle();
  private readonly http = createHttpServer();
  private webSockets: Promise<WebSocketServer> | undefined;

  private constructor(
    private readonly onVisitor: (visitor: Visitor) => void,
    private readonly limits: ListenerLimits,
    private readonly log: Logger,
    private readonly credentials: TlsCredentials | undefined,
  ) {
    const secure =
      credentials && createTlsServer({ ...credentials.options, handshakeTimeout: limits.joinMs });
    if (secure) credentials.serve(secure);
    this.server = createServer({ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, noDelay: true });
    this.server.on('connection', (socket) => {
      if (!this.takeStranger(socket)) return;
      if (secure) secure.emit('connection', socket);
      else this.sniff(socket);
    });
    secure?.on('secureConnection', (socket) => this.sniff(socket));
    secure?.on('tlsClientError', (error, socket) => {
      this.counters.badTls++;
      this.warn('tls', remoteOf(socket), `TLS failed: ${error.message}`);
      socket.destroy();
    });
    this.http.on('request', (_request, response) => {
      this.counters.notUplink++;
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
    });
    this.http.on('upgrade', (request, socket: Socket, head) => void this.upgrade(request, socket, head));
    this.http.on('clientError', (_error, socket) => {
      this.counters.notUplink++;
      socket.destroy();
    });
  }

  /**
   * Opens the port. Rejects with a MoonwireError: `conflict` when it is taken, `forbidden`, `invalid_argument` for an
   * address that is not ours, and for certificates that cannot be used.
   */
  static async open(
    config: RegistryConfig,
    onVisitor: (visitor: Visitor) => void,
    log: Logger,
    limits: ListenerLimits = { strangers: 256, joinMs: 10_000 },
  ): Promise<RegistryListener> {
    const credentials = config.tls && new TlsCredentials(config.tls, log);
    const listener = new RegistryListener(onVisitor, limits, log, credentials);
    const { server } = listener;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).once('listening', resolve);
      server.listen({ host: config.bind, port: config.port, backlog: 1024 });
    }).catch((error: unknown) => {
      credentials?.close();
      throw socketError(error, formatAddress(config.bind, config.port));
    });
    server.on('error', (error) => log.error('the registry port failed', { reason: error.message }));
    return listener;
  }

  /** The port listened on. */
  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  /** Connections that have not joined yet. */
  get strangerCount(): number {
    return this.strangers.size;
  }

  /** Closes the port at once, and every connection that came through it after `sessions` have ended. */
  async close(sessions: Promise<unknown>): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.credentials?.close();
    await sessions;
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** False when it has gone already. */
  private takeStranger(socket: Socket): boolean {
    this.counters.connections++;
    const remote = remoteOf(socket);
    if (remote === '') {
      socket.destroy();
      return false;
    }
    if (this.strangers.size >= this.limits.strangers) this.evictOldest();
    const timer = setTimeout(() => {
      this.counters.late++;
      this.warn('late', remote, `closed: it did not join within ${this.limits.joinMs} ms`);
      socket.destroy();
    }, this.limits.joinMs).unref();
    this.strangers.set(remote, { socket, timer });
    this.sockets.add(socket);
    // A reset is nothing special here; whoever reads the connection is told of its end.
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.strangers.get(remote)?.socket === socket) this.forget(remote);
      this.sockets.delete(socket);
    });
    return true;
  }

  private evictOldest(): void {
    for (const [remote, { socket }] of this.strangers) {
      this.counters.evicted++;
      this.warn('evicted', remote, 'closed to make room: too many connections that have not joined');
      this.forget(remote);
      socket.destroy();
      return;
    }
  }

  private forget(remote: string): void {
    clearTimeout(this.strangers.get(remote)?.timer);
    this.strangers.delete(remote);
  }

  /** Looks at the first byte, and leaves it where it was. */
  private sniff(socket: Socket): void {
    socket.on('error', () => {});
    socket.once('data', (bytes: Buffer) => {
      socket.pause();
      socket.unshift(bytes);
      if (bytes[0] === HTTP_START) {
        this.http.emit('connection', socket);
      } else if (bytes[0] === TLS_START) {
        this.counters.notUplink++;
        this.warn('tls', remoteOf(socket), 'closed: it speaks TLS, for which center.registry.tls is not set');
        socket.destroy();
      } else {
        this.receive(socket, socket);
      }
      socket.resume();
    });
  }

  private async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const asked = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!asked.includes(SUBPROTOCOL)) {
      this.counters.notUplink++;
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    // Loaded with the first engine that needs it.
    const library = import('ws');
    this.webSockets ??= library.then(
      ({ WebSocketServer }) =>
        new WebSocketServer({
          noServer: true,
          perMessageDeflate: false,
          maxPayload: MAX_WS_MESSAGE_BYTES,
          handleProtocols: () => SUBPROTOCOL,
        }),
    );
    const [server, { createWebSocketStream }] = await Promise.all([this.webSockets, library]);
    if (socket.destroyed) return;
    server.handleUpgrade(request, socket, head, (webSocket) => {
      this.receive(socket, createWebSocketStream(webSocket));
    });
  }

  private receive(socket: Socket, transport: Duplex): void {
    const remote = remoteOf(socket);
    this.onVisitor({
      transport,
      remote,
      host: remote.slice(0, remote.lastIndexOf(':')),
      admit: () => this.forget(remote),
    });
  }

  private warn(key: string, remote: string, message: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(message, { remote, suppressed });
  }
}

function remoteOf({ remoteAddress, remotePort }: Socket): string {
  return formatAddress(remoteAddress, remotePort);
}
