/** A link: a connection the engine opens itself and opens again, for ever, when it ends. */

import type { LinkConfig } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Connection } from '../transports/connection.js';
import type { Handle } from '../transports/handles.js';
import { type KeptLink, keepOpen, NETWORK_RETRY, SERIAL_RETRY } from '../transports/keepopen.js';
import { openSerial } from '../transports/serial.js';
import { adoptTcp, connectTcp } from '../transports/tcp.js';
import { readClientFiles } from '../transports/tlsfiles.js';
import { connectUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { LentLink } from './bus/leases.js';
import type { Client } from './client.js';
import type { Engine } from './engine.js';
import { linkClientOf } from './handover/arriving.js';
import type { Inheritance, SavedClient } from './handover/saved.js';
import { Station } from './station.js';

/** Seconds that what was sent may take to leave before the line is lent. */
const DRAIN_SECONDS = 2;

type TcpLink = Extract<LinkConfig, { kind: 'tcp' }>;

export class Link implements LentLink {
  readonly station: Station;
  private kept: KeptLink | undefined;
  private ended = false;
  private resting = false;
  private noted: string | undefined;
  /** What the first connection goes on with. */
  private heir: { readonly saved: SavedClient; readonly handle: Handle | undefined } | undefined;

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

  /**
   * Begins to open the connection; it need not succeed at once. From an `inheritance` it takes its connection, if that
   * can be had; then nothing is opened before {@link thaw}.
   */
  async open(inheritance?: Inheritance): Promise<void> {
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, this.config.name);
    if (this.config.bus && !this.ended) this.engine.buses.join(this.station, this.config);
    if (!inheritance) return this.resume();
    this.heir = linkClientOf(inheritance, this.config);
    this.resting = true;
  }

  /** Lets go of what only one process may have open: a serial port; and of a datagram socket of its own. */
  async rest(): Promise<void> {
    if (this.config.kind === 'tcp' || !this.kept) return;
    this.resting = true;
    await this.pause();
  }

  /** Goes on after {@link rest}, or after it was opened from an inheritance. */
  thaw(): void {
    if (!this.resting) return;
    this.resting = false;
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
        const client = this.clientOf(connection);
        this.engine.buses.opened(client);
        queueMicrotask(() => client.start());
        return client;
      },
      retry,
      station.log,
    );
  }

  /** The client that another process had goes on with the first connection; each later one is new. */
  private clientOf(connection: Connection): Client {
    const { heir, station } = this;
    this.heir = undefined;
    if (!heir) return station.adopt(connection);
    const client = station.takeOver(connection, heir.saved);
    for (const device of heir.saved.attached) this.engine.attach(client, device);
    // It begins at rest, as those of servers do; it is told to read once its owner is attached.
    queueMicrotask(() => client.thaw());
    return client;
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
        if (this.heir?.handle) return Promise.resolve(adoptTcp(this.heir));
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
