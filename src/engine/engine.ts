/**
 * The engine: servers that devices connect to, links it opens itself, and their clients. It is given its durable
 * state and where reports go; it knows neither files nor the centre.
 */

import type { CodecRegistry } from '../codecs/registry.js';
import type { EngineConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import { Chunks } from '../script/chunks.js';
import type { SocketSource } from '../transports/streamlistener.js';
import { AddedLinks, type LinkBook } from './added-links.js';
import { Buses } from './bus/buses.js';
import { Leases } from './bus/leases.js';
import type { Port } from './bus/port.js';
import { Changes } from './changes.js';
import { Channels } from './channels.js';
import type { Client } from './client.js';
import { Delivery } from './delivery.js';
import type { LinkSettings, ServerSettings } from './embedded/settings.js';
import { EngineLimits } from './engine-limits.js';
import { abandon, takeUp } from './handover/arriving.js';
import type { Inheritance } from './handover/saved.js';
import { Histogram } from './histogram.js';
import { Link } from './link.js';
import { type GuardOptions, MemoryGuard } from './memory/guard.js';
import { Mesh, type SendScenario } from './mesh.js';
import type { Broker } from './mqtt/broker.js';
import type { ScriptSettings } from './program.js';
import { Queues } from './queues.js';
import { Scripts } from './reload/scripts.js';
import { Server } from './server.js';
import { Services } from './services.js';

/** What the engine is to run. */
export interface EngineOptions {
  name: string;
  labels: Readonly<Record<string, string>>;
  script: ScriptSettings;
  servers: readonly ServerSettings[];
  links: readonly LinkSettings[];
  /** Bounds of those that are added; without it none can be. */
  addedLinks?: EngineConfig['addedLinks'];
  /** What all scripts share: queues and Redis. */
  luavm: EngineConfig['luavm'];
  /** What all servers may take together; without, as much as each may. */
  limits?: EngineConfig['limits'];
  /** What the process may have of its own. */
  memory?: GuardOptions;
  /** What MQTT servers keep for their devices; needed where there are any. */
  mqtt?: EngineConfig['mqtt'];
}

/** A reading that a script reported. */
export interface Report {
  deviceId: string;
  values: unknown;
  /** Unix seconds; undefined when the device gave none. */
  time: number | undefined;
  quality: string | undefined;
  topic: string | undefined;
  /** Must be on disk before the call returns. */
  durable: boolean;
}

/** What the engine needs of its owner. */
export interface EngineParts {
  log: Logger;
  /** The next client id, never used before. */
  nextClientId(): number;
  /** This node's number: 0 until the centre has leased one, which may happen at any time. */
  node(): number;
  /** Whether a client id is one that this node gave out. */
  isOwn(id: number): boolean;
  /** Takes a report; a promise when it must be waited for. */
  report(report: Report): void | Promise<void>;
  /** Checks and keeps links that are added while it runs; without it none can be. */
  links?: LinkBook | undefined;
  /** Codecs by name, for `mix.codec` and `mix.store`. */
  codecs: CodecRegistry;
  /** Memory is short: puts on disk what is in memory only to be fast. */
  shrink?: (() => void) | undefined;
  /** Where a server's connections come from when it is not to listen itself. */
  sockets?: ((server: string) => SocketSource | undefined) | undefined;
  /** Small durable values of scripts. */
  values: {
    get(key: string): Uint8Array | undefined;
    set(key: string, value: Uint8Array): Promise<void>;
    delete(key: string): Promise<void>;
  };
}

/** Told of what the centre is to know; all of these must return at once. */
export interface EngineObserver {
  clientOpened(client: Client): void;
  clientClosed(client: Client): void;
  /** Servers and links have opened, or one came or went while the engine runs. */
  partsChanged(): void;
  /** A channel got its first subscriber here, or lost its last. */
  channelOpened(name: string): void;
  channelClosed(name: string): void;
  deviceAttached(deviceId: string, client: Client): void;
  deviceDetached(deviceId: string, client: Client): void;
}

/** How long `stop` waits for clients to drain and their `on_close` to run, in seconds. */
const STOP_SECONDS = 5;

export class Engine {
  readonly log: Logger;
  /** What is there now; {@link Changes} alone changes both lists. */
  readonly servers: Server[] = [];
  readonly links: Link[] = [];
  /** Adds and removes servers and links while the engine runs. */
  readonly changes = new Changes(this);
  /** Links beside those of the configuration. */
  readonly addedLinks = new AddedLinks(this);
  readonly buses = new Buses();
  /** Lines that somebody outside needs for a while. */
  readonly leases: Leases;
  readonly clients = new Map<number, Client>();
  /** The client that attached a device last. */
  readonly devices = new Map<string, Client>();
  /** Clients of which a durable report, made for the frame at hand, is not safe. */
  readonly unsafe = new WeakSet<Client>();
  /** Told of clients, channels and devices that come and go. */
  readonly observers = new Set<EngineObserver>();
  readonly channels = new Channels({
    channelOpened: (name) => this.tell((observer) => observer.channelOpened(name)),
    channelClosed: (name) => this.tell((observer) => observer.channelClosed(name)),
  });
  /** Compiled code that scripts of the same modules share. */
  readonly chunks = new Chunks();
  /** What runs in servers and links, and how saved scripts take over. */
  readonly scripts = new Scripts(this);
  readonly queues: Queues;
  /** HTTP, Redis and metrics of scripts. */
  readonly services: Services;
  /** Messages to clients of this engine, and to those of all nodes. */
  readonly delivery = new Delivery(this.clients, this.channels);
  readonly mesh: Mesh;
  /** What all servers may take together. */
  readonly limits: EngineLimits;
  /** Keeps the process within its memory. */
  readonly memory: MemoryGuard;
  /** What MQTT servers share; made by the first of them. */
  mqtt: Broker | undefined;
  /** How long sends took. */
  readonly sendTimes: Record<SendScenario, Histogram> = {
    local: new Histogram(),
    forward: new Histogram(),
    mesh_send: new Histogram(),
    mesh_publish: new Histogram(),
  };

  constructor(
    readonly options: EngineOptions,
    /** Others, once what is kept on disk was closed and opened again. */
    public parts: EngineParts,
  ) {
    this.log = parts.log;
    this.queues = new Queues(options.luavm.queue);
    this.services = new Services(options.luavm);
    this.limits = new EngineLimits(this.clients, parts.log, options.limits);
    const guarded = {
      clients: this.clients,
      stations: () => [...this.servers, ...this.links].map(({ station }) => station),
      shrink: () => this.parts.shrink?.(),
    };
    this.memory = new MemoryGuard(guarded, parts.log, options.memory);
    this.limits.memory = this.memory;
    this.mesh = new Mesh(this.delivery, (id) => this.parts.isOwn(id), this.sendTimes.local);
    for (const server of options.servers) this.servers.push(new Server(this, server));
    for (const link of options.links) this.links.push(new Link(this, link));
    this.leases = new Leases(this.links, this.buses, this.log);
  }

  /**
   * Loads all scripts, then opens all servers and links, those that were added last. Throws what the first failing part
   * of the configuration throws, with nothing left open. With an `inheritance` all of it rests afterwards, until it is told to go on.
   */
  async start(inheritance?: Inheritance): Promise<void> {
    const parts = [...this.servers, ...this.links];
    this.limits.open();
    this.memory.start();
    try {
      if (inheritance) for (const { station } of parts) station.freeze();
      for (const part of parts) await part.station.load();
      for (const part of parts) await part.open(inheritance);
      await this.addedLinks.restore(inheritance);
      if (inheritance) takeUp(this, inheritance);
    } catch (error) {
      if (inheritance) abandon(this);
      await this.stop();
      throw error;
    }
    this.partsChanged();
  }

  /** Stops listening, lets clients drain and their `on_close` run; ends within a few seconds whatever happens. */
  async stop(): Promise<void> {
    const changes = this.changes.close();
    const parts = [...this.servers, ...this.links].map((part) => part.close(STOP_SECONDS));
    await Promise.all([changes, this.leases.close(), ...parts]);
    this.mqtt?.close();
    this.services.close();
    this.limits.close();
    this.memory.stop();
  }

  /** Puts other limits of all servers together and of the queues in effect; what is beyond them stays. */
  reconfigure({ limits, luavm }: Pick<EngineConfig, 'limits' | 'luavm'>): void {
    this.limits.reconfigure(limits);
    this.queues.limits = luavm.queue;
  }

  nextClientId(): number {
    return this.parts.nextClientId();
  }

  /** The client with that id, while it is open. */
  client(id: number): Client | undefined {
    return this.clients.get(id);
  }

  /** Where a client is joined to its bus, which is made with its first request. */
  portOf(client: Client): Port {
    return this.buses.portOf(client, this.links.find(({ station }) => station === client.station)?.config);
  }

  /** Takes a new client in. */
  admit(client: Client): void {
    this.clients.set(client.id, client);
    this.tell((observer) => observer.clientOpened(client));
  }

  /** Notes that a device is reached through this client; the newest attach wins. */
  attach(client: Client, deviceId: string): void {
    client.devices ??= [];
    if (!client.devices.includes(deviceId)) client.devices.push(deviceId);
    if (this.devices.get(deviceId) === client) return;
    this.devices.set(deviceId, client);
    this.tell((observer) => observer.deviceAttached(deviceId, client));
  }

  detach(client: Client, deviceId: string): void {
    client.devices = client.devices?.filter((id) => id !== deviceId);
    if (this.devices.get(deviceId) !== client) return;
    this.devices.delete(deviceId);
    this.tell((observer) => observer.deviceDetached(deviceId, client));
  }

  /** Drops all traces of a client that is gone. */
  forget(client: Client): void {
    if (!this.clients.delete(client.id)) return;
    for (const deviceId of client.devices ?? []) this.detach(client, deviceId);
    if (client.channels) this.channels.unsubscribe(client, client.channels);
    this.tell((observer) => observer.clientClosed(client));
  }

  /** Whether what only works inside still does: for a watchdog, which ends a process that is not alive. */
  get alive(): boolean {
    return [...this.buses.all.values()].every((bus) => !bus.stuck);
  }

  /** This node's number has changed: scripts see it in `mix.node.id`. */
  nodeChanged(): void {
    for (const { station } of [...this.servers, ...this.links]) station.nodeChanged();
  }

  /** Servers or links are not those they were. */
  partsChanged(): void {
    this.tell((observer) => observer.partsChanged());
  }

  private tell(what: (observer: EngineObserver) => void): void {
    for (const observer of this.observers) what(observer);
  }
}
