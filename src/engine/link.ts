/** A link: a connection the engine opens itself and opens again, for ever, when it ends. */

import type { LinkConfig } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Connection } from '../transports/connection.js';
import { type KeptLink, keepOpen, NETWORK_RETRY, SERIAL_RETRY } from '../transports/keepopen.js';
import { openSerial } from '../transports/serial.js';
import { connectTcp } from '../transports/tcp.js';
import { readClientFiles } from '../transports/tlsfiles.js';
import { connectUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { LentLink } from './bus/leases.js';
import type { Engine } from './engine.js';
import { Station } from './station.js';

/** Seconds that what was sent may take to leave before the line is lent. */
const DRAIN_SECONDS = 2;

type TcpLink = Extract<LinkConfig, { kind: 'tcp' }>;

export class Link implements LentLink {
  readonly station: Station;
  private kept: KeptLink | undefined;
  private ended = false;
  private noted: string | undefined;

  constructor(
    private readonly engine: Engine,
    readonly config: LinkConfig,
  ) {
    this.station = new Station(engine, config);
  }

  /** What of its configuration cannot be used; undefined when all can. */
  problem(): string | undefined {
    const { config } = this;
    try {
      if (config.kind === 'tcp' && config.tcp.tls) readClientFiles(config.tcp.tls);
      return undefined;
    } catch (error) {
      return `link ${config.name}: ${messageOf(error)}`;
    }
  }

  /** Begins to open the connection; it need not succeed at once. */
  async open(): Promise<void> {
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, this.config.name);
    if (this.config.bus && !this.ended) this.engine.buses.join(this.station, this.config);
    this.resume();
  }

  resume(): void {
    const { config, station } = this;
    if (this.ended || this.kept) return;
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

  /** Resolves once the connection is over and its port free. */
  async pause(): Promise<void> {
    const { kept, station } = this;
    this.kept = undefined;
    const late = setTimeout(() => {
      for (const client of station.clients) client.destroy(new MoonwireError('closed', 'the line is lent'));
    }, DRAIN_SECONDS * 1000);
    await kept?.stop();
    clearTimeout(late);
  }

  private connect(signal: AbortSignal): Promise<Connection> {
    const { config, station } = this;
    switch (config.kind) {
      case 'serial':
        return openSerial(config.serial, (message) => this.note(message));
      case 'tcp':
        return this.connectStream(config.tcp, signal);
      case 'udp':
        return connectUdp(
          { ...config.udp, datagramBytes: Math.min(config.limits.frameBytes, MAX_DATAGRAM_BYTES) },
          station.log,
        );
    }
  }

  /** Logs what a port lacks, once and not whenever it opens. */
  private note(message: string): void {
    if (message !== this.noted) this.station.log.warn(message);
    this.noted = message;
  }

  private async connectStream({ tls, ...where }: TcpLink['tcp'], signal: AbortSignal): Promise<Connection> {
    if (!tls) return connectTcp({ ...where, signal });
    const { connectTls } = await import('../transports/tls.js');
    return connectTls({ ...where, tls, signal });
  }

  async close(seconds: number): Promise<void> {
    this.ended = true;
    const stopped = this.kept?.stop();
    this.engine.buses.leave(this.station);
    await this.station.close(seconds);
    await stopped;
  }
}
