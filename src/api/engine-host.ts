/** An engine as the API sees it: lists tell of its own clients; sends reach those of all nodes. */

import type { AddedLinks } from '../engine/added-links.js';
import type { Leases } from '../engine/bus/leases.js';
import type { Client } from '../engine/client.js';
import type { Engine } from '../engine/engine.js';
import type { ConnCall, Outgoing, Published } from '../engine/mesh.js';
import type { Queues } from '../engine/queues.js';
import type { Scripts } from '../engine/reload/scripts.js';
import type { TraceListener } from '../engine/trace.js';
import { Failure } from '../errors.js';
import type { OutboxStatus } from '../store/outbox-status.js';
import type {
  ApiHost,
  ClientFilter,
  ConfigHost,
  DeviceFilter,
  Page,
  PageRequest,
  RestartHost,
} from './host.js';
import type { SinkSource } from './monitor-sources.js';
import { describedPage } from './paging.js';
import type { BusInfo, ChannelInfo, ClientDetail, ClientInfo, DeviceInfo, EngineInfo } from './shapes.js';

/** Names of channels that one client's details list. */
const CHANNELS_SHOWN = 1000;

/** What an engine does not know of itself. */
export interface EngineHostFacts {
  /** Version of the program. */
  readonly version: string;
  /** Where the API is reached, "host:port"; undefined while it is not. */
  api(): string | undefined;
  /** The outbox, where there is one. */
  outbox?(): OutboxStatus | undefined;
  readonly config?: ConfigHost;
  /** Sinks of an engine alone. */
  readonly sinks?: SinkSource | undefined;
  /** Restarts the process. */
  readonly restart?: RestartHost | undefined;
  /** The link to the centre: whether it is up, and since when in Unix seconds. Undefined for an engine alone. */
  uplink?(): { readonly connected: boolean; readonly since?: number | undefined };
}

