/** Opens what a server listens on, as its configuration says. */

import type { ServerConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import type { Listener } from '../transports/connection.js';
import type { Passage } from '../transports/movable.js';
import { StreamListener, type StreamListenOptions } from '../transports/streamlistener.js';
import { listenTcp } from '../transports/tcp.js';
import { listenUdp, MAX_DATAGRAM_BYTES } from '../transports/udp.js';
import type { WebSocketOptions } from '../transports/websocket.js';
import { ownOptions, type ServerSettings } from './embedded/settings.js';
import type { Station } from './station.js';

/** What a server listens on in place of opening its port. */
export interface ListenInstead {
  /** A listener at the same address, which ends. */
  readonly inPlaceOf?: Listener | undefined;
  /** What another process listened on there. */
  readonly inherited?: Passage | undefined;
}

/**
 * Hands each connection to the station. Throws MoonwireError `conflict` when the port is taken; `inPlaceOf` then goes
 * on.
 */
export async function listenFor(
  station: Station,
  config: ServerSettings,
  { inPlaceOf, inherited }: ListenInstead = {},
): Promise<Listener> {
  const { limits, tls, own } = config;
  if (own) return listenOwn(station, config, own);
  const { connections, acceptsPerSecond, connectionsPerAddress, acceptsPerSecondPerAddress } = limits;
  const where = {
    host: config.bind,
    port: config.port,
    connections,
    acceptsPerSecond,
    connectionsPerAddress,
    acceptsPerSecondPerAddress,
    totals: station.engine.limits,
    inherited,
  };
  if (config.transport === 'udp') {
    return listenUdp(
      {
        ...where,
        inPlaceOf,
        peerIdleSeconds: limits.idleSeconds || undefined,
        datagramBytes: Math.min(limits.frameBytes, MAX_DATAGRAM_BYTES),
      },
      station.accept,
      station.log,
    );
  }
  const { handshakes, pendingHandshakes, handshakeSeconds, sniffSeconds } = limits;
  const source = station.engine.parts.sockets?.(config.name);
  const stream = {
    ...where,
    source,
    handshakes,
    pendingHandshakes,
    handshakeSeconds,
    sniffSeconds,
    plain: tls?.plain,
    inPlaceOf: inPlaceOf instanceof StreamListener ? inPlaceOf : undefined,
  };
  if (speaksWebSocket(config)) {
    const { listenWebSocket } = await import('../transports/websocket.js');
    return listenWebSocket(
      { ...stream, tls, ...webSocketOptions(station, config) },
      station.accept,
      station.log,
    );
  }
  if (config.protocol === 'http' || config.protocol === 'auto')
    return listenForRequests(station, config, stream);
  if (!tls) return listenTcp(stream, station.accept, station.log);
  const { listenTls } = await import('../transports/tls.js');
  return listenTls({ ...stream, tls }, station.accept, station.log);
}

/** Whether all its clients come by WebSocket. */
export function speaksWebSocket({ transport, protocol }: ServerConfig): boolean {
  return transport === 'ws' || protocol === 'websocket';
}

/** HTTP, and with `auto` also WebSockets and the protocol of the script. */
async function listenForRequests(
  station: Station,
  config: ServerConfig,
  where: StreamListenOptions,
): Promise<Listener> {
  const { limits, tls, protocol } = config;
  const { accept, log } = station;
  const { listenHttp } = await import('../transports/http.js');
  const requests = { bodyBytes: limits.frameBytes, onConnection: accept };
  if (protocol === 'http') return listenHttp({ ...where, tls }, { requests }, log);
  const { WebSocketUpgrades } = await import('../transports/websocket.js');
  const options = webSocketOptions(station, config);
  const upgrades = (listener: StreamListener) => new WebSocketUpgrades(options, listener, accept);
  return listenHttp({ ...where, tls }, { requests, upgrades, others: accept }, log);
}

function webSocketOptions(station: Station, config: ServerConfig): WebSocketOptions {
  const { limits, websocket, protocol } = config;
  const typed = protocol === 'websocket' || protocol === 'auto';
  return {
    ...websocket,
    // The one that MQTT has registered (6.0).
    ...(protocol === 'mqtt' && { subprotocols: websocket.subprotocols ?? ['mqtt'] }),
    // CONNMIX names the path among the script's options.
    path: websocket.path ?? config.options.path?.toString(),
    pingSeconds: websocket.pingSeconds ?? (limits.idleSeconds > 0 ? limits.idleSeconds / 3 : 30),
    messageBytes: limits.frameBytes,
    stream: !typed && !station.framing(station.program).readsDatagrams,
    speaks: typed ? 'websocket' : undefined,
  };
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
