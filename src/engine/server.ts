/** A server: listens for devices and serves each as a client of its station. */

import type { ServerConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Listener } from '../transports/connection.js';
import { listenTcp } from '../transports/tcp.js';
import { listenUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { Engine } from './engine.js';
import { Station } from './station.js';

export class Server {
  readonly station: Station;
  listener: Listener | undefined;

  constructor(
    engine: Engine,
    readonly config: ServerConfig,
  ) {
    this.station = new Station(engine, config);
  }

  /** What of its configuration this version cannot do yet; undefined when it can do all. */
  problem(): string | undefined {
    const { name, protocol, tls } = this.config;
    if (protocol !== 'socket')
      return `server ${name}: protocol ${protocol} is not available yet, only socket`;
    return tls ? `server ${name}: tls is not available yet` : undefined;
  }

  /** Starts listening. Throws MoonwireError `conflict` when the port is taken. */
  async open(): Promise<void> {
    const { config, station } = this;
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, config.name);
    const { limits } = config;
    const where = { host: config.bind, port: config.port };
    this.listener =
      config.transport === 'udp'
        ? await listenUdp(
            {
              ...where,
              peers: limits.connections,
              acceptsPerSecond: limits.acceptsPerSecond,
              peerIdleSeconds: limits.idleSeconds || undefined,
              datagramBytes: Math.min(limits.frameBytes, MAX_DATAGRAM_BYTES),
            },
            station.accept,
            station.log,
          )
        : await listenTcp(
            { ...where, connections: limits.connections, acceptsPerSecond: limits.acceptsPerSecond },
            station.accept,
            station.log,
          );
    station.log.info(`listening on ${config.transport} ${this.listener.address}`);
  }

  async close(seconds: number): Promise<void> {
    const freed = this.listener?.close();
    await this.station.close(seconds);
    await freed;
  }
}
