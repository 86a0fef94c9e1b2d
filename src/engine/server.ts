/** A server: listens for devices and serves each as a client of its station. */

import type { ServerConfig } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Listener } from '../transports/connection.js';
import type { StreamListenOptions } from '../transports/streamlistener.js';
import { listenTcp } from '../transports/tcp.js';
import type { TlsListenOptions } from '../transports/tls.js';
import { readServerFiles } from '../transports/tlsfiles.js';
import { listenUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { Engine } from './engine.js';
import { Station } from './station.js';

export class Server {
  readonly station: Station;
  listener: Listener | undefined;

  constructor(
    engine: Engine,
    readonly config: ServerConfig,
  ) {
    this.station = new Station(engine, config);
  }

  /** What of its configuration cannot be used, or not yet; undefined when all can. */
  problem(): string | undefined {
    const { name, protocol, tls, transport } = this.config;
    if (protocol === 'auto') return `server ${name}: protocol auto is not available yet`;
    if (protocol === 'coap' && transport !== 'udp') return `server ${name}: coap needs transport udp`;
    if (protocol === 'mqtt' && transport === 'udp') return `server ${name}: mqtt needs transport tcp or ws`;
    try {
      if (tls) readServerFiles(tls);
      return undefined;
    } catch (error) {
      return `server ${name}: ${messageOf(error)}`;
    }
  }

  /** Starts listening. Throws MoonwireError `conflict` when the port is taken. */
  async open(): Promise<void> {
    const { config, station } = this;
    const problem = this.problem();
    if (problem !== undefined) throw new MoonwireError('invalid_argument', problem, config.name);
    if (config.protocol === 'mqtt') await this.speakMqtt();
    if (config.protocol === 'coap') {
      const { CoapServer } = await import('./coap/server.js');
      station.native = new CoapServer(station);
    }
    this.listener = await this.listen();
    const transport = this.isWebSocket ? 'ws' : config.transport;
    station.log.info(`listening on ${transport} ${this.listener.address}${config.tls ? ' with TLS' : ''}`);
  }

  async close(seconds: number): Promise<void> {
    const freed = this.listener?.close();
    await this.station.close(seconds);
    await freed;
  }

  private async speakMqtt(): Promise<void> {
    const { engine } = this.station;
    const { mqtt } = engine.options;
    if (!mqtt) throw new MoonwireError('invalid_argument', 'an MQTT server needs the settings engine.mqtt');
    const { Broker } = await import('./mqtt/broker.js');
    const { MqttServer } = await import('./mqtt/server.js');
    engine.mqtt ??= new Broker(engine, mqtt);
    this.station.native = new MqttServer(this.config, this.station, engine.mqtt);
  }

  private get isWebSocket(): boolean {
    return this.config.transport === 'ws' || this.config.protocol === 'websocket';
  }

  private listen(): Promise<Listener> {
    const { config, station } = this;
    const { limits } = config;
    const where = { host: config.bind, port: config.port, acceptsPerSecond: limits.acceptsPerSecond };
    if (config.transport === 'udp') {
      return listenUdp(
        {
          ...where,
          peers: limits.connections,
          peerIdleSeconds: limits.idleSeconds || undefined,
          datagramBytes: Math.min(limits.frameBytes, MAX_DATAGRAM_BYTES),
        },
        station.accept,
        station.log,
      );
    }
    const { connections, handshakes, pendingHandshakes, handshakeSeconds } = limits;
    const stream = { ...where, connections, handshakes, pendingHandshakes, handshakeSeconds };
    if (this.isWebSocket) return this.listenWebSocket(stream);
    return config.tls
      ? this.listenTls({ ...stream, tls: config.tls })
      : listenTcp(stream, station.accept, station.log);
  }

  private async listenTls(options: TlsListenOptions): Promise<Listener> {
    const { listenTls } = await import('../transports/tls.js');
    return listenTls(options, this.station.accept, this.station.log);
  }

  private async listenWebSocket(where: StreamListenOptions): Promise<Listener> {
    const { config, station } = this;
    const { limits, websocket, tls } = config;
    const { listenWebSocket } = await import('../transports/websocket.js');
    // CONNMIX names the path among the script's options.
    const path = websocket.path ?? config.options.path?.toString();
    return listenWebSocket(
      {
        ...where,
        ...websocket,
        // The one that MQTT has registered (6.0).
        ...(config.protocol === 'mqtt' && { subprotocols: websocket.subprotocols ?? ['mqtt'] }),
        tls,
        path,
        pingSeconds: websocket.pingSeconds ?? (limits.idleSeconds > 0 ? limits.idleSeconds / 3 : 30),
        messageBytes: limits.frameBytes,
        stream: config.protocol !== 'websocket' && !station.program.protocol.readsDatagrams,
      },
      station.accept,
      station.log,
    );
  }
}
