/** Opens what a server listens on, as its configuration says. */

import type { ServerConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Listener } from '../transports/connection.js';
import type { StreamListenOptions } from '../transports/streamlistener.js';
import { listenTcp } from '../transports/tcp.js';
import { listenUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import { ownOptions, type ServerSettings } from './embedded/settings.js';
import type { Station } from './station.js';

/** Hands each connection to the station. Throws MoonwireError `conflict` when the port is taken. */
export async function listenFor(station: Station, config: ServerSettings): Promise<Listener> {
  const { limits, tls, own } = config;
  if (own) return listenOwn(station, config, own);
  const where = { host: config.bind, port: config.port, acceptsPerSecond: limits.acceptsPerSecond };
  if (config.transport === 'udp') {
    return listenUdp(
      {
        ...where,
        connections: limits.connections,
        peerIdleSeconds: limits.idleSeconds || undefined,
        datagramBytes: Math.min(limits.frameBytes, MAX_DATAGRAM_BYTES),
      },
      station.accept,
      station.log,
    );
  }
  const { connections, handshakes, pendingHandshakes, handshakeSeconds } = limits;
  const source = station.engine.parts.sockets?.(config.name);
  const stream = { ...where, source, connections, handshakes, pendingHandshakes, handshakeSeconds };
  if (speaksWebSocket(config)) return listenForWebSockets(station, config, stream);
  if (!tls) return listenTcp(stream, station.accept, station.log);
  const { listenTls } = await import('../transports/tls.js');
  return listenTls({ ...stream, tls }, station.accept, station.log);
}

/** Whether all its clients come by WebSocket. */
export function speaksWebSocket({ transport, protocol }: ServerConfig): boolean {
  return transport === 'ws' || protocol === 'websocket';
}

async function listenForWebSockets(
  station: Station,
  config: ServerConfig,
  where: StreamListenOptions,
): Promise<Listener> {
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
      stream: config.protocol !== 'websocket' && !station.framing(station.program).readsDatagrams,
      speaks: config.protocol === 'websocket' ? 'websocket' : undefined,
    },
    station.accept,
    station.log,
  );
}

/** Listens by a transport of the program. */
async function listenOwn(
  station: Station,
  config: ServerSettings,
  { name, transport }: NonNullable<ServerSettings['own']>,
): Promise<Listener> {
  if (!transport.listen)
    throw new MoonwireError('invalid_argument', `transport ${name} cannot listen`, config.name);
  return transport.listen(ownOptions(config, config.limits.connections), station.accept, station.log);
}
