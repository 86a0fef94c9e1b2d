/** Lets TLS clients in at the pace this machine can take, while others are served. */

import type { Socket } from 'node:net';
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream';
import type { Server, TLSSocket } from 'node:tls';
import { tlsReason } from './failure.js';
import type { ListenerTotals } from './gate.js';
import type { HandshakePool } from './handshakepool.js';

/** Bounds of handshakes. */
export interface HandshakeLimits {
  /** Handshakes under way, each of which costs some 50 KB. Default 256. */
  handshakes?: number | undefined;
  /** Connections whose handshake is not over, or not begun. Default 4096. */
  pendingHandshakes?: number | undefined;
  /** Seconds a peer has for its first bytes, and again for its part of the handshake. Default 10. */
  handshakeSeconds?: number | undefined;
  /** What this server shares with others, handshakes among it. Default: nothing. */
  totals?: ListenerTotals | undefined;
}

/** Told of what becomes of connections. */
export interface HandshakeOwner {
  /** A client is in; its `data` has not begun to flow. */
  secured(socket: TLSSocket): void;
  /** A handshake failed, was not over in time, or was never begun. */
  failed(reason: string): void;
  /** One is not begun although its peer has spoken, since too many are under way. */
  delayed(): void;
  /** Refused: too many wait already. */
  full(): void;
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
  private readonly limits: { [K in Exclude<keyof HandshakeLimits, 'totals'>]-?: number };
  private readonly pool: HandshakePool | undefined;
  private readonly again = (): void => this.advance();
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
    this.pool = limits.totals?.handshakes;
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
    const ends = endsOf(socket);
    if (ends === undefined) {
      this.owner.failed('the peer left');
      socket.destroy();
      return;
    }
    if (this.pending.size >= this.limits.pendingHandshakes || this.pool?.enter() === false) {
      this.owner.full();
      socket.on('error', () => {}).resetAndDestroy();
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
      if (this.underWay >= this.limits.handshakes || this.pool?.full) this.owner.delayed();
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
    for (let begun = 0; begun < BEGIN_A_TURN; ) {
      // Those that have gone wait for nothing.
      while (this.line[0]?.socket.destroyed) this.line.shift();
      if (this.line.length === 0 || this.underWay >= this.limits.handshakes) return;
      if (this.pool?.begin(this.again) === false) return;
      const next = this.line.shift()!;
      next.begun = true;
      next.deadline = this.deadline();
      this.underWay++;
      begun++;
      withLowMarks(() => this.begin.call(this.server, next.socket));
    }
    this.advance();
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
    this.pool?.leave(entry.begun);
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
