import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP, SocketAddress } from 'node:net';
import { MoonwireError } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import { type Connection, type Listener, listenerCounters, type OnConnection } from './connection.js';
import { socketError, systemCode } from './failure.js';
import { Gate, type GateLimits } from './gate.js';
import { type DatagramSocket, UdpPeer } from './udppeer.js';

/** The largest payload a UDP datagram can carry over IPv4, in bytes. */
export const MAX_DATAGRAM_BYTES = 65_507;

/**
 * What a UDP server needs. Of a peer too many the datagrams are dropped, and known peers stay: a flood of forged
 * addresses fills the table but does not push devices out of it.
 */
export interface UdpListenOptions extends GateLimits {
  /** IP address to listen on. Default: all addresses, IPv4 and IPv6. */
  host?: string | undefined;
  /** 0 to 65535; 0 picks a free one. */
  port: number;
  /** A peer that sent nothing for so many seconds, or up to a quarter more, is closed. Default 300. */
  peerIdleSeconds?: number | undefined;
  /** Largest datagram taken, in bytes; larger ones are dropped. Default 65,507. */
  datagramBytes?: number | undefined;
}

/** What a UDP link needs. */
export interface UdpConnectOptions {
  /** Address or host name; looked up once. */
  host: string;
  /** 1 to 65535. */
  port: number;
  /** Largest datagram taken, in bytes; larger ones are dropped. Default 65,507. */
  datagramBytes?: number | undefined;
}

/**
 * Opens a UDP server: each remote address becomes a connection with its first datagram, and ends when it was
 * silent for too long. Rejects with a MoonwireError, as `listenTcp` does.
 */
export async function listenUdp(
  options: UdpListenOptions,
  onConnection: OnConnection,
  log: Logger,
): Promise<Listener> {
  const socket = await bind(options.host, options.port);
  return new UdpListener(socket, options, onConnection, log);
}

/**
 * Opens a UDP link to one peer: a socket of its own, deaf to all other addresses. UDP does not tell whether the
 * peer is there. Rejects with a MoonwireError: `not_found` for an unknown host name.
 */
export async function connectUdp(options: UdpConnectOptions, log: Logger): Promise<Connection> {
  const where = formatAddress(options.host, options.port);
  try {
    const { address, family } = await lookup(options.host);
    // Datagrams are matched by the address as the system prints it, which may differ from what was configured.
    const peer = new SocketAddress({ address, port: options.port, family: family === 6 ? 'ipv6' : 'ipv4' });
    const socket = await bind(family === 6 ? '::' : '0.0.0.0', 0);
    const own = new UdpListener(
      socket,
      { port: 0, peerIdleSeconds: Number.POSITIVE_INFINITY, datagramBytes: options.datagramBytes },
      () => {},
      log,
    );
    const connection = own.admit(peer.address, peer.port);
    // From now on nobody else is let in, and the socket goes with its one peer.
    void own.close();
    return connection;
  } catch (error) {
    throw socketError(error, where);
  }
}

class UdpListener implements Listener, DatagramSocket {
  readonly address: string;
  readonly port: number;
  readonly counters = listenerCounters();
  private readonly peers = new Map<string, UdpPeer>();
  private readonly limit: number;
  private readonly largest: number;
  private readonly idleMs: number;
  private readonly gate: Gate;
  private readonly throttle = new LogThrottle();
  private readonly sweeper: NodeJS.Timeout | undefined;
  private readonly whenClosed: Promise<void>;
  private accepting = true;
  private closing = false;

  constructor(
    private readonly socket: Socket,
    options: UdpListenOptions,
    private readonly onConnection: OnConnection,
    private readonly log: Logger,
  ) {
    const bound = socket.address();
    this.address = formatAddress(bound.address, bound.port);
    this.port = bound.port;
    this.limit = options.connections ?? 10_000;
    this.largest = options.datagramBytes ?? MAX_DATAGRAM_BYTES;
    this.gate = new Gate(options, this.counters);
    this.idleMs = (options.peerIdleSeconds ?? 300) * 1000;
    if (Number.isFinite(this.idleMs)) {
      this.sweeper = setInterval(() => this.sweep(), Math.max(50, this.idleMs / 4)).unref();
    }
    this.whenClosed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('message', (bytes, from) => this.receive(bytes, from));
    socket.on('error', (error) => this.warn('socket', socketError(error, this.address).message));
  }

