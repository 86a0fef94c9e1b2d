/** Opens the connection of a link, whatever kind it is. */

import type { ClientTls, LinkConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Connection } from '../transports/connection.js';
import { openSerial } from '../transports/serial.js';
import { connectTcp } from '../transports/tcp.js';
import { connectUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import { type LinkSettings, ownOptions } from './embedded/settings.js';

/** What one attempt is made with. */
export interface Attempt {
  /** Gives up when aborted. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** The messages of a WebSocket are the bytes of a stream. */
  readonly stream: boolean;
  /** Told what a serial port lacks. */
  note(message: string): void;
}

type MqttLinkConfig = Extract<LinkConfig, { kind: 'mqtt' }>;

/** Where a link may be found, in the order in which it is tried: hosts, URLs, or its one serial port. */
export function addressesOf(config: LinkSettings): readonly string[] {
  if (config.own) return [config.own.name];
  switch (config.kind) {
    case 'serial':
      return [config.serial.port];
    case 'tcp':
      return config.tcp.host;
    case 'udp':
      return config.udp.host;
    case 'websocket':
      return config.websocket.url;
    case 'mqtt':
      return config.mqtt.url;
  }
}

/** `tls` of a link, where it has one. */
export function tlsOf(config: LinkConfig): ClientTls | undefined {
  switch (config.kind) {
    case 'tcp':
      return config.tcp.tls;
    case 'websocket':
      return config.websocket.tls;
    case 'mqtt':
      return config.mqtt.tls;
    default:
      return undefined;
  }
}

/** Connects to one of a link's addresses. Rejects with a MoonwireError that names it. */
export async function openLink(config: LinkSettings, address: string, attempt: Attempt): Promise<Connection> {
  const { signal, log, stream } = attempt;
  if (config.own) return openOwn(config, config.own, attempt);
  switch (config.kind) {
    case 'serial':
      return openSerial(config.serial, attempt.note);
    case 'tcp':
      return config.tcp.tls
        ? openTls({ ...config.tcp, host: address, signal })
        : connectTcp({ ...config.tcp, host: address, signal });
    case 'udp': {
      const datagramBytes = Math.min(config.limits.frameBytes, MAX_DATAGRAM_BYTES);
      return connectUdp({ host: address, port: config.udp.port, datagramBytes }, log);
    }
    case 'websocket': {
      const messageBytes = config.limits.frameBytes;
      return openWebSocket({ ...config.websocket, url: address, messageBytes, stream, signal });
    }
    case 'mqtt':
      return openBroker(config, address, signal);
  }
}

/** Connects by a transport of the program. */
async function openOwn(
  config: LinkSettings,
  { name, transport }: NonNullable<LinkSettings['own']>,
  { signal, log }: Attempt,
): Promise<Connection> {
  if (transport.connect) return transport.connect(ownOptions(config, 1), signal, log);
  throw new MoonwireError('invalid_argument', `transport ${name} cannot connect`, config.name);
}

type Options<F extends (options: never) => unknown> = Parameters<F>[0];
type ConnectTls = typeof import('../transports/tls.js')['connectTls'];
type ConnectWebSocket = typeof import('../transports/websocketclient.js')['connectWebSocket'];

async function openTls(options: Options<ConnectTls>): Promise<Connection> {
  const { connectTls } = await import('../transports/tls.js');
  return connectTls(options);
}

async function openWebSocket(options: Options<ConnectWebSocket>): Promise<Connection> {
  const { connectWebSocket } = await import('../transports/websocketclient.js');
  return connectWebSocket(options);
}

/** The byte stream to a broker. */
function openBroker(config: MqttLinkConfig, url: string, signal: AbortSignal): Promise<Connection> {
  const { timeoutSeconds, keepAliveSeconds, tls } = config.mqtt;
  const { protocol, hostname, port } = new URL(url);
  const common = { timeoutSeconds, keepAliveSeconds, signal };
  if (protocol === 'ws:' || protocol === 'wss:') {
    const messageBytes = config.limits.frameBytes;
    // MQTT has pings of its own.
    const mqtt = { subprotocols: ['mqtt'], stream: true, pingSeconds: 0, messageBytes };
    return openWebSocket({ ...common, ...mqtt, url, tls });
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol === 'mqtt:') return connectTcp({ ...common, host, port: Number(port || 1883) });
  return openTls({ ...common, host, port: Number(port || 8883), tls });
}
