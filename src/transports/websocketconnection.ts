import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { MoonwireError } from '../errors.js';
import { formatAddress } from './address.js';
import type { Handshake, MessageType, TlsFacts } from './connection.js';
import { Endpoint } from './endpoint.js';
import { handleOf, startReading, stopReading } from './handles.js';
import type { Passage } from './movable.js';
import { tlsFacts } from './tlsfacts.js';
import { type FrameMaker, isText } from './websocketframe.js';
import { atBoundary, unreadOf } from './websocketreceiver.js';

const OWNER = Symbol('connection');
interface Owned {
  [OWNER]: WebSocketConnection;
}

/** `WebSocket.OPEN`. */
const OPEN = 1;
/** Pings are answered while less than this waits to be sent: answering the latest will do (RFC 6455, 5.5.3). */
const PONG_BYTES = 4096;
/**
 * Bytes that may be held for a paused owner beyond the longest message. What is read at once has 64 KiB, so only
 * messages that grow when they are inflated get there.
 */
const HELD_BYTES = 2 ** 20;

/** Close codes (RFC 6455, 7.4.1, and the IANA registry) in words. */
const CODES: Readonly<Record<number, string>> = {
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1006: 'no close frame',
  1007: 'invalid data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
};

/** What all connections of a server share. */
export interface WebSocketSettings {
  /** Messages are chunks of a stream of bytes: what they are cut into means nothing, and they go out as binary. */
  readonly stream: boolean;
  /** What the connections say they speak. */
  readonly speaks?: 'websocket' | undefined;
  /** Longest message in bytes. */
  readonly messageBytes: number;
  /** Makes the frames, where the connection writes them itself: as a server, whose frames are not masked. */
  readonly frames?: FrameMaker;
  /** The connection is over. */
  forget(connection: WebSocketConnection): void;
}

/** A connection on its way to another process. */
export interface MovedWebSocket {
  readonly subprotocol: string;
  /** Bytes that were read and belong to no message yet. */
  readonly head: Uint8Array;
  readonly held: readonly Received[];
}

interface Received {
  readonly bytes: Uint8Array;
  readonly type: MessageType;
}

/**
 * A connection over an open WebSocket of the `ws` library and the socket below it.
 *
 * As with {@link SocketConnection}, tens of thousands of them sit idle: no closure, timer or buffer for each, and
 * listeners that are shared functions. Without compression it writes whole frames to the socket itself, which
 * spares what the library does for each message and lets one frame serve many clients; the library's own control
 * frames are whole, too, so they stand between ours.
 */
export class WebSocketConnection extends Endpoint {
  readonly transport = 'websocket';
  /** Kept as text, because a closed socket no longer knows it. */
  readonly remote: string;
  /** Whether anything came since the last {@link probe}. */
  private heard = true;
  private corked = false;
  private paused = false;
  private frozen = false;
  /** Whether its owner is told of a message just now; see {@link SocketConnection}. */
  private reading = false;
  /** What the library read while the owner is paused. */
  private held: Received[] | undefined;
  private heldBytes = 0;

  constructor(
    private readonly ws: WebSocket,
    private readonly socket: Socket,
    private readonly settings: WebSocketSettings,
    private handshake: Handshake | undefined,
  ) {
    super();
    this.remote = formatAddress(socket.remoteAddress, socket.remotePort);
    (ws as WebSocket & Owned)[OWNER] = this;
    (socket as Socket & Owned)[OWNER] = this;
    socket.on('drain', onDrain).on('data', onRead);
    ws.on('message', onMessage)
      .on('ping', onPing)
      .on('pong', onPong)
      .on('error', onError)
      .on('close', onClose);
    ws.pause();
  }

  get local(): string {
    return formatAddress(this.socket.localAddress, this.socket.localPort);
  }

  get datagram(): boolean {
    return !this.settings.stream;
  }

  get speaks(): 'websocket' | undefined {
    return this.settings.speaks;
  }

  tls(): TlsFacts | undefined {
    return tlsFacts(this.socket);
  }

  get pendingBytes(): number {
    return this.socket.destroyed ? 0 : this.ws.bufferedAmount;
  }

  override get closed(): boolean {
    return super.closed || this.ws.readyState !== OPEN;
  }

  takeHandshake(): Handshake | undefined {
    const { handshake } = this;
    this.handshake = undefined;
    return handshake;
  }

  write(bytes: Uint8Array, type?: MessageType): void {
    const { stream, frames } = this.settings;
    if (this.closed || (stream && bytes.length === 0)) return;
    const carried = stream ? 'binary' : type;
    if (frames && this.ws.extensions === '') {
      const frame = frames.make(bytes, carried);
      // A message to many leaves at once: to wait for others of this turn would only cost.
      if (!frames.repeated) this.cork();
      this.socket.write(frame);
    } else {
      this.cork();
      this.ws.send(bytes, { binary: !isText(bytes, carried) });
    }
  }

  /** Lets the writes of one turn of the event loop, or of what is read at once, leave in one system call. */
  private cork(): void {
    if (this.corked) return;
    this.corked = true;
    this.socket.cork();
    if (!this.reading) setImmediate(WebSocketConnection.flush, this);
  }

  pause(): void {
    this.paused = true;
    if (this.handler) this.ws.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    // While it was paused, an answer could not be read.
    this.heard = true;
    if (this.handler) this.start();
  }

  /**
   * Called once a ping interval: closes a peer that sent nothing since the last ping, not even the answer, and pings
   * it again.
   */
  probe(seconds: number): void {
    if (this.closed || this.paused || this.frozen) return;
    if (this.heard) {
      this.heard = false;
      this.ws.ping();
    } else {
      this.destroy(new MoonwireError('timeout', `no answer to a ping within ${seconds} s`, this.remote));
    }
  }

