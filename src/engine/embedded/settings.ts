/** What a program may give a server or link beside its configuration. */

import type { LinkConfig, ServerConfig } from '../../config/schema.js';
import type { Logger } from '../../log.js';
import type { Connection, Listener, OnConnection } from '../../transports/connection.js';
import type { Handlers } from './handlers.js';

/** What a transport of a program is told of the server or link that it is for. */
export interface TransportOptions {
  /** Name of the server or link. */
  readonly name: string;
  /** Where a server is to listen, as far as the transport knows ports: 0 unless the program says otherwise. */
  readonly port: number;
  readonly bind: string;
  /** `options` of the server or link, as the program gave them. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Longest frame or datagram in bytes, and most connections of a server (1 for a link). */
  readonly frameBytes: number;
  readonly connections: number;
}

/** A way to reach devices that Moonwire does not know. `Endpoint` is a base for its connections. */
export interface Transport {
  /** Opens a server, which hands over each new connection. Rejects when it cannot listen. */
  listen?(options: TransportOptions, onConnection: OnConnection, log: Logger): Promise<Listener>;
  /** Opens a connection, and gives up soon once `signal` is aborted. A link asks again, for ever, when one has ended. */
  connect?(options: TransportOptions, signal: AbortSignal, log: Logger): Promise<Connection>;
}

/** What a program gives. */
export interface Embedded {
  /** In place of the script. */
  readonly handlers?: Handlers | undefined;
  /** In place of the configured transport. */
  readonly own?: { readonly name: string; readonly transport: Transport };
}

/** A server or link as the engine runs it. */
export type ServerSettings = ServerConfig & Embedded;
export type LinkSettings = LinkConfig & Embedded;

/** What a transport of the program is told. */
export function ownOptions(settings: ServerSettings | LinkSettings, connections: number): TransportOptions {
  const { name, options, limits } = settings;
  const { port, bind } = 'port' in settings ? settings : { port: 0, bind: '' };
  return { name, port, bind, options, frameBytes: limits.frameBytes, connections };
}
