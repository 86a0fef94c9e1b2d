/** Connects an engine to a centre and to the other engines: registration, mesh, relay. */

import type { KeyObject } from 'node:crypto';
import type { EngineConfig } from '../config/schema.js';
import type { Commands } from '../engine/commands.js';
import type { Engine, EngineObserver } from '../engine/engine.js';
import type { Logger } from '../log.js';
import type { ReportSource } from '../store/reported.js';
import { formatAddress } from '../transports/address.js';
import { CommandChannel } from './commands.js';
import { Mesh } from './mesh.js';
import type { EngineStats, ServerInfo } from './messages.js';
import { STREAM } from './messages.js';
import { Registration } from './registration.js';
import { UplinkReports } from './reports.js';
import type { RequestHandler } from './requests.js';
import { serveTrace, type Watch } from './trace.js';
import { Uplink } from './uplink.js';

/** What an uplink is made of. */
export interface ConnectOptions {
  readonly config: EngineConfig;
  /** Centres, tried in turn. */
  readonly addresses: EngineConfig['centerRegistry'];
  readonly identity: {
    readonly publicKey: Uint8Array;
    readonly privateKey: KeyObject;
    readonly node: number;
    setNode(node: number): Promise<void>;
  };
  readonly version: string;
  readonly log: Logger;
  /** Does what the centre commands. */
  readonly commands: Commands;
  /** What devices report; left out, it does not go to the centre. */
  readonly reports?: ReportSource | undefined;
  /** Takes the centre's time, Unix seconds, as it is now. */
  heard?(time: number): void;
  /** Port of this engine's API; undefined while it is not open. */
  api(): number | undefined;
}

/** An engine's place in the mesh. */
export class Membership {
  readonly uplink: Uplink;
  readonly mesh: Mesh;
  readonly reports: UplinkReports | undefined;
  private readonly registration: Registration;
  private readonly observer: EngineObserver;
  private leased = (): void => {};

  constructor(
    private readonly engine: Engine,
    options: ConnectOptions,
  ) {
    const { config, identity, log, version } = options;
    this.registration = new Registration({
      servers: () => servers(engine),
      labels: () => config.labels,
      stats: () => stats(engine),
      clients: () => engine.clients.keys(),
      channels: () => engine.channels.names(),
      devices: () => Array.from(engine.devices, ([device, { id }]) => [device, id] as const),
    });
    this.mesh = new Mesh({
      local: engine.delivery,
      self: {
        name: config.name,
        version,
        publicKey: identity.publicKey,
        privateKey: identity.privateKey,
        get node() {
          return identity.node;
        },
      },
      channels: () => engine.channels.names(),
      log,
      point: { host: config.meshPoint.bind, port: config.meshPoint.port },
      heartbeat: {
        intervalMs: config.heartbeat.interval * 1000,
        toleranceMs: config.heartbeat.tolerance * 1000,
      },
      took: (scenario, seconds) => engine.sendTimes[scenario].add(seconds),
    });
    engine.mesh.others = this.mesh;
    const commands = new CommandChannel(options.commands, () => this.uplink.openStream(STREAM.commands), log);
    this.observer = observe(this.registration, this.mesh);
    engine.observers.add(this.observer);
    this.uplink = new Uplink(
      {
        addresses: options.addresses,
        tls: config.centerTls,
        name: config.name,
        version,
        labels: config.labels,
        joinToken: config.joinToken,
        heartbeat: config.heartbeat,
        advertise: () => ({
          mesh: advertised(config.meshPoint.bind, this.mesh.port),
          api: advertised(config.apiServer.bind, options.api()),
        }),
      },
      {
        log,
        identity,
        registration: this.registration,
        owner: {
          up: ({ time }) => {
            options.heard?.(time);
            engine.nodeChanged();
            this.leased();
            this.mesh.relay(this.uplink.openStream(STREAM.route));
            commands.up();
            this.reports?.up(() => this.uplink.openStream(STREAM.reports));
          },
          down: () => {
            commands.down();
            this.reports?.down();
          },
          peers: (list) => this.mesh.peers(list.filter(({ node }) => node !== identity.node)),
        },
      },
    );
    if (options.reports) this.reports = new UplinkReports(options.reports, log, this.uplink.messages);
  }

  /** Opens the mesh point and begins to look for the centre. Rejects with `conflict` when the port is taken. */
  async start(): Promise<void> {
    await this.mesh.start();
    this.uplink.start();
  }

  /** Answers what the centre asks, by method, and lets it watch clients; to be called before `start`. */
  serve(requests: Readonly<Record<string, RequestHandler>>, watch: Watch): void {
    for (const [method, handler] of Object.entries(requests)) this.uplink.handle(method, handler);
    this.uplink.onStream(STREAM.log, (stream) => serveTrace(stream, watch));
  }

  /** Resolves when the centre has leased a node number, at the latest after `ms`. */
  firstLease(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.leased = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Leaves: other nodes are reached no more. Never fails. */
  async stop(): Promise<void> {
    this.engine.observers.delete(this.observer);
    await this.uplink.stop();
    await this.mesh.stop();
  }
}

/** Tells the centre and the other engines what comes and goes. */
function observe(registration: Registration, mesh: Mesh): EngineObserver {
  return {
    clientOpened: ({ id }) => registration.clientOpened(id),
    clientClosed: ({ id }) => registration.clientClosed(id),
    partsChanged: () => registration.serversChanged(),
    channelOpened: (name) => {
      registration.channelOpened(name);
      mesh.channelOpened(name);
    },
    channelClosed: (name) => {
      registration.channelClosed(name);
      mesh.channelClosed(name);
    },
    deviceAttached: (device, { id }) => registration.deviceAttached(device, id),
    deviceDetached: (device) => registration.deviceDetached(device),
  };
}

function servers({ servers, links }: Engine): ServerInfo[] {
  return [
    ...servers.map(({ config, listener }) => ({
      name: config.name,
      protocol: config.protocol,
      transport: config.transport,
      port: listener?.port ?? config.port,
    })),
    ...links.map(({ config }) => ({ name: config.name, protocol: 'link', transport: config.kind })),
  ];
}

function stats(engine: Engine): EngineStats {
  const stations = [...engine.servers, ...engine.links].map(({ station }) => station.counters);
  const sum = (of: (counters: (typeof stations)[number]) => number) =>
    stations.reduce((total, counters) => total + of(counters), 0);
  return {
    clients: engine.clients.size,
    messages: sum(({ messages }) => messages),
    memory: process.memoryUsage.rss(),
  };
}

/** Where others reach a listener: where it listens on all addresses, the centre knows the one we come from. */
function advertised(bind: string, port: number | undefined): string | undefined {
  if (port === undefined) return undefined;
  return bind === '0.0.0.0' || bind === '::' ? `:${port}` : formatAddress(bind, port);
}
