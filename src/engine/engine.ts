/**
 * The engine: servers that devices connect to, links it opens itself, and their clients. It is given its durable
 * state and where reports go; it knows neither files nor the centre.
 */

import type { CodecRegistry } from '../codecs/registry.js';
import type { LinkConfig, ServerConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import type { Client } from './client.js';
import { Link } from './link.js';
import type { ScriptSettings } from './program.js';
import { Server } from './server.js';

/** What the engine is to run. */
export interface EngineOptions {
  name: string;
  labels: Readonly<Record<string, string>>;
  script: ScriptSettings;
  servers: readonly ServerConfig[];
  links: readonly LinkConfig[];
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
  /** This node's number. */
  node: number;
  /** Takes a report; a promise when it must be waited for. */
  report(report: Report): void | Promise<void>;
  /** Codecs by name, for `mix.codec` and `mix.store`. */
  codecs: CodecRegistry;
  /** Small durable values of scripts. */
  values: {
    get(key: string): Uint8Array | undefined;
    set(key: string, value: Uint8Array): Promise<void>;
    delete(key: string): Promise<void>;
  };
}

/** How long `stop` waits for clients to drain and their `on_close` to run, in seconds. */
const STOP_SECONDS = 5;

export class Engine {
  readonly log: Logger;
  readonly servers: Server[] = [];
  readonly links: Link[] = [];
  readonly clients = new Map<number, Client>();
  /** The client that attached a device last. */
  readonly devices = new Map<string, Client>();

  constructor(
    readonly options: EngineOptions,
    readonly parts: EngineParts,
  ) {
    this.log = parts.log;
    for (const server of options.servers) this.servers.push(new Server(this, server));
    for (const link of options.links) this.links.push(new Link(this, link));
  }

  /**
   * Loads all scripts, then opens all servers and links. Throws what the first failing part throws, with nothing
   * left open.
   */
  async start(): Promise<void> {
    const parts = [...this.servers, ...this.links];
    try {
      for (const part of parts) await part.station.load();
      for (const part of parts) await part.open();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops listening, lets clients drain and their `on_close` run; ends within a few seconds whatever happens. */
  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.links].map((part) => part.close(STOP_SECONDS)));
  }

  nextClientId(): number {
    return this.parts.nextClientId();
  }

  /** The client with that id, while it is open. */
  client(id: number): Client | undefined {
    return this.clients.get(id);
  }

  /** Notes that a device is reached through this client; the newest attach wins. */
  attach(client: Client, deviceId: string): void {
    client.devices ??= [];
    if (!client.devices.includes(deviceId)) client.devices.push(deviceId);
    this.devices.set(deviceId, client);
  }

  detach(client: Client, deviceId: string): void {
    client.devices = client.devices?.filter((id) => id !== deviceId);
    if (this.devices.get(deviceId) === client) this.devices.delete(deviceId);
  }

  /** Drops all traces of a client that is gone. */
  forget(client: Client): void {
    this.clients.delete(client.id);
    for (const deviceId of client.devices ?? []) this.detach(client, deviceId);
  }
}
