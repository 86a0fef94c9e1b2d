/** WebSocket links (RFC 6455), over TCP or TLS. */

import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import type { ClientTls } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Connection } from './connection.js';
import { END_MS } from './endpoint.js';
import { socketError } from './failure.js';
import { clientOptions } from './tlsclient.js';
import { WebSocketConnection } from './websocketconnection.js';

/** What a WebSocket link needs. */
export interface WebSocketConnectOptions {
  /** ws:// or wss://. */
  readonly url: string;
  /** Headers of the request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Subprotocols that are offered; the server must take one of them. Default: none. */
  readonly subprotocols?: readonly string[] | undefined;
  /** Certificates and versions for wss://; the files are read anew for each connection. */
  readonly tls?: ClientTls | undefined;
  /** Most seconds for connecting and the handshakes. Default 10. */
  readonly timeoutSeconds?: number | undefined;
  /** Seconds of silence after which the system probes whether the peer still exists; 0: never. Default 60. */
  readonly keepAliveSeconds?: number | undefined;
  /** Seconds between pings; a peer that sends nothing from one to the next is closed. 0: never. Default 30. */
  readonly pingSeconds?: number | undefined;
  /** Longest message in bytes; a longer one ends the connection (1009). Default 65,536. */
  readonly messageBytes?: number | undefined;
  /** Offers compression (RFC 7692). Default false. */
  readonly compression?: boolean | undefined;
  /** Messages are chunks of a stream of bytes, and go out as binary. Default false. */
  readonly stream?: boolean | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a WebSocket. Rejects with a MoonwireError: as `connectTcp` and `connectTls` do, with `unauthorized` for an answer
 * of 401 or 403, and with `not_connected` for any other that is no upgrade.
 */
export async function connectWebSocket(options: WebSocketConnectOptions): Promise<Connection> {
  const { messageBytes = 65_536, pingSeconds = 30, keepAliveSeconds = 60 } = options;
  const where = withoutQuery(options.url);
  const { ws, socket } = await upgraded(options);
  socket.setNoDelay(true).setKeepAlive(keepAliveSeconds > 0, keepAliveSeconds * 1000);
  if (ws.readyState !== WebSocket.OPEN)
    throw new MoonwireError('not_connected', `${where} closed at once`, where);
  let pings: NodeJS.Timeout | undefined;
  const settings = {
    stream: options.stream ?? false,
    messageBytes,
    forget: () => clearInterval(pings),
  };
  const connection = new WebSocketConnection(ws, socket, settings, undefined);
  if (pingSeconds > 0) pings = setInterval(() => connection.probe(pingSeconds), pingSeconds * 1000).unref();
  return connection;
}

/** Resolves once the server has agreed; rejects with nothing left open. */
function upgraded(options: WebSocketConnectOptions): Promise<{ ws: WebSocket; socket: Socket }> {
  const { url, headers = {}, subprotocols = [], tls, timeoutSeconds = 10, signal } = options;
  const where = withoutQuery(url);
  if (signal?.aborted) return Promise.reject(givenUp(where));
  // The library's type declarations do not know `closeTimeout` yet.
  const own: ClientOptions & { closeTimeout: number } = {
    headers: { ...headers },
    autoPong: false,
    closeTimeout: END_MS,
    maxPayload: options.messageBytes ?? 65_536,
    perMessageDeflate: options.compression ?? false,
    ...(url.startsWith('wss:') && clientOptions(tls, new URL(url).hostname.replace(/^\[|\]$/g, ''))),
  };
  const ws = new WebSocket(url, [...subprotocols], own);
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      ws.off('open', done).off('error', fail);
    };
    const fail = (error: unknown): void => {
      settle();
      // Being ended, it tells of it as an error.
      ws.on('error', () => {}).terminate();
      reject(socketError(error, where));
    };
    const done = (): void => {
      settle();
      resolve({ ws, socket: socket! });
    };
    const abort = (): void => fail(givenUp(where));
    const timer = setTimeout(
      () => fail(new MoonwireError('timeout', `${where} did not answer within ${timeoutSeconds} s`, where)),
      timeoutSeconds * 1000,
    );
    signal?.addEventListener('abort', abort);
    ws.on('upgrade', (response) => {
      socket = response.socket;
    });
    ws.on('unexpected-response', (_request, { statusCode, statusMessage }) => {
      const code = statusCode === 401 || statusCode === 403 ? 'unauthorized' : 'not_connected';
      fail(new MoonwireError(code, `${where} answers ${statusCode} ${statusMessage ?? ''}`.trimEnd(), where));
    });
    ws.on('open', done).on('error', fail);
  });
}

function givenUp(where: string): MoonwireError {
  return new MoonwireError('closed', `${where}: connecting was given up`, where);
}

/** An address as it is told: a query may hold a secret. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0]!;
}
