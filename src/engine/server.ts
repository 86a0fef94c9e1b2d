/** A server: listens for devices and serves each as a client of its station. */

import { isDeepStrictEqual } from 'node:util';
import { MoonwireError, messageOf } from '../errors.js';
import type { Listener } from '../transports/connection.js';
import { readServerFiles } from '../transports/tlsfiles.js';
import type { ServerSettings } from './embedded/settings.js';
import type { Engine } from './engine.js';
import { adoptClients, listenerOf } from './handover/arriving.js';
import type { Inheritance } from './handover/saved.js';
import { listenFor, speaksWebSocket } from './listen.js';
import { Station } from './station.js';

export class Server {
  readonly station: Station;
  listener: Listener | undefined;

  constructor(
    engine: Engine,
    public config: ServerSettings,
  ) {
    this.station = new Station(engine, config);
  }

  /** How devices come: the transport of the configuration, or the program's own. */
  get transport(): string {
    return this.config.own?.name ?? this.config.transport;
  }

  /** What of its configuration cannot be used; undefined when all can. */
  problem(): string | undefined {
    const { name, protocol, tls, transport, handlers, own } = this.config;
    if (handlers && protocol === 'mqtt') return `server ${name}: mqtt needs a script, not handlers`;
    if (own && (tls || (protocol !== 'socket' && protocol !== 'mqtt')))
      return `server ${name}: transport ${own.name} carries protocols socket and mqtt, without TLS`;
    if (protocol === 'coap' && transport !== 'udp') return `server ${name}: coap needs transport udp`;
    if (protocol === 'mqtt' && transport === 'udp') return `server ${name}: mqtt needs transport tcp or ws`;
    if ((protocol === 'http' || protocol === 'auto') && transport !== 'tcp')
      return `server ${name}: ${protocol} needs transport tcp`;
    try {
      if (tls) readServerFiles(tls);
      return undefined;
    } catch (error) {
      return `server ${name}: ${messageOf(error)}`;
    }
  }

  /**
   * Starts listening. Throws MoonwireError `conflict` when the port is taken. From an `inheritance` it takes what is
   * its own; then it and its clients rest until they are thawed.
   */
  async open(inheritance?: Inheritance): Promise<void> {
    const { config, station } = this;
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, config.name);
    if (config.protocol === 'mqtt') await this.speakMqtt(inheritance);
    if (config.protocol === 'coap') {
      const { CoapServer } = await import('./coap/server.js');
      station.native = new CoapServer(station);
    }
    if (config.protocol === 'http' || config.protocol === 'auto') {
      const { HttpServer } = await import('./http-server/server.js');
      station.http = new HttpServer(station);
    }
    this.listener = await listenFor(station, config, {
      inherited: inheritance && listenerOf(inheritance, config),
    });
    if (inheritance) {
      this.listener.freeze?.();
      adoptClients(inheritance, this);
    }
    const transport = speaksWebSocket(config) ? 'ws' : this.transport;
    station.log.info(`listening on ${transport} ${this.listener.address}${config.tls ? ' with TLS' : ''}`);
  }

  /** Puts settings in effect that its clients outlive. Rejects with nothing changed. */
  async reconfigure(config: ServerSettings): Promise<void> {
    const { station, config: before } = this;
    if (config.tls) readServerFiles(config.tls);
    await station.reconfigure(config);
    if (this.listener && !isDeepStrictEqual(entranceOf(before), entranceOf(config))) {
      try {
        this.listener = await listenFor(station, config, { inPlaceOf: this.listener });
      } catch (error) {
        await station.reconfigure(before);
        throw error;
      }
    }
    station.native?.reconfigure?.(config);
    this.config = config;
  }

  async close(seconds: number): Promise<void> {
    const freed = this.listener?.close();
    await this.station.close(seconds);
    await freed;
  }

  private async speakMqtt(inheritance: Inheritance | undefined): Promise<void> {
    const { engine } = this.station;
    const { brokerOf } = await import('./mqtt/broker.js');
    const { MqttServer } = await import('./mqtt/server.js');
    this.station.native = new MqttServer(
      this.config,
      this.station,
      brokerOf(engine, inheritance?.saved.mqtt),
    );
  }
}

/** What decides how clients are let in. */
function entranceOf({ limits, tls, websocket, options }: ServerSettings): unknown[] {
  return [limits, tls, websocket, options.path];
}
