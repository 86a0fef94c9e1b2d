import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Logger } from '../log.js';
import type { Listener, OnConnection } from './connection.js';
import { END_MS } from './endpoint.js';
import { type HttpListenOptions, listenHttp, refuse, type Upgrades } from './http.js';
import type { StreamListener } from './streamlistener.js';
import { type MovedWebSocket, WebSocketConnection, type WebSocketSettings } from './websocketconnection.js';
import { FrameMaker } from './websocketframe.js';
import { openWebSocket } from './websocketreceiver.js';

/** What a WebSocket server needs, beside where it listens. */
export interface WebSocketListenOptions extends WebSocketOptions, HttpListenOptions {}

/** Whom WebSockets are for, and how they are kept. */
export interface WebSocketOptions {
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
  /** Messages are chunks of a stream of bytes, and go out as binary. Default false. */
  stream?: boolean | undefined;
  /** `websocket`: its connections say so, since what they carry is not what their server speaks otherwise. */
  speaks?: 'websocket' | undefined;
}

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
export function listenWebSocket(
  options: WebSocketListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const upgrades = (listener: StreamListener) => new WebSocketUpgrades(options, listener, onConnection);
  return listenHttp(options, { upgrades }, log);
}

/** Makes WebSockets of connections that ask for it. */
export class WebSocketUpgrades implements Upgrades {
  private readonly connections = new Set<WebSocketConnection>();
  private readonly handshakes: WebSocketServer;
  private readonly settings: WebSocketSettings;
  private readonly origins: readonly RegExp[] | undefined;
  private readonly pings: NodeJS.Timeout | undefined;

  /** `listener` counts those that are let in, and those that are not. */
  constructor(
    private readonly options: WebSocketOptions,
    private readonly listener: StreamListener,
    private readonly onConnection: OnConnection,
  ) {
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
    const seconds = options.pingSeconds ?? 30;
    if (seconds > 0) {
      this.pings = setInterval(() => {
        for (const connection of this.connections) connection.probe(seconds);
      }, seconds * 1000).unref();
    }
  }

  /** Stops pinging; open WebSockets are for their owners to end. */
  close(): void {
    clearInterval(this.pings);
  }

  adopt(socket: Socket, state: unknown): WebSocketConnection {
    const { subprotocol, head, held } = state as MovedWebSocket;
    const ws = openWebSocket(socket, head, subprotocol, this.handshakes.options);
    const connection = new WebSocketConnection(ws, socket, this.settings, undefined);
    this.connections.add(connection);
    connection.restore({ subprotocol, head, held });
    return connection;
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const refusal = this.refusal(request);
    if (refusal) {
      this.listener.refuse('refusedHandshakes', refusal[1]);
      refuse(socket, ...refusal);
      return;
    }
    const { counters } = this.listener;
    const { accepted } = counters;
    this.handshakes.handleUpgrade(request, socket, head, (ws) => this.welcome(ws, request, socket));
    // The library answers requests that break RFC 6455 itself, within the call.
    if (counters.accepted === accepted) this.listener.refuse('refusedHandshakes', 'not as RFC 6455 has it');
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
    this.listener.counters.accepted++;
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
}

/** A pattern in which `*` stands for any characters; upper and lower case are alike, as in host names. */
function patternOf(origin: string): RegExp {
  const parts = origin.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i');
}