export class EngineHost implements ApiHost {
  readonly role = 'engine';
  readonly name: string;
  readonly version: string;
  readonly queues: Queues;
  readonly leases: Leases;
  readonly scripts: Scripts;
  readonly links: AddedLinks;
  readonly sinks: SinkSource;
  readonly restart: RestartHost | undefined;
  readonly config: ConfigHost | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly facts: EngineHostFacts,
  ) {
    this.name = engine.options.name;
    this.version = facts.version;
    this.queues = engine.queues;
    this.leases = engine.leases;
    this.scripts = engine.scripts;
    this.links = engine.addedLinks;
    this.sinks = facts.sinks ?? (() => []);
    this.restart = facts.restart;
    this.config = facts.config;
  }

  get node(): number {
    return this.engine.parts.node();
  }

  send(id: number, message: Outgoing): Promise<Failure | undefined> {
    return this.engine.mesh.send(id, message);
  }

  publish(channel: string, message: Outgoing): Promise<Published> {
    return this.engine.mesh.publish(channel, message);
  }

  call(id: number, fn: ConnCall, args: readonly unknown[]): Promise<Failure | undefined> {
    return this.engine.mesh.call(id, fn, args);
  }

  async engines(): Promise<EngineInfo[]> {
    const { engine, facts } = this;
    const { connected, since } = facts.uplink?.() ?? { connected: false };
    return [
      {
        name: this.name,
        node: this.node,
        version: this.version,
        labels: { ...engine.options.labels },
        connected,
        since,
        clients: engine.clients.size,
        api: facts.api(),
        servers: engine.servers.map(({ config, listener, transport }) => ({
          name: config.name,
          protocol: config.protocol,
          transport,
          port: listener?.port ?? config.port,
        })),
      },
    ];
  }

  async clients(filter: ClientFilter, page: PageRequest<number>): Promise<Page<ClientInfo>> {
    const { clients } = this.engine;
    if (filter.engine !== undefined && filter.engine !== this.name) return { items: [] };
    return describedPage(idsOf(this.candidates(filter), filter), page, (id) =>
      this.describe(clients.get(id)!),
    );
  }

  async client(id: number): Promise<ClientDetail | Failure> {
    const client = this.find(id);
    if (client instanceof Failure) return client;
    return {
      ...this.describe(client),
      context: Object.fromEntries(client.context.values),
      channel_names: [...(client.channels ?? [])].slice(0, CHANNELS_SHOWN),
      pending_bytes: client.pendingBytes,
      frames: client.station.frames.of(id),
    };
  }

  async disconnect(id: number): Promise<Failure | undefined> {
    const client = this.find(id);
    if (client instanceof Failure) return client;
    client.end();
    return undefined;
  }

  async devices(
    { engine = this.name, attached = true, label }: DeviceFilter,
    page: PageRequest<string>,
  ): Promise<Page<DeviceInfo>> {
    const { devices } = this.engine;
    // An engine knows of no labels, nor of devices that have left.
    if (engine !== this.name || !attached || label !== undefined) return { items: [] };
    return describedPage(devices.keys(), page, (id) => this.describeDevice(id, devices.get(id)!));
  }

  async device(id: string): Promise<DeviceInfo | Failure> {
    const client = this.engine.devices.get(id);
    return client
      ? this.describeDevice(id, client)
      : new Failure('not_found: no such device is attached here');
  }

  outbox(): OutboxStatus | undefined {
    return this.facts.outbox?.();
  }

  buses(): BusInfo[] {
    return [...this.engine.buses.all.values()].map((bus) => bus.report());
  }

  async channels(page: PageRequest<string>): Promise<Page<ChannelInfo>> {
    const { channels } = this.engine;
    const found = describedPage(channels.names(), page, (name) => ({ name, subscribers: 0 }));
    const byName = new Map(found.items.map((item) => [item.name, item]));
    for (const [name, subscribers] of channels.counts()) {
      const item = byName.get(name);
      if (item) item.subscribers = subscribers;
    }
    return found;
  }

  async trace(id: number, listener: TraceListener, ended: () => void): Promise<(() => void) | Failure> {
    const client = this.find(id);
    if (client instanceof Failure) return client;
    return client.watch((event) => {
      listener(event);
      if (event.event === 'close') ended();
    });
  }

  /** The fewest clients among which all that fit are found. */
  private candidates({ device, channel }: ClientFilter): Iterable<Client> {
    const { clients, devices, channels } = this.engine;
    if (device !== undefined) {
      const client = devices.get(device);
      return client ? [client] : [];
    }
    if (channel === undefined) return clients.values();
    return [...channels.of(channel)].flatMap((subscriber) => subscriber.client ?? []);
  }

  private describe(client: Client): ClientInfo {
    const now = performance.now();
    return {
      id: String(client.id),
      node: this.node,
      engine: this.name,
      server: client.station.settings.name,
      transport: client.connection.transport,
      remote: client.connection.remote,
      devices: [...(client.devices ?? [])],
      opened_at: (performance.timeOrigin + client.openedAt) / 1000,
      idle_seconds: (now - client.lastSeen) / 1000,
      channels: client.channels?.size ?? 0,
      bytes_in: client.bytesIn,
      bytes_out: client.bytesOut,
      messages: client.messages,
    };
  }

  private describeDevice(id: string, client: Client): DeviceInfo {
    return { id, attached: true, client: String(client.id), engine: this.name };
  }

  private find(id: number): Client | Failure {
    const client = this.engine.client(id);
    return client && !client.closed
      ? client
      : new Failure(`not_found: no client ${id} on engine ${this.name}`);
  }
}

function* idsOf(clients: Iterable<Client>, { server, channel }: ClientFilter): Iterable<number> {
  for (const client of clients) {
    if (server !== undefined && client.station.settings.name !== server) continue;
    if (channel !== undefined && !client.channels?.has(channel)) continue;
    yield client.id;
  }
}
