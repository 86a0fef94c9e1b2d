/** Ports on which HTTP/1.1 is spoken, alone or beside other protocols: who takes a connection, and what is refused. */

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ServerTls } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Connection, Listener, OnConnection } from './connection.js';
import { systemCode } from './failure.js';
import { HttpConnection, type HttpSettings } from './httpconnection.js';
import { SOCKET_OPTIONS, SocketConnection, streamTransport } from './socketconnection.js';
import type { OnSocket, StreamListener, StreamListenOptions } from './streamlistener.js';
import { openTcp } from './tcp.js';

/** What a port of HTTP needs, beside where it listens. */
export interface HttpListenOptions extends Omit<StreamListenOptions, 'tellHttp'> {
  /** Seconds within which a request must have come whole, after as many for TLS; then it is answered 408. Default 10. */
  handshakeSeconds?: number | undefined;
  /** Certificates, keys and versions; adds TLS. */
  tls?: ServerTls | undefined;
}

/** Who takes what comes; at least one of them. */
export interface HttpTakers {
  /** Takes those that ask for a WebSocket. `listener` counts them. */
  upgrades?: (listener: StreamListener) => Upgrades;
  /** Takes those that send requests, with bodies of at most `bodyBytes`; without it they are answered 426. */
  requests?: { readonly bodyBytes: number; readonly onConnection: OnConnection };
  /** Takes those that speak something else; without it they are answered 400. */
  others?: OnConnection;
}

/** Takes connections over from HTTP. */
export interface Upgrades {
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Makes one again, frozen, of its socket and what another process kept of it; its caller attaches to it. */
  adopt(socket: Socket, state: unknown): Connection;
  close(): void;
}

/** Longest request line with all headers, in bytes; longer ones are answered 431. */
const HEADER_BYTES = 16_384;
/** That a client leaves, also amid a request, is no offence. */
const LEFT = new Set(['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE']);
/** How often requests that take too long are looked for, in milliseconds. */
const CHECK_MS = 500;

/** Opens a port. Rejects as `listen` of streamlistener.ts does. */
export async function listenHttp(
  options: HttpListenOptions,
  takers: HttpTakers,
  log: Logger,
): Promise<Listener> {
  const { handshakeSeconds = 10, tls } = options;
  const { others } = takers;
  const http = createHttp(handshakeSeconds);
  const onSocket: OnSocket = (socket, spoken) => {
    if (spoken === 'http' || !others) {
      desk.take(socket);
      return;
    }
    listener.counters.accepted++;
    others(new SocketConnection(streamTransport(socket), socket));
  };
  const stream = { ...options, tellHttp: others !== undefined };
  const listener: StreamListener = tls
    ? await (await import('./tls.js')).openTls({ ...stream, tls }, log, onSocket)
    : await openTcp(stream, log, onSocket);
  const desk = new HttpDesk(http, listener, takers);
  listener.closeWith(desk);
  return listener;
}

/** A server of Node that is handed its sockets: it reads strictly what RFC 9112 says. */
function createHttp(seconds: number): Server {
  const milliseconds = seconds * 1000;
  const server = createServer({
    ...SOCKET_OPTIONS,
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: milliseconds,
    requestTimeout: milliseconds,
    connectionsCheckingInterval: Math.min(CHECK_MS, milliseconds),
    // How long a connection may be idle is said by its owner.
    keepAliveTimeout: 0,
    insecureHTTPParser: false,
  });
  // It looks after slow requests from when it is told that it listens.
  server.emit('listening');
  return server;
}

/** Where requests come in, and go to whoever takes them. */
class HttpDesk {
  /** Connections whose first request is still to come. */
  private readonly begun = new Set<Socket>();
  private readonly upgrades: Upgrades | undefined;
  private readonly forget: (this: Socket) => void;

  constructor(
    private readonly http: Server,
    private readonly listener: StreamListener,
    private readonly takers: HttpTakers,
  ) {
    const { begun } = this;
    this.forget = function (this: Socket) {
      begun.delete(this);
    };
    this.upgrades = takers.upgrades?.(listener);
    const { upgrades } = this;
    if (upgrades) {
      http.on('upgrade', (request, socket, head) => this.upgrade(upgrades, request, socket as Socket, head));
      listener.upgraded = (socket, state) => upgrades.adopt(socket, state);
    }
    const { requests } = takers;
    if (requests) {
      const settings = {
        bodyBytes: requests.bodyBytes,
        refused: (why: string) => listener.refuse('refusedRequests', why),
      };
      const take = (hesitant: boolean) => (request: IncomingMessage, response: ServerResponse) =>
        this.connectionOf(request.socket, settings, requests.onConnection).take({
          request,
          response,
          hesitant,
        });
      http.on('request', take(false)).on('checkContinue', take(true));
    } else http.on('request', (_request, response) => this.refuseRequest(response));
    http.on('clientError', (error, socket) => this.failed(error, socket as Socket));
  }

  /** Reads requests from a connection of which nobody has read. */
  take(socket: Socket): void {
    this.begun.add(socket.once('close', this.forget));
    this.http.emit('connection', socket);
  }

  /** Ends those whose request is still to come; others are for their owners to end. */
  close(): void {
    this.http.close();
    this.upgrades?.close();
    for (const socket of this.begun) socket.destroy();
  }

  private passed(socket: Socket): void {
    this.begun.delete(socket.off('close', this.forget));
  }

  private connectionOf(socket: Socket, settings: HttpSettings, onConnection: OnConnection): HttpConnection {
    const known = HttpConnection.over(socket);
    if (known) return known;
    this.passed(socket);
    const connection = new HttpConnection(socket, settings);
    this.listener.counters.accepted++;
    onConnection(connection);
    return connection;
  }

  private upgrade(upgrades: Upgrades, request: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = HttpConnection.over(socket);
    if (connection && !connection.leave()) {
      this.listener.refuse('refusedHandshakes', 'an upgrade before the answers to earlier requests');
      connection.spoiled();
      return;
    }
    this.passed(socket);
    upgrades.upgrade(request, socket, head);
  }

  private refuseRequest(response: ServerResponse): void {
    this.listener.refuse('refusedHandshakes', 'a request that is no WebSocket handshake');
    response
      .writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' })
      .end('This port speaks WebSocket only: connect with ws:// and an upgrade request (RFC 6455).\n');
  }

  /** What came is no HTTP, or not in time, or its sender has gone. */
  private failed(error: Error, socket: Socket): void {
    const connection = HttpConnection.over(socket);
    const code = systemCode(error);
    if (!this.takers.requests) this.listener.refuse('refusedHandshakes', error.message);
    else if (!LEFT.has(code)) this.listener.refuse('refusedRequests', error.message);
    if (!connection?.answers) refuse(socket, statusOf(code), 'No valid and timely HTTP request.');
    connection?.spoiled();
  }
}

/** Answers a request with an error, and closes. */
export function refuse(socket: Duplex, status: number, text: string): void {
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
