import { createServer, Socket } from 'node:net';
import { MoonwireError } from '../errors.js';
import type { Logger } from '../log.js';
import { formatAddress } from './address.js';
import type { Connection, Listener, OnConnection } from './connection.js';
import { socketError } from './failure.js';
import { type Handle, socketOn } from './handles.js';
import { SOCKET_OPTIONS, SocketConnection } from './socketconnection.js';
import {
  KEEP_ALIVE_MS,
  listen,
  type OnSocket,
  StreamListener,
  type StreamListenOptions,
} from './streamlistener.js';

/** Opens a TCP server. Rejects as `listen` of streamlistener.ts does. */
export async function listenTcp(
  options: StreamListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const listener: StreamListener = await openTcp(options, log, (socket) => {
    listener.counters.accepted++;
    onConnection(new SocketConnection('tcp', socket));
  });
  return listener;
}

/** A TCP link's connection from what another process handed over, frozen. */
export function adoptTcp(handle: Handle): Connection {
  return new SocketConnection('tcp', socketOn(handle, SOCKET_OPTIONS, undefined));
}

/** Opens a port and passes on whom it lets in. Rejects as {@link listenTcp} does. */
export async function openTcp(
  options: StreamListenOptions,
  log: Logger,
  onSocket: OnSocket,
): Promise<StreamListener> {
  const server = createServer({ ...SOCKET_OPTIONS, keepAliveInitialDelay: KEEP_ALIVE_MS });
  await listen(server, options);
  return new StreamListener(server, options, log, onSocket);
}

/** What a TCP link needs. */
export interface TcpConnectOptions {
  /** Address or host name; all its addresses are tried. */
  host: string;
  /** 1 to 65535. */
  port: number;
  /** Most seconds for name look-up and connecting. Default 10. */
  timeoutSeconds?: number | undefined;
  /** Seconds of silence after which the system probes whether the peer still exists; 0: never. Default 60. */
  keepAliveSeconds?: number | undefined;
  /** Gives up when aborted. */
  signal?: AbortSignal | undefined;
}

/**
 * Connects to a TCP server. Rejects with a MoonwireError: `not_connected`, `timeout`, `not_found` (host name),
 * `closed` when aborted.
 */
export async function connectTcp(options: TcpConnectOptions): Promise<Connection> {
  const open = (): Socket => new Socket(SOCKET_OPTIONS).connect(connectOptions(options));
  return new SocketConnection('tcp', await connected(options, open, 'connect'));
}

/** Where and how Node is to connect. */
export function connectOptions({ host, port }: TcpConnectOptions) {
  return { host, port, noDelay: true };
}

/** Opens a socket, and resolves once it tells `event`. Rejects as {@link connectTcp} does, with nothing left open. */
export function connected(
  options: TcpConnectOptions,
  open: () => Socket,
  event: 'connect' | 'secureConnect',
): Promise<Socket> {
  const { host, port, signal, timeoutSeconds = 10, keepAliveSeconds = 60 } = options;
  const where = formatAddress(host, port);
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket?.off('error', fail).off(event, done);
    };
    const fail = (error: unknown): void => {
      settle();
      // Being destroyed, it may tell of more errors.
      socket?.on('error', () => {}).destroy();
      reject(socketError(error, where));
    };
    const done = (): void => {
      settle();
      resolve(socket!.setKeepAlive(keepAliveSeconds > 0, keepAliveSeconds * 1000));
    };
    const abort = (): void => fail(new MoonwireError('closed', `${where}: connecting was given up`, where));
    const timer = setTimeout(
      () => fail(new MoonwireError('timeout', `${where} did not answer within ${timeoutSeconds} s`, where)),
      timeoutSeconds * 1000,
    );
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    try {
      socket = open().on('error', fail).on(event, done);
    } catch (error) {
      fail(error);
    }
  });
}