  freeze(): void {
    if (this.frozen) return;
    stopReading(this.socket);
    this.frozen = atBoundary(this.ws);
    // In the middle of a message the rest of it is read first: nobody could go on there.
    if (!this.frozen) startReading(this.socket);
  }

  thaw(): void {
    this.frozen = false;
    startReading(this.socket);
    if (this.handler) this.start();
  }

  passage(): Passage | undefined {
    const handle = handleOf(this.socket);
    if (!this.frozen || !atBoundary(this.ws) || !handle) return undefined;
    if (this.closed || this.pendingBytes > 0 || this.ws.extensions !== '' || this.tls()) return undefined;
    const state: MovedWebSocket = {
      subprotocol: this.ws.protocol,
      head: unreadOf(this.ws),
      held: this.held ?? [],
    };
    return { handle, state };
  }

  /** Goes on, once it is thawed, where another process left off. */
  restore({ held }: MovedWebSocket): void {
    this.frozen = true;
    if (held.length === 0) return;
    this.held = [...held];
    this.heldBytes = held.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  protected start(): void {
    if (this.paused || this.frozen) return;
    if (this.held) setImmediate(WebSocketConnection.deliverHeld, this);
    else this.ws.resume();
  }

  /** Begins the closing handshake (RFC 6455, 7.1.2), and reads on until the peer's close frame. */
  protected flushAndClose(code = 1000, reason = ''): void {
    this.dropHeld();
    this.ws.close(code, reason);
    this.ws.resume();
  }

  protected abort(): void {
    this.dropHeld();
    this.ws.terminate();
  }

  private dropHeld(): void {
    this.held = undefined;
    this.heldBytes = 0;
  }

  private static flush(connection: WebSocketConnection): void {
    connection.corked = false;
    connection.socket.uncork();
  }

  /** While messages are held, new ones line up behind them; so the order stays. */
  private static deliverHeld(this: void, connection: WebSocketConnection): void {
    while (!connection.paused && connection.deliverNext()) {}
    if (connection.held || connection.paused || connection.over) return;
    connection.ws.resume();
  }

  /** Hands one of the held messages on; false when there is none. */
  private deliverNext(): boolean {
    const message = this.held?.shift();
    if (!message) {
      this.held = undefined;
      return false;
    }
    this.heldBytes -= message.bytes.length;
    this.handler!.data(message.bytes, message.type);
    return true;
  }

  /** The library tells: a message came. */
  received(bytes: Uint8Array, type: MessageType): void {
    this.heard = true;
    if (super.closed) return;
    if (!this.paused && !this.held) {
      // Without compression that is while the bytes are read it came in.
      this.reading = this.ws.extensions === '';
      this.handler!.data(bytes, type);
      return;
    }
    this.held ??= [];
    this.held.push({ bytes, type });
    this.heldBytes += bytes.length;
    if (this.heldBytes <= HELD_BYTES + this.settings.messageBytes) return;
    this.destroy(new MoonwireError('overloaded', 'sends more than is taken', this.remote));
  }

  /** The library tells: a ping came. */
  pinged(data: Buffer): void {
    this.lives();
    if (!this.closed && this.pendingBytes < PONG_BYTES) this.ws.pong(data);
  }

  /** The peer is there. */
  lives(): void {
    this.heard = true;
    this.handler?.alive?.();
  }

  /** The socket tells: bytes came, and the library has told of all messages in them. */
  read(): void {
    this.reading = false;
    if (this.corked) WebSocketConnection.flush(this);
  }

  /** The socket tells: its queue ran empty. */
  drained(): void {
    this.handler?.drain?.();
  }

  /** The library tells: the peer breaks the protocol or a limit. It has sent the fitting close frame. */
  failed(error: Error & { code?: string }): void {
    const tooLarge = error.code?.endsWith('_LENGTH') && !error.code.includes('CONTROL');
    this.blame(
      tooLarge
        ? new MoonwireError(
            'too_large',
            `a message is longer than ${this.settings.messageBytes} bytes`,
            this.remote,
          )
        : new MoonwireError('decode_error', `breaks the WebSocket protocol: ${error.message}`, this.remote),
    );
  }

  /** The library tells: the connection is over. */
  released(code: number, reason: Buffer): void {
    if (!super.closed) {
      // What the peer sent before it left is not lost, though its owner is paused.
      while (this.deliverNext()) {}
      if (code !== 1000 && code !== 1005)
        this.blame(closedByPeer(code, reason.toString('utf8'), this.remote));
    }
    this.settings.forget(this);
    this.finish();
  }
}

function closedByPeer(code: number, reason: string, remote: string): MoonwireError {
  const words = reason || CODES[code];
  return new MoonwireError('closed', `closed by peer: ${code}${words ? ` ${words}` : ''}`, remote);
}

function ownerOf(emitter: WebSocket | Socket): WebSocketConnection {
  return (emitter as (WebSocket | Socket) & Owned)[OWNER];
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  // A Buffer, since `binaryType` is left as it is.
  ownerOf(this).received(data as Buffer, isBinary ? 'binary' : 'text');
}

function onPing(this: WebSocket, data: Buffer): void {
  ownerOf(this).pinged(data);
}

function onPong(this: WebSocket): void {
  ownerOf(this).lives();
}

function onError(this: WebSocket, error: Error): void {
  ownerOf(this).failed(error);
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  ownerOf(this).released(code, reason);
}

/** The library's own listener comes before this one. */
function onRead(this: Socket): void {
  ownerOf(this).read();
}

function onDrain(this: Socket): void {
  ownerOf(this).drained();
}
