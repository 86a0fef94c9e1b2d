import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { ServerTls } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Listener, OnConnection } from './connection.js';
import { END_MS } from './endpoint.js';
import { systemCode } from './failure.js';
import { SOCKET_OPTIONS } from './socketconnection.js';
import { KEEP_ALIVE_MS, listen, StreamListener, type StreamListenOptions } from './streamlistener.js';
import type { TlsCredentials } from './tlscredentials.js';
import { WebSocketConnection, type WebSocketSettings } from './websocketconnection.js';
import { FrameMaker } from './websocketframe.js';

/** What a WebSocket server needs, beside where it listens. */
export interface WebSocketListenOptions extends StreamListenOptions {
  /** The only path that is served, without a query; others are answered 404. Default: any. */
  path?: string | undefined;
  /**
   * Subprotocols that are spoken, the preferred one first; a client that offers none of them is answered 400.
   * Default: none is agreed on.
   */
  subprotocols?: readonly string[] | undefined;
  /**
   * Origins whose pages may connect, `*` standing for any characters; others are answered 403. A request without
   * an origin comes from no browser and passes. Default: any.
   */
  origins?: readonly string[] | undefined;
  /** Compresses messages of 1 KiB and more (RFC 7692), for at most about 60 KB a client. Default false. */
  compression?: boolean | undefined;
  /** Longest message in bytes; a longer one ends the connection (1009). Default 65,536. */
  messageBytes?: number | undefined;
  /**
   * Seconds between pings; a peer that sends nothing from one to the next, not even the answer, is closed.
   * 0: never. Default 30.
   */
  pingSeconds?: number | undefined;
  /**
   * Seconds within which the request must have come whole, 1 or more, after as many for TLS; then it is answered 408.
   * Default 10.
   */
  handshakeSeconds?: number | undefined;
  /** Certificates, keys and versions; adds TLS. */
  tls?: ServerTls | undefined;
  /** Messages are chunks of a stream of bytes, and go out as binary. Default false. */
  stream?: boolean | undefined;
  /** `websocket`: its connections say so, since what they carry is not what their server speaks otherwise. */
  speaks?: 'websocket' | undefined;
}

/** Longest request with its headers, in bytes; a longer one is answered 431. */
const REQUEST_BYTES = 16_384;
/** How often requests that take too long are looked for, in milliseconds. */
const CHECK_MS = 500;

/**
 * RFC 7692 within bounds: nothing is kept from one message to the next, and what is sent is compressed in a window of
 * 2 KiB.
 */
const COMPRESSION = {
  threshold: 1024,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 11,
  zlibDeflateOptions: { memLevel: 4 },
} as const;

/** Why a handshake is refused. */
type Refusal = readonly [status: number, text: string];

/**
 * Opens a WebSocket server (RFC 6455) for clients that upgrade an HTTP request; other requests are answered 426.
 * Rejects as `listen` of streamlistener.ts does.
 */
export async function listenWebSocket(
  options: WebSocketListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const milliseconds = (options.handshakeSeconds ?? 10) * 1000;
  const http = {
    ...SOCKET_OPTIONS,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    maxHeaderSize: REQUEST_BYTES,
    headersTimeout: milliseconds,
    requestTimeout: milliseconds,
    connectionsCheckingInterval: Math.min(CHECK_MS, milliseconds),
  };
  const { tls } = options;
  if (!tls) {
    const server = createServer(http);
    await listen(server, options);
    return new WebSocketListener(server, options, onConnection, log);
  }
  const { createServer: createHttpsServer } = await import('node:https');
  const { openSecure } = await import('./tls.js');
  const { server, credentials } = await openSecure({ ...options, tls }, log, (secure) =>
    createHttpsServer({ ...http, ...secure }),
  );
  return new WebSocketListener(server, options, onConnection, log, credentials);
}

class WebSocketListener extends StreamListener {
  private readonly connections = new Set<WebSocketConnection>();
  private readonly handshakes: WebSocketServer;
  private readonly settings: WebSocketSettings;
  private readonly origins: readonly RegExp[] | undefined;
  private readonly pings: NodeJS.Timeout | undefined;

