/** A link: a connection the engine opens itself and opens again, for ever, when it ends. */

import type { LinkConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Connection } from '../transports/connection.js';
import { type KeptLink, keepOpen, NETWORK_RETRY, SERIAL_RETRY } from '../transports/keepopen.js';
import { openSerial } from '../transports/serial.js';
import { connectTcp } from '../transports/tcp.js';
import { connectUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { Engine } from './engine.js';
import { Station } from './station.js';

export class Link {
  readonly station: Station;
  private kept: KeptLink | undefined;

  constructor(
    private readonly engine: Engine,
    readonly config: LinkConfig,
  ) {
    this.station = new Station(engine, config);
    if (config.bus) engine.buses.join(this.station, config);
  }

  /** What of its configuration this version cannot do yet; undefined when it can do all. */
  problem(): string | undefined {
    const { config } = this;
    return config.kind === 'tcp' && config.tcp.tls
      ? `link ${config.name}: tls is not available yet`
      : undefined;
  }

  /** Begins to open the connection; it need not succeed at once. */
  async open(): Promise<void> {
    const { config, station } = this;
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, config.name);
    const retry = { ...(config.kind === 'serial' ? SERIAL_RETRY : NETWORK_RETRY), ...config.reconnect };
    this.kept = keepOpen(
      config.name,
      (signal) => this.connect(signal),
      (connection) => {
        const client = station.adopt(connection);
        this.engine.buses.opened(client);
        queueMicrotask(() => client.start());
        return client;
      },
      retry,
      station.log,
    );
  }

  private connect(signal: AbortSignal): Promise<Connection> {
    const { config, station } = this;
    switch (config.kind) {
      case 'serial':
        return openSerial(config.serial);
      case 'tcp':
        return connectTcp({ ...config.tcp, signal });
      case 'udp':
        return connectUdp(
          { ...config.udp, datagramBytes: Math.min(config.limits.frameBytes, MAX_DATAGRAM_BYTES) },
          station.log,
        );
    }
  }

  async close(seconds: number): Promise<void> {
    const stopped = this.kept?.stop();
    this.engine.buses.leave(this.station);
    await this.station.close(seconds);
    await stopped;
  }
}
