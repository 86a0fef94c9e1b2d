/** TLS servers and links: the connection over a TCP socket, encrypted. */

import type { Socket } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { ClientTls, ServerTls } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Connection, Listener, OnConnection } from './connection.js';
import { SOCKET_OPTIONS, SocketConnection, streamTransport } from './socketconnection.js';
import {
  KEEP_ALIVE_MS,
  listen,
  type OnSocket,
  StreamListener,
  type StreamListenOptions,
} from './streamlistener.js';
import { connected, connectOptions, type TcpConnectOptions } from './tcp.js';
import { clientOptions } from './tlsclient.js';
import { TlsCredentials } from './tlscredentials.js';

/** What a TLS server needs. */
export interface TlsListenOptions extends StreamListenOptions {
  /** Certificates, keys and versions. */
  tls: ServerTls;
}

/**
 * Opens a TLS server. Rejects as `listen` of streamlistener.ts does, and with `invalid_argument` for files that cannot
 * be used.
 */
export async function listenTls(
  options: TlsListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const listener: StreamListener = await openTls(options, log, (socket) => {
    listener.counters.accepted++;
    onConnection(new SocketConnection(streamTransport(socket), socket));
  });
  return listener;
}

/**
 * Opens a port and passes on whom it lets in, encrypted, or not where `plain` is set. Keeps it on the newest
 * credentials. Rejects as {@link listenTls} does.
 */
export async function openTls(
  options: TlsListenOptions,
  log: Logger,
  onSocket: OnSocket,
): Promise<StreamListener> {
  const credentials = new TlsCredentials(options.tls, log);
  try {
    const server = createServer({
      ...SOCKET_OPTIONS,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...credentials.options,
    });
    credentials.serve(server);
    await listen(server, options);
    return new StreamListener(server, options, log, onSocket, credentials);
  } catch (error) {
    credentials.close();
    throw error;
  }
}

/** What a TLS link needs. */
export interface TlsConnectOptions extends TcpConnectOptions {
  /** Certificates and versions; the files are read anew for each connection. */
  tls?: ClientTls | undefined;
}

/**
 * Connects to a TLS server. Rejects as `connectTcp` does, with `unauthorized` for a server that is not trusted, and
 * with `invalid_argument` for files that cannot be used.
 */
export async function connectTls(options: TlsConnectOptions): Promise<Connection> {
  const tls = clientOptions(options.tls, options.host);
  const open = (): Socket => connect({ ...SOCKET_OPTIONS, ...connectOptions(options), ...tls });
  return new SocketConnection('tls', await connected(options, open, 'secureConnect'));
}
