import { createServer, type Server, Socket } from 'node:net';
import { MoonwireError } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import type { Connection, Listener, ListenerCounters, OnConnection } from './connection.js';
import { socketError } from './failure.js';
import { SOCKET_OPTIONS, SocketConnection } from './socketconnection.js';
import { TokenBucket } from './tokenbucket.js';

/** Milliseconds of silence after which the system probes whether a peer still exists. */
const KEEP_ALIVE_MS = 60_000;

/** What a TCP server needs. */
export interface TcpListenOptions {
  /** Address or host name to listen on. Default: all addresses, IPv4 and IPv6. */
  host?: string | undefined;
  /** 0 to 65535; 0 picks a free one. */
  port: number;
  /** Connections the system may hold before they are accepted. Default 1024, bounded by `net.core.somaxconn`. */
  backlog?: number | undefined;
  /** Most open connections; more are closed at once. Default 10,000. */
  connections?: number | undefined;
  /** Most new connections a second, with a burst of one second's worth; more are reset. Default 1000. */
  acceptsPerSecond?: number | undefined;
}

/**
 * Opens a TCP server. Rejects with a MoonwireError: `conflict` when the port is taken, `forbidden`,
 * `invalid_argument` for an address that is not ours.
 */
export async function listenTcp(
  options: TcpListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const server = createServer({ ...SOCKET_OPTIONS, keepAliveInitialDelay: KEEP_ALIVE_MS });
  const where = formatAddress(options.host ?? '*', options.port);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).once('listening', resolve);
    server.listen({ host: options.host, port: options.port, backlog: options.backlog ?? 1024 });
  }).catch((error: unknown) => {
    throw socketError(error, where);
  });
  return new TcpListener(server, options, onConnection, log);
}

class TcpListener implements Listener {
  readonly address: string;
  readonly port: number;
  readonly counters: ListenerCounters = { accepted: 0, refusedLimit: 0, refusedRate: 0, droppedDatagrams: 0 };

  constructor(
    private readonly server: Server,
    options: TcpListenOptions,
    onConnection: OnConnection,
    log: Logger,
  ) {
    const bound = server.address() as { address: string; port: number };
    this.address = formatAddress(bound.address, bound.port);
    this.port = bound.port;

    const limit = options.connections ?? 10_000;
    const rate = options.acceptsPerSecond ?? 1000;
    const bucket = new TokenBucket(rate);
    const throttle = new LogThrottle();
    const warn = (key: string, message: string): void => {
      const suppressed = throttle.pass(key);
      if (suppressed >= 0) log.warn(message, { server: this.address, suppressed });
    };

    // Node closes what is above its `maxConnections` before it makes a socket of it: the cheapest refusal.
    server.maxConnections = limit;
    server.on('drop', () => {
      this.counters.refusedLimit++;
      warn('limit', `connection refused: ${limit} are open, the most allowed`);
    });
    server.on('connection', (socket) => {
      if (!bucket.take()) {
        this.counters.refusedRate++;
        warn('rate', `connection refused: more than ${rate} new ones a second`);
        // The peer may be gone already, which the reset would report.
        socket.on('error', () => {}).resetAndDestroy();
        return;
      }
      this.counters.accepted++;
      onConnection(new SocketConnection('tcp', socket));
    });
    // After listening, an error is a failed accept (too many open files): the server goes on.
    server.on('error', (error) =>
      warn('accept', `accept failed: ${socketError(error, this.address).message}`),
    );
  }

  close(): Promise<void> {
    // Node's callback waits for the open connections; the port itself is free once the handle is closed.
    this.server.close();
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a TCP link needs. */
export interface TcpConnectOptions {
  /** Address or host name; all its addresses are tried. */
  host: string;
  /** 1 to 65535. */
  port: number;
  /** Most seconds for name look-up and connecting. Default 10. */
  timeoutSeconds?: number | undefined;
  /** Gives up when aborted. */
  signal?: AbortSignal | undefined;
}

/**
 * Connects to a TCP server. Rejects with a MoonwireError: `not_connected`, `timeout`, `not_found` (host name),
 * `closed` when aborted.
 */
export function connectTcp(options: TcpConnectOptions): Promise<Connection> {
  const { host, port, signal, timeoutSeconds = 10 } = options;
  const where = formatAddress(host, port);
  return new Promise((resolve, reject) => {
    const socket = new Socket(SOCKET_OPTIONS);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', fail).off('connect', connected);
    };
    const fail = (error: unknown): void => {
      settle();
      socket.destroy();
      reject(socketError(error, where));
    };
    const connected = (): void => {
      settle();
      resolve(new SocketConnection('tcp', socket));
    };
    const abort = (): void => fail(new MoonwireError('closed', `${where}: connecting was given up`, where));
    const timer = setTimeout(
      () => fail(new MoonwireError('timeout', `${where} did not answer within ${timeoutSeconds} s`, where)),
      timeoutSeconds * 1000,
    );
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    socket.on('error', fail).on('connect', connected);
    try {
      socket.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    } catch (error) {
      fail(error);
    }
  });
}
