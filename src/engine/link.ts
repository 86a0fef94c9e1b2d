/** A link: a connection the engine opens itself and opens again, for ever, when it ends. */

import type { LinkConfig } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Connection } from '../transports/connection.js';
import { type KeptLink, keepOpen, NETWORK_RETRY, SERIAL_RETRY } from '../transports/keepopen.js';
import { adoptTcp } from '../transports/tcp.js';
import { readClientFiles } from '../transports/tlsfiles.js';
import { Addresses } from './addresses.js';
import type { LentLink } from './bus/leases.js';
import type { Client } from './client.js';
import type { LinkSettings } from './embedded/settings.js';
import type { Engine } from './engine.js';
import { closedAtOf, type LinkHeir, linkClientOf, linkStateOf } from './handover/arriving.js';
import { monotonic } from './handover/monotonic.js';
import type { Inheritance } from './handover/saved.js';
import { addressesOf, openLink, tlsOf } from './link-open.js';
import { type LinkStatus, linkStatus } from './link-status.js';
import { Poller } from './poller.js';
import { bytesIn } from './serial-gap.js';
import { Station } from './station.js';

/** Seconds that what was sent may take to leave before the line is lent. */
const DRAIN_SECONDS = 2;

export class Link implements LentLink {
  readonly station: Station;
  private readonly addresses: Addresses;
  private readonly poller: Poller | undefined;
  private kept: KeptLink | undefined;
  private ended = false;
  private resting = false;
  private noted: string | undefined;
  /** When its serial port was closed so that another process can open it; by `monotonic`. */
  closedAt: number | undefined;
  /** What the first connection goes on with. */
  heir: LinkHeir | undefined;

  constructor(
    private readonly engine: Engine,
    public config: LinkSettings,
  ) {
    const protocol = protocolOf(config);
    this.station = new Station(engine, protocol ? { ...config, protocol } : config);
    this.addresses = new Addresses(addressesOf(config));
    this.poller = config.poll && new Poller(config.poll);
  }

  /** What of its configuration cannot be used; undefined when all can. */
  problem(): string | undefined {
    const { name, kind, bus, handlers } = this.config;
    if (handlers && (kind === 'mqtt' || bus)) return `link ${name}: mqtt and bus need a script, not handlers`;
    try {
      const tls = tlsOf(this.config);
      if (tls) readClientFiles(tls);
      return undefined;
    } catch (error) {
      return `link ${name}: ${messageOf(error)}`;
    }
  }

