import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { isIP, SocketAddress } from 'node:net';
import { MoonwireError } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { formatAddress } from './address.js';
import { type Connection, type Listener, listenerCounters, type OnConnection } from './connection.js';
import { socketError, systemCode } from './failure.js';
import { Gate, type GateLimits } from './gate.js';
import {
  boundTo,
  datagramHandleOf,
  type HeldDatagram,
  receiveAgain,
  receiveOn,
  stopReceiving,
} from './handles.js';
import type { Passage } from './movable.js';
import { type DatagramSocket, type MovedPeer, UdpPeer } from './udppeer.js';

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
  /** What another process received on: taken over, frozen, in place of binding anew. */
  inherited?: Passage | undefined;
  /** A UDP server at the same address: it goes on with its peers, by the limits of these options. */
  inPlaceOf?: Listener | undefined;
}

/** What a UDP server lets in. */
interface Bounds {
  readonly peers: number;
  readonly datagramBytes: number;
  readonly idleMs: number;
  readonly gate: Gate;
}

/** Datagrams, and bytes of them, that are held while a listener is frozen; more are dropped and counted. */
const HELD_DATAGRAMS = 100_000;
const HELD_BYTES = 32 * 2 ** 20;

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
  const { inherited, inPlaceOf } = options;
  if (inPlaceOf instanceof UdpListener) {
    inPlaceOf.reconfigure(options);
    return inPlaceOf;
  }
  const socket = inherited?.handle
    ? unbound(boundTo(inherited.handle).address.startsWith('['))
    : await bind(options.host, options.port);
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
  private bounds: Bounds;
  private readonly throttle = new LogThrottle();
  private sweeper: NodeJS.Timeout | undefined;
  private readonly whenClosed: Promise<void>;
  private accepting = true;
  private closing = false;
  /** What it is to receive on, until it is thawed for the first time. */
  private inherited: Passage | undefined;
  /** What comes while it is frozen: the system would hold a few hundred datagrams only. */
  private held: HeldDatagram[] | undefined;
  private heldBytes = 0;

  constructor(
    private readonly socket: Socket,
    options: UdpListenOptions,
    private readonly onConnection: OnConnection,
    private readonly log: Logger,
  ) {
    this.inherited = options.inherited;
    const { address, port } = boundTo(options.inherited?.handle ?? datagramHandleOf(socket)!);
    this.address = address;
    this.port = port;
    this.bounds = this.boundsOf(options);
    this.sweepAgain();
    this.whenClosed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('message', (bytes, from) => this.arrived(bytes, from));
    socket.on('error', (error) => this.warn('socket', socketError(error, this.address).message));
  }

  /** Goes by the limits of these options from now on. Peers that are more than these allow stay. */
  reconfigure(options: UdpListenOptions): void {
    this.bounds = this.boundsOf(options);
    for (const { host } of this.peers.values()) this.bounds.gate.arrived(host);
    this.sweepAgain();
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
    this.bounds.gate.left(peer.host);
    this.closeIfDone();
  }

  freeze(): void {
    this.held ??= [];
  }

  thaw(): void {
    const { inherited } = this;
    this.inherited = undefined;
    // First of all, since an answer sent by an unbound socket would bind it. What came before is told first all the same.
    if (inherited?.handle) receiveOn(this.socket, inherited.handle);
    else receiveAgain(this.socket);
    this.deliverHeld();
  }

  passage(): Passage | undefined {
    const handle = datagramHandleOf(this.socket);
    return handle && { handle };
  }

  late(): readonly HeldDatagram[] {
    stopReceiving(this.socket);
    return this.held ?? [];
  }

  letGo(): [] {
    clearInterval(this.sweeper);
    this.socket.close();
    return [];
  }

  catchUp(late: unknown): void {
    this.held = [...(late as readonly HeldDatagram[])];
  }

  adopt({ state }: Passage): UdpPeer {
    const moved = state as MovedPeer;
    this.bounds.gate.arrived(moved.host);
    const peer = this.admit(moved.host, moved.port);
    peer.restore(moved);
    return peer;
  }

  private deliverHeld(): void {
    const held = this.held ?? [];
    this.held = undefined;
    this.heldBytes = 0;
    for (const { bytes, from } of held) this.arrived(bytes, from);
  }

  private hold(held: HeldDatagram[], bytes: Uint8Array, { address, port }: HeldDatagram['from']): void {
    this.heldBytes += bytes.length;
    if (held.length < HELD_DATAGRAMS && this.heldBytes <= HELD_BYTES)
      held.push({ bytes, from: { address, port } });
    else this.drop('frozen', 'datagrams dropped: more came than are held while the process is replaced');
  }

  private arrived(bytes: Uint8Array, from: HeldDatagram['from']): void {
    if (this.held) {
      this.hold(this.held, bytes, from);
      return;
    }
    const { datagramBytes } = this.bounds;
    if (bytes.length > datagramBytes) {
      this.drop('oversize', `datagram of ${bytes.length} bytes dropped: ${datagramBytes} are allowed`);
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
    if (this.peers.size >= this.bounds.peers) {
      this.counters.refusedLimit++;
      this.drop('limit', `new address refused: ${this.bounds.peers} peers are known, the most allowed`);
      return false;
    }
    const refusal = this.bounds.gate.admit(host, now);
    if (refusal) this.drop(refusal.counter, `new address refused: ${refusal.why}`);
    return refusal === undefined;
  }

  private boundsOf(options: UdpListenOptions): Bounds {
    return {
      peers: options.connections ?? 10_000,
      datagramBytes: options.datagramBytes ?? MAX_DATAGRAM_BYTES,
      idleMs: (options.peerIdleSeconds ?? 300) * 1000,
      gate: new Gate(options, this.counters),
    };
  }

  private sweepAgain(): void {
    clearInterval(this.sweeper);
    const { idleMs } = this.bounds;
    if (Number.isFinite(idleMs))
      this.sweeper = setInterval(() => this.sweep(), Math.max(50, idleMs / 4)).unref();
  }

  private sweep(): void {
    if (this.held || this.inherited) return;
    const { idleMs } = this.bounds;
    const oldest = performance.now() - idleMs;
    for (const peer of this.peers.values()) {
      if (peer.lastReceived >= oldest) continue;
      peer.destroy(new MoonwireError('timeout', `silent for ${idleMs / 1000} s`, peer.remote));
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
  const socket = unbound(address.includes(':'));
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

function unbound(isV6: boolean): Socket {
  return createSocket({ type: isV6 ? 'udp6' : 'udp4', lookup: asIs });
}

/** Peers and bind addresses are IP addresses; looking each one up again for every datagram would cost a detour. */
function asIs(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, isIP(address));
}
