/** Lets TLS clients in at the pace this machine can take, while others are served. */

import type { Socket } from 'node:net';
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream';
import type { Server, TLSSocket } from 'node:tls';
import { tlsReason } from './failure.js';

/** Bounds of handshakes. */
export interface HandshakeLimits {
  /** Handshakes under way, each of which costs some 50 KB. Default 256. */
  handshakes?: number | undefined;
  /** Connections whose handshake is not over, or not begun. Default 4096. */
  pendingHandshakes?: number | undefined;
  /** Seconds a peer has for its first bytes, and again for its part of the handshake. Default 10. */
  handshakeSeconds?: number | undefined;
}

/** Told of what becomes of connections. */
export interface HandshakeOwner {
  /** A client is in; its `data` has not begun to flow. */
  secured(socket: TLSSocket): void;
  /** A handshake failed, was not over in time, or was never begun. */
  failed(reason: string): void;
  /** Refused: `limit` connections wait already. */
  full(limit: number): void;
}

/** A handshake costs about a millisecond of CPU at its beginning, with a key of RSA; so many are begun in a row. */
const BEGIN_A_TURN = 4;
/** How often those that take too long are looked for, in milliseconds. */
const CHECK_MS = 500;

interface Pending {
  readonly socket: Socket;
  /** When its peer has had its time, by `performance.now()`; for one in line, which waits for us, never. */
  deadline: number;
  begun: boolean;
}

/**
 * The handshakes of one server of node:tls or node:https. A connection costs next to nothing until its peer's first
 * bytes are there; then it lines up, a few handshakes are begun in each turn of the event loop, and what others
 * send is handled in between. So neither a crowd of clients nor silent ones hold up those that are connected.
 */
export class Handshakes {
  /** By both ends, which TLS leaves as they are. */
  private readonly pending = new Map<string, Pending>();
  private readonly line: Pending[] = [];
  private readonly begin: (socket: Socket) => void;
  private readonly limits: Required<{ [K in keyof HandshakeLimits]: number }>;
  private underWay = 0;
  private turn: NodeJS.Immediate | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    limits: HandshakeLimits,
    private readonly owner: HandshakeOwner,
  ) {
    this.limits = {
      handshakes: limits.handshakes ?? 256,
      pendingHandshakes: limits.pendingHandshakes ?? 4096,
      handshakeSeconds: limits.handshakeSeconds ?? 10,
    };
    // What begins a handshake is the server's own listener; from now on it is called when it is time.
    const [begin] = server.listeners('connection');
    server.removeAllListeners('connection');
    this.begin = begin as (socket: Socket) => void;
    server.on('secureConnection', (socket) => this.secured(socket));
    // A server of node:https would answer a failed handshake in plain HTTP.
    server.removeAllListeners('tlsClientError');
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      owner.failed(error.code === 'ECONNRESET' ? 'the peer left, or took too long' : tlsReason(error));
      socket.destroy();
    });
  }

  /** Takes a new connection. */
  take(socket: Socket): void {
    const limit = this.limits.pendingHandshakes;
    if (this.pending.size >= limit) {
      this.owner.full(limit);
      socket.on('error', () => {}).resetAndDestroy();
      return;
    }
    const ends = endsOf(socket);
    if (ends === undefined) {
      this.owner.failed('the peer left');
      socket.destroy();
      return;
    }
    const entry: Pending = { socket, deadline: this.deadline(), begun: false };
    this.pending.set(ends, entry);
    this.timer ??= setInterval(() => this.check(), CHECK_MS).unref();
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.pending.get(ends) !== entry) return;
      this.forget(ends, entry);
      if (!entry.begun) this.owner.failed('nothing was said');
    });
    socket.once('readable', () => {
      // It ended without a word.
      if (socket.readableLength === 0) socket.destroy();
      entry.deadline = Number.POSITIVE_INFINITY;
      this.line.push(entry);
      this.advance();
    });
  }

  /** Ends those that are not over. */
  close(): void {
    for (const { socket } of this.pending.values()) socket.destroy();
  }

  /** Begins the next ones, once the others had their turn. */
  private advance(): void {
    if (this.line.length > 0) this.turn ??= setImmediate(() => this.beginSome());
  }

  private beginSome(): void {
    this.turn = undefined;
    let begun = 0;
    while (begun < BEGIN_A_TURN && this.underWay < this.limits.handshakes) {
      const next = this.line.shift();
      if (!next) return;
      // It may have gone.
      if (next.socket.destroyed) continue;
      next.begun = true;
      next.deadline = this.deadline();
      this.underWay++;
      begun++;
      withLowMarks(() => this.begin.call(this.server, next.socket));
    }
    if (this.underWay < this.limits.handshakes) this.advance();
  }

  private secured(socket: TLSSocket): void {
    const ends = endsOf(socket);
    const entry = ends && this.pending.get(ends);
    if (entry) this.forget(ends, entry);
    if (!socket.destroyed) this.owner.secured(socket);
  }

  private forget(ends: string, entry: Pending): void {
    this.pending.delete(ends);
    if (entry.begun) this.underWay--;
    if (this.pending.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    this.advance();
  }

  private deadline(): number {
    return performance.now() + this.limits.handshakeSeconds * 1000;
  }

  private check(): void {
    const now = performance.now();
    for (const { socket, deadline } of this.pending.values()) if (now > deadline) socket.destroy();
  }
}

/** Undefined when the peer has gone. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress}`;
}

/**
 * Runs `make`, within which streams have the marks of `SOCKET_OPTIONS`: a server of node:tls takes no other way to give
 * them to its sockets.
 */
function withLowMarks(make: () => void): void {
  const usual = getDefaultHighWaterMark(false);
  setDefaultHighWaterMark(false, 1);
  try {
    make();
  } finally {
    setDefaultHighWaterMark(false, usual);
  }
}
