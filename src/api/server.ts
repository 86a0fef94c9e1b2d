/** The HTTP and WebSocket API of an engine or of the centre. */

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions, Server as TlsServer } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import type { Config } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { Gate } from './access.js';
import { EventStreams } from './event-stream.js';
import type { ApiHost } from './host.js';
import { mayComeFrom, namesThisMachine } from './peer-address.js';
import type { ApiMonitor } from './route.js';
import { createRouter } from './router.js';
import { ROUTES } from './routes.js';
import type { WorkerSocketCounters } from './worker-socket.js';
import { WorkerSockets } from './worker-sockets.js';

/** What an API over TLS presents and demands. */
export interface ApiTls {
  /** What `createServer` of node:https is given. */
  readonly options: TlsOptions;
  /** Keeps a server that was made with these on what is newest. */
  serve(server: TlsServer): void;
  close(): void;
}

/** How an API is run. */
export interface ApiOptions {
  readonly config: Config['engine']['apiServer'];
  /** `access` of the configuration as it is now; a new object when it changed. */
  access(): Config['access'];
  readonly log: Logger;
  /** Health and metrics. */
  readonly monitor?: ApiMonitor;
  /** Adds TLS; closed with the API. */
  readonly tls?: ApiTls | undefined;
}

/** What an API counts, rising for ever; names are metric labels. */
export interface ApiCounters {
  readonly webSockets: Readonly<WorkerSocketCounters>;
  /** Requests refused, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Connections refused because `connections` were open, and those closed because they took no answer. */
  readonly refusedConnections: number;
  readonly closedStalled: number;
}

/** A listening API. */
export interface Api {
  /** "host:port" as bound. */
  readonly address: string;
  /** The real port when 0 was asked for. */
  readonly port: number;
  readonly counters: ApiCounters;
  /** Says good-bye to WebSockets and event streams, and closes; ends within two seconds. */
  close(): Promise<void>;
}

/** Time for a TLS handshake, and for the headers of a request; a peer that sends them byte by byte is closed (408). */
const HEADERS_MS = 10_000;
/** How long `close` waits for what is under way. */
const CLOSE_MS = 2000;

/** Starts listening. Rejects with MoonwireError `conflict` when the port is taken. */
export async function startApi(host: ApiHost, options: ApiOptions): Promise<Api> {
  const { config, log } = options;
  const { bodyBytes, sendBufferBytes } = config.limits;
  const [idleMs, stallMs] = [config.readTimeout * 1000, config.writeTimeout * 1000];
  const gate = new Gate(options.access, log);
  const streams = new EventStreams(stallMs);

  const guard = (request: IncomingMessage): void => {
    if (gate.localOnly && !namesThisMachine(request))
      throw new MoonwireError('forbidden', 'without access.users, Host must be an IP address or localhost');
    if (!mayComeFrom(request, config.cors))
      throw new MoonwireError('forbidden', `pages of ${request.headers.origin} may not use this API`);
  };
  const enter = (request: IncomingMessage) => {
    guard(request);
    return gate.enter(request, 'write');
  };
  const sockets = new WorkerSockets(
    host,
    enter,
    { idleMs, stallMs, sendBufferBytes, messageBytes: bodyBytes },
    log,
  );
  const counters = {
    webSockets: sockets.counters,
    refused: gate.refused,
    refusedConnections: 0,
    closedStalled: 0,
  };
  let description: Promise<object> | undefined;
  // Made once, when somebody asks.
  const describe = (): Promise<object> => {
    description ??= import('./openapi.js').then(({ describeApi }) => describeApi(ROUTES, host.version));
    return description;
  };
  const router = createRouter(
    { host, monitor: options.monitor, streams, describe },
    { gate, guard, origins: config.cors, bodyBytes, log },
  );
  const { tls } = options;
  const server = await createApiServer(
    tls,
    {
      headersTimeout: Math.min(HEADERS_MS, idleMs),
      requestTimeout: idleMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(1000, idleMs / 4),
    },
    // The host of requests without one.
    getRequestListener(router.fetch, { overrideGlobalObjects: false, hostname: 'localhost' }),
  );
  // No browser is to guess that an answer is a page.
  server.prependListener('request', (_request, response) =>
    response.setHeader('x-content-type-options', 'nosniff'),
  );
  // The server knows only those whose handshake is over.
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.maxConnections = config.limits.connections;
  server.on('drop', () => counters.refusedConnections++);
  server.setTimeout(stallMs, (socket: Socket) => {
    // Nothing moved: a peer that takes nothing is closed, one that waits for its answer is not.
    if (socket.writableLength === 0) return;
    counters.closedStalled++;
    socket.destroy();
  });
  server.on('upgrade', (request, socket, head) => void sockets.upgrade(request, socket, head));
  const { address, port } = await listen(server, config).catch((error: unknown) => {
    tls?.close();
    throw error;
  });
  // A failed accept (too many open files): the server goes on.
  server.on('error', (error) => log.warn(`API: accept failed: ${error.message}`));
  log.info(`API listening on ${address}${tls ? ' with TLS' : ''}`);

  return {
    address,
    port,
    counters,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      tls?.close();
      sockets.close();
      streams.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        sockets.terminate();
        for (const socket of connections) socket.destroy();
      }, CLOSE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function createApiServer(
  tls: ApiTls | undefined,
  options: ServerOptions,
  listener: RequestListener,
): Promise<Server> {
  if (!tls) return createServer(options, listener);
  const https = await import('node:https');
  const server = https.createServer({ ...options, ...tls.options, handshakeTimeout: HEADERS_MS }, listener);
  tls.serve(server);
  return server;
}

async function listen(
  server: Server,
  { bind, port }: ApiOptions['config'],
): Promise<{ address: string; port: number }> {
  const bound = (at: number): string => `${bind.includes(':') ? `[${bind}]` : bind}:${at}`;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ host: bind, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw new MoonwireError('conflict', `the API cannot listen: ${messageOf(error)}`, bound(port));
  }
  const actual = (server.address() as AddressInfo).port;
  return { address: bound(actual), port: actual };
}
