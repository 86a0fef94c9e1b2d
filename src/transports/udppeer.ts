import { Endpoint } from './endpoint.js';
import type { Passage } from './movable.js';

/** Datagrams a peer holds while it is paused or not attached; more are dropped and counted. */
export const HELD_DATAGRAMS = 32;

/** What a peer needs of the socket it lives on. */
export interface DatagramSocket {
  /** "host:port" of our end. */
  readonly address: string;
  /** Sends one datagram; `done` is called later, in every case, once the system took or refused it. */
  send(bytes: Uint8Array, peer: UdpPeer, done: () => void): void;
  /** A datagram of this peer was dropped because the peer does not take it. */
  overflowed(peer: UdpPeer): void;
  /** The peer is over. */
  forget(peer: UdpPeer): void;
}

/** A peer on its way to another process. */
export interface MovedPeer {
  readonly host: string;
  readonly port: number;
  /** Milliseconds since its last datagram. */
  readonly silent: number;
  readonly held: readonly Uint8Array[];
}

/** One remote address of a datagram socket as a connection. It has no timer: its socket expires it. */
export class UdpPeer extends Endpoint {
  readonly transport = 'udp';
  readonly datagram = true;
  /** When the last datagram came from the peer, in milliseconds of the monotonic clock. */
  lastReceived = 0;
  private unsent = 0;
  private paused = false;
  private held: Uint8Array[] | undefined;

  constructor(
    private readonly socket: DatagramSocket,
    readonly remote: string,
    /** The peer's address for sending. */
    readonly host: string,
    readonly port: number,
  ) {
    super();
  }

  get local(): string {
    return this.socket.address;
  }

  get pendingBytes(): number {
    return this.over ? 0 : this.unsent;
  }

  /** A datagram came from this peer. */
  receive(bytes: Uint8Array, now: number): void {
    this.lastReceived = now;
    if (this.closed) return;
    if (this.handler && !this.paused && !this.held) {
      this.handler.data(bytes);
      return;
    }
    this.held ??= [];
    if (this.held.length < HELD_DATAGRAMS) this.held.push(bytes);
    else this.socket.overflowed(this);
  }

  write(bytes: Uint8Array): void {
    if (this.closed) return;
    this.unsent += bytes.length;
    this.socket.send(bytes, this, () => this.sent(bytes.length));
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.start();
  }

  /** Its listener is frozen in its place. */
  freeze(): void {}

  thaw(): void {}

  passage(): Passage | undefined {
    if (this.closed || this.unsent > 0) return undefined;
    const state: MovedPeer = {
      host: this.host,
      port: this.port,
      silent: performance.now() - this.lastReceived,
      held: this.held ?? [],
    };
    return { state };
  }

  /** Goes on where another process left off. */
  restore({ silent, held }: MovedPeer): void {
    this.lastReceived = performance.now() - silent;
    if (held.length > 0) this.held = [...held];
  }

  protected start(): void {
    if (this.held) setImmediate(UdpPeer.deliverHeld, this);
  }

  protected flushAndClose(): void {
    if (this.unsent === 0) this.abort();
  }

  protected abort(): void {
    queueMicrotask(() => {
      this.socket.forget(this);
      this.finish();
    });
  }

  /** While datagrams are held, new ones line up behind them; so the order stays. */
  private static deliverHeld(this: void, peer: UdpPeer): void {
    while (peer.held && peer.handler && !peer.paused && !peer.closed) {
      const bytes = peer.held.shift();
      if (bytes) peer.handler.data(bytes);
      else peer.held = undefined;
    }
  }

  private sent(length: number): void {
    this.unsent -= length;
    if (this.unsent > 0 || this.over) return;
    if (this.closed) this.abort();
    else this.handler?.drain?.();
  }
}
