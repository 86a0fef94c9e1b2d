/** An engine within another program. */

import { EventEmitter } from 'node:events';
import type { Client } from '../engine/client.js';
import type { EngineClient } from '../engine/embedded/handlers.js';
import { viewOf } from '../engine/embedded/host.js';
import type { Engine, Report } from '../engine/engine.js';
import type { Outgoing, Published } from '../engine/mesh.js';
import { MoonwireError, messageOf } from '../errors.js';
import { parseClientId } from '../store/ids.js';
import { serveApi } from './api.js';
import { type Blueprint, blueprintOf, type CreateEngineOptions } from './embedding-options.js';
import { type Gateway, opening } from './process.js';
import { runEngine } from './run-engine.js';

/** What an engine tells of; what a listener throws is logged. */
export interface EngineEvents {
  /** A client connected, to whichever server or link. */
  connection: [client: EngineClient];
  /** A client is gone, and what it sent has been handled. */
  close: [client: EngineClient];
  /** A device is reached through a client from now on. */
  attach: [deviceId: string, client: EngineClient];
  /** It is not any more. */
  detach: [deviceId: string, client: EngineClient];
  /** Something was reported, by a script or by the program. */
  report: [report: Report];
}

/** A server that listens. */
export interface ServerInfo {
  readonly name: string;
  readonly protocol: string;
  readonly transport: string;
  /** "host:port" as bound. */
  readonly address: string;
  readonly port: number;
}

/** How a reading is reported. */
export interface ReportOptions {
  /** Unix seconds; default now. */
  readonly time?: number;
  readonly quality?: string;
  readonly topic?: string;
  /** Whether it is to be on disk before the promise resolves. */
  readonly durable?: boolean;
}

/** Where it stands. */
type Running = Omit<Gateway, 'api' | 'config' | 'reconfigure' | 'reload'>;

/**
 * An engine; made by {@link createEngine}. Engines share no state. One that was stopped may be started again, with
 * new clients and counters; what was kept on disk is there still.
 */
export class MoonwireEngine extends EventEmitter<EngineEvents> {
  private opened: Promise<Running> | undefined;
  private running: Running | undefined;

  constructor(private readonly blueprint: Blueprint) {
    super();
  }

  /** Its name: that of the machine unless one was given. */
  get name(): string {
    return this.blueprint.config.engine.name;
  }

  /**
   * Opens the store, loads scripts, listens, then runs `onReady` of all handlers. Rejects with nothing left open:
   * MoonwireError (`conflict` for a port that is taken, or when it runs already), ScriptError, or what `onReady` threw.
   */
  async start(): Promise<void> {
    if (this.opened) throw new MoonwireError('conflict', 'the engine runs already', this.name);
    const opened = this.open();
    this.opened = opened;
    try {
      this.running = await opened;
      const { servers, links } = this.running.engine;
      for (const { station } of [...servers, ...links]) await station.handlers?.ready(this);
    } catch (error) {
      if (this.opened === opened) await this.stop();
      throw error;
    }
  }

  /**
   * Stops listening, lets clients drain and their handlers end, and writes what is to be kept: within seconds. Nothing
   * of it keeps the process alive afterwards. Never rejects; does nothing for one that does not run.
   */
  async stop(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    const running = await opened?.catch(() => undefined);
    await running?.stop();
    if (this.running === running) this.running = undefined;
  }

  /** The servers that listen. */
  get servers(): ServerInfo[] {
    return this.engine.servers.flatMap(({ config: { name, protocol }, transport, listener }) =>
      listener ? [{ name, protocol, transport, address: listener.address, port: listener.port }] : [],
    );
  }

  /** The port that a server listens on, the first one unless named. Throws `not_found` when there is none. */
  port(name?: string): number {
    const server = this.servers.find((each) => name === undefined || each.name === name);
    if (server) return server.port;
    throw new MoonwireError('not_found', name === undefined ? 'no server listens' : `no server ${name}`);
  }

  /** The clients that are connected. */
  *clients(): Generator<EngineClient> {
    for (const client of this.engine.clients.values()) yield viewOf(client);
  }