  /**
   * Begins to open the connection; it need not succeed at once. From an `inheritance` it takes its connection, if that
   * can be had; then nothing is opened before {@link thaw}.
   */
  async open(inheritance?: Inheritance): Promise<void> {
    const { config, engine, station } = this;
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, config.name);
    if (config.kind === 'mqtt') {
      const { brokerOf } = await import('./mqtt/broker.js');
      const { MqttLink } = await import('./mqtt/link.js');
      station.native = new MqttLink(config, station, brokerOf(engine, inheritance?.saved.mqtt));
    }
    if (config.bus && !this.ended) engine.buses.join(station, config);
    if (!inheritance) return this.resume();
    this.heir = linkClientOf(inheritance, config);
    this.closedAt = closedAtOf(inheritance, config);
    const state = linkStateOf(inheritance, config);
    if (state !== undefined) station.native?.restoreLink?.(state);
    if (this.heir) this.addresses.beginWith(this.heir.address);
    this.resting = true;
  }

  /** Lets go of what only one process may have open: a serial port; and of all else that cannot go but TCP. */
  async rest(): Promise<void> {
    if ((this.config.kind === 'tcp' && !this.config.own) || !this.kept) return;
    this.resting = true;
    const open = this.station.clients.size > 0;
    await this.pause();
    if (open && this.config.kind === 'serial') this.closedAt = monotonic();
  }

  /** Another process has it: opens nothing any more. */
  letGo(): void {
    this.ended = true;
    this.poller?.stop();
    for (const client of this.station.clients) client.end();
    void this.stop(this.kept);
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
      (connection) => this.adopt(connection),
      retry,
      station.log,
    );
  }

  /** Puts settings in effect that its connection outlives. Rejects with nothing changed. */
  async reconfigure(config: LinkConfig): Promise<void> {
    await this.station.reconfigure(config);
    this.config = config;
  }

  /** Resolves once the connection is over and its port free. */
  async pause(): Promise<void> {
    const { kept, station } = this;
    this.kept = undefined;
    const late = setTimeout(() => {
      for (const client of station.clients) client.destroy(new MoonwireError('closed', 'the line is lent'));
    }, DRAIN_SECONDS * 1000);
    await this.stop(kept);
    clearTimeout(late);
  }

  /** Where its connection leads, or the last one led. */
  get address(): string | undefined {
    return this.addresses.inUse;
  }

  /** Where it stands. */
  status(): LinkStatus {
    const [client] = this.station.clients;
    return linkStatus(this.config, this.addresses, this.kept, client);
  }

  private connect(signal: AbortSignal): Promise<Connection> {
    const { config, station, addresses } = this;
    const note = (message: string): void => this.note(message);
    const stream = config.kind === 'websocket' && config.websocket.stream;
    const attempt = {
      signal,
      log: station.log,
      note,
      stream: stream && !station.framing(station.program).readsDatagrams,
    };
    return addresses.open(
      (address) => {
        const { heir } = this;
        return heir ? Promise.resolve(adoptTcp(heir.handle)) : openLink(config, address, attempt);
      },
      signal,
      (error) => note(messageOf(error)),
    );
  }

  private adopt(connection: Connection): Client {
    const { heir, engine } = this;
    this.countGap();
    const client = this.clientOf(connection);
    engine.buses.opened(client);
    queueMicrotask(() => {
      // One that another process had begins at rest, as those of servers do.
      if (heir) client.thaw();
      else client.start();
      this.poller?.start(client);
    });
    return client;
  }

  /** Tells what a device may have sent meanwhile, at most. */
  private countGap(): void {
    const { config, closedAt, station } = this;
    this.closedAt = undefined;
    if (closedAt === undefined || config.kind !== 'serial') return;
    const ms = Math.ceil(monotonic() - closedAt);
    const bytes = bytesIn(config.serial, ms);
    station.counters.bytesAtRisk += bytes;
    station.log.info('restart: the serial port was closed; what its device sent unasked meanwhile is lost', {
      ms,
      at_risk: bytes,
    });
  }

  /** The client that another process had goes on with the first connection; each later one is new. */
  private clientOf(connection: Connection): Client {
    const { heir, station } = this;
    this.heir = undefined;
    if (!heir) return station.adopt(connection);
    const client = station.takeOver(connection, heir.saved);
    for (const device of heir.saved.attached) this.engine.attach(client, device);
    return client;
  }

  private async stop(kept: KeptLink | undefined): Promise<void> {
    for (const client of this.station.clients) client.native?.leaving?.(client);
    await kept?.stop();
  }

  /** Logs what a port lacks or why an address was passed over, once and not whenever the link opens. */
  private note(message: string): void {
    if (message !== this.noted) this.station.log.warn(message);
    this.noted = message;
  }

  async close(seconds: number): Promise<void> {
    this.ended = true;
    this.poller?.stop();
    const stopped = this.stop(this.kept);
    this.engine.buses.leave(this.station);
    await this.station.close(seconds);
    await stopped;
  }
}

/** What the messages of a link are, where they are not frames of a protocol of its script. */
function protocolOf(config: LinkConfig): 'mqtt' | 'websocket' | undefined {
  if (config.kind === 'mqtt') return 'mqtt';
  return config.kind === 'websocket' && !config.websocket.stream ? 'websocket' : undefined;
}