  constructor(
    private readonly http: Server,
    private readonly options: WebSocketListenOptions,
    private readonly onConnection: OnConnection,
    log: Logger,
    credentials?: TlsCredentials,
  ) {
    super(http, options, log, () => {}, credentials);
    this.settings = {
      stream: options.stream ?? false,
      speaks: options.speaks,
      messageBytes: options.messageBytes ?? 65_536,
      frames: new FrameMaker(),
      forget: (connection) => this.connections.delete(connection),
    };
    this.origins = options.origins?.map(patternOf);
    // The library's type declarations do not know `closeTimeout` yet.
    const handshakes: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      // A pong of the library's own costs a closure a client.
      autoPong: false,
      closeTimeout: END_MS,
      maxPayload: this.settings.messageBytes,
      perMessageDeflate: options.compression ? COMPRESSION : false,
      handleProtocols: (offered) => this.agree(offered) ?? false,
    };
    this.handshakes = new WebSocketServer(handshakes);
    http.on('upgrade', (request, socket, head) => this.upgrade(request, socket as Socket, head));
    http.on('request', (_request, response) => {
      this.countRefusal('a request that is no WebSocket handshake');
      response
        .writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' })
        .end('This port speaks WebSocket only: connect with ws:// and an upgrade request (RFC 6455).\n');
    });
    http.on('clientError', (error, socket) => {
      this.countRefusal(error.message);
      refuse(socket, statusOf(systemCode(error)), 'No valid and timely HTTP request.');
    });
    const seconds = options.pingSeconds ?? 30;
    if (seconds > 0) {
      this.pings = setInterval(() => {
        for (const connection of this.connections) connection.probe(seconds);
      }, seconds * 1000).unref();
    }
  }

  override close(): Promise<void> {
    clearInterval(this.pings);
    const freed = super.close();
    // Those that are still at their handshake; open WebSockets are no longer HTTP's.
    this.http.closeAllConnections();
    return freed;
  }

  private upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const refusal = this.refusal(request);
    if (refusal) {
      this.countRefusal(refusal[1]);
      refuse(socket, ...refusal);
      return;
    }
    const { accepted } = this.counters;
    this.handshakes.handleUpgrade(request, socket, head, (ws) => this.welcome(ws, request, socket));
    // The library answers requests that break RFC 6455 itself, within the call.
    if (this.counters.accepted === accepted) this.countRefusal('not as RFC 6455 has it');
  }

  private welcome(ws: WebSocket, request: IncomingMessage, socket: Socket): void {
    const { method = '', url = '', httpVersion, headers } = request;
    const connection = new WebSocketConnection(ws, socket, this.settings, {
      method,
      uri: url,
      httpVersion,
      headers,
      subprotocol: ws.protocol,
    });
    this.counters.accepted++;
    this.connections.add(connection);
    this.onConnection(connection);
  }

  private refusal({ url = '', headers }: IncomingMessage): Refusal | undefined {
    const { path, subprotocols } = this.options;
    if (path !== undefined && url.split('?', 1)[0] !== path) return [404, 'There is nothing at this path.'];
    const { origin } = headers;
    if (origin !== undefined && this.origins && !this.origins.some((allowed) => allowed.test(origin)))
      return [403, 'Pages of this origin may not connect.'];
    const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
    if (subprotocols && !this.agree(new Set(offered)))
      return [400, `None of the subprotocols spoken here is offered: ${subprotocols.join(', ')}.`];
    return undefined;
  }

  /** The first of our subprotocols that is offered. */
  private agree(offered: ReadonlySet<string>): string | undefined {
    return this.options.subprotocols?.find((name) => offered.has(name));
  }

  private countRefusal(why: string): void {
    this.counters.refusedHandshakes++;
    this.warn('handshake', `handshake refused: ${why}`);
  }
}

/** Answers a request with an error, and closes. */
function refuse(socket: Duplex, status: number, text: string): void {
  // The peer may be gone already.
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(text) + 1}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}\n`);
}

function statusOf(code: string): number {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
}

/** A pattern in which `*` stands for any characters; upper and lower case are alike, as in host names. */
function patternOf(origin: string): RegExp {
  const parts = origin.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