  /** The client of that id, while it is connected. */
  client(id: string): EngineClient | undefined {
    return shown(this.engine.client(parseClientId(id) ?? -1));
  }

  /** The client through which a device is reached: the last one that attached it. */
  device(deviceId: string): EngineClient | undefined {
    return shown(this.engine.devices.get(deviceId));
  }

  /**
   * Sends to one client, of any node: text, bytes, or what its protocol encodes. Rejects with MoonwireError:
   * `not_connected`, `queue_full`, `timeout`, `invalid_argument`. `type`: how a WebSocket carries it.
   */
  async send(clientId: string, data: unknown, type?: Outgoing['type']): Promise<void> {
    const id = parseClientId(clientId);
    if (id === undefined) throw new MoonwireError('invalid_argument', `${clientId} is no id of a client`);
    const failure = await this.engine.mesh.send(id, { data, type });
    if (failure) throw new MoonwireError(failure.code, failure.message);
  }

  /** Sends to the subscribers of a channel, of all nodes; tells how many it reached, and how many it did not. */
  publish(channel: string, data: unknown, type?: Outgoing['type']): Promise<Published> {
    return this.engine.mesh.publish(channel, { data, type });
  }

  /**
   * Hands a reading of a device over, as `mix.report` of a script does: to the centre, to the sinks, or where there are
   * none to whoever listens for `report`. Rejects with MoonwireError: `invalid_argument`, `too_large`, `queue_full`,
   * `overloaded`.
   */
  async report(deviceId: string, values: unknown, options: ReportOptions = {}): Promise<void> {
    if (deviceId === '') throw new MoonwireError('invalid_argument', 'the device id is empty');
    const { time, quality, topic, durable = false } = options;
    await this.engine.parts.report({ deviceId, values, time, quality, topic, durable });
  }

  private get engine(): Engine {
    if (this.running) return this.running.engine;
    throw new MoonwireError('closed', 'the engine does not run', this.name);
  }

  private open(): Promise<Running> {
    const { config, log, parts, api } = this.blueprint;
    const options = {
      ...parts,
      built: (engine: Engine) => this.observe(engine),
      reported: (report: Report) => this.tell('report', () => [report]),
    };
    return opening(config, log, options, async (setting) => {
      const open = api ? serveApi : async () => undefined;
      const running = await runEngine(setting, config.engine.centerRegistry, open);
      return { ...running, stop: setting.closing.run };
    });
  }

  private observe(engine: Engine): void {
    engine.observers.add({
      clientOpened: (client) => this.tell('connection', () => [viewOf(client)]),
      clientClosed: (client) => this.tell('close', () => [viewOf(client)]),
      deviceAttached: (deviceId, client) => this.tell('attach', () => [deviceId, viewOf(client)]),
      deviceDetached: (deviceId, client) => this.tell('detach', () => [deviceId, viewOf(client)]),
      channelOpened() {},
      channelClosed() {},
      partsChanged() {},
    });
  }

  /** Tells of an event; `facts` are put together only when somebody listens. */
  private tell<K extends keyof EngineEvents>(event: K, facts: () => EngineEvents[K]): void {
    if (this.listenerCount(event) === 0) return;
    try {
      (this as EventEmitter).emit(event, ...facts());
    } catch (error) {
      this.blueprint.log.error(`a listener for ${event} failed`, { reason: messageOf(error) });
    }
  }
}

/**
 * Makes an engine, which {@link MoonwireEngine.start} starts:
 *
 *     const engine = createEngine({
 *       servers: [{ port: 9000, handlers: { parse: lines(), onData: (client, line) => client.send(`echo ${line}\n`) } }],
 *     });
 *     await engine.start();
 *
 * Throws ConfigError with all problems of the options.
 */
export function createEngine(options: CreateEngineOptions = {}): MoonwireEngine {
  return new MoonwireEngine(blueprintOf(options));
}

function shown(client: Client | undefined): EngineClient | undefined {
  return client?.closed === false ? viewOf(client) : undefined;
}
