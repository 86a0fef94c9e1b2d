/** TLS servers and links: the connection over a TCP socket, encrypted. */

import type { Server as NetServer, Socket } from 'node:net';
import { connect, createServer, type Server, type TlsOptions } from 'node:tls';
import type { ClientTls, ServerTls } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Connection, Listener, OnConnection } from './connection.js';
import { SOCKET_OPTIONS, SocketConnection } from './socketconnection.js';
import { KEEP_ALIVE_MS, listen, StreamListener, type StreamListenOptions } from './streamlistener.js';
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
  const { server, credentials } = await openSecure(options, log, (tls) =>
    createServer({ ...SOCKET_OPTIONS, keepAliveInitialDelay: KEEP_ALIVE_MS, ...tls }),
  );
  const accept = (socket: Socket): void => {
    listener.counters.accepted++;
    onConnection(new SocketConnection('tls', socket));
  };
  const listener = new StreamListener(server, options, log, accept, credentials);
  return listener;
}

/**
 * Lets a server that `create` makes of node:tls or node:https listen, and keeps it on what is newest until its
 * credentials are closed. Rejects as {@link listenTls} does.
 */
export async function openSecure<S extends NetServer>(
  options: TlsListenOptions,
  log: Logger,
  create: (options: TlsOptions) => S & Server,
): Promise<{ server: S; credentials: TlsCredentials }> {
  const credentials = new TlsCredentials(options.tls, log);
  try {
    const server = create(credentials.options);
    credentials.serve(server);
    await listen(server, options);
    return { server, credentials };
  } catch (error) {
    credentials.close();
    throw error;
  }
}

/** What a TLS link needs. */
export interface TlsConnectOptions extends TcpConnectOptions {
  /** Certificates and versions; the files are read anew for each connection. */
  tls: ClientTls;
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