  close(): Promise<void> {
    this.accepting = false;
    this.closeIfDone();
    return this.whenClosed;
  }

  /** Makes a peer of an address. */
  admit(host: string, port: number): UdpPeer {
    const peer = new UdpPeer(this, formatAddress(host, port), host, port);
    this.peers.set(keyOf(host, port), peer);
    this.counters.accepted++;
    return peer;
  }

  send(bytes: Uint8Array, peer: UdpPeer, done: () => void): void {
    this.socket.send(bytes, peer.port, peer.host, (error) => {
      if (error) this.drop('send', `datagram not sent: ${socketError(error, peer.remote).message}`);
      done();
    });
  }

  overflowed(peer: UdpPeer): void {
    this.drop('held', `datagrams dropped: ${peer.remote} sends faster than they are taken`);
  }

  forget(peer: UdpPeer): void {
    const key = keyOf(peer.host, peer.port);
    if (this.peers.get(key) !== peer) return;
    this.peers.delete(key);
    this.gate.left(peer.host);
    this.closeIfDone();
  }

  private receive(bytes: Uint8Array, from: RemoteInfo): void {
    if (bytes.length > this.largest) {
      this.drop('oversize', `datagram of ${bytes.length} bytes dropped: ${this.largest} are allowed`);
      return;
    }
    const now = performance.now();
    const known = this.peers.get(keyOf(from.address, from.port));
    if (known) known.receive(bytes, now);
    else if (this.mayAdmit(from.address, now)) {
      const peer = this.admit(from.address, from.port);
      this.onConnection(peer);
      peer.receive(bytes, now);
    }
  }

  private mayAdmit(host: string, now: number): boolean {
    if (!this.accepting) {
      this.drop('stranger', 'datagram of an unknown address dropped');
      return false;
    }
    if (this.peers.size >= this.limit) {
      this.counters.refusedLimit++;
      this.drop('limit', `new address refused: ${this.limit} peers are known, the most allowed`);
      return false;
    }
    const refusal = this.gate.admit(host, now);
    if (refusal) this.drop(refusal.counter, `new address refused: ${refusal.why}`);
    return refusal === undefined;
  }

  private sweep(): void {
    const oldest = performance.now() - this.idleMs;
    for (const peer of this.peers.values()) {
      if (peer.lastReceived >= oldest) continue;
      peer.destroy(new MoonwireError('timeout', `silent for ${this.idleMs / 1000} s`, peer.remote));
    }
  }

  private closeIfDone(): void {
    if (this.accepting || this.peers.size > 0 || this.closing) return;
    this.closing = true;
    clearInterval(this.sweeper);
    this.socket.close();
  }

  private drop(key: string, message: string): void {
    this.counters.droppedDatagrams++;
    this.warn(key, message);
  }

  private warn(key: string, message: string): void {
    const suppressed = this.throttle.pass(key);
    if (suppressed >= 0) this.log.warn(message, { server: this.address, suppressed });
  }
}

function keyOf(host: string, port: number): string {
  return `${host} ${port}`;
}

/** A bound socket. Without a host: all IPv6 and IPv4 addresses, or the latter where the machine has no IPv6. */
async function bind(host: string | undefined, port: number): Promise<Socket> {
  const address = host ?? '::';
  const where = formatAddress(host ?? '*', port);
  // Node checks the port of a TCP server, and cuts that of a datagram socket to 16 bits.
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new MoonwireError('invalid_argument', `${where} is not a port: 0 to 65535 is allowed`, where);
  }
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', lookup: asIs });
  try {
    const listening = once(socket, 'listening');
    socket.bind({ address, port });
    await listening;
    return socket;
  } catch (error) {
    socket.close();
    if (host === undefined && systemCode(error) === 'EAFNOSUPPORT') return bind('0.0.0.0', port);
    throw socketError(error, where);
  }
}

/** Peers and bind addresses are IP addresses; looking each one up again for every datagram would cost a detour. */
function asIs(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, isIP(address));
}
