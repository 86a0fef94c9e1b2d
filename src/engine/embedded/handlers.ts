/**
 * Handlers of the program that an engine is part of, in TypeScript in place of a Lua script: what it may bring for a
 * server or link, and what its peers are to it.
 */

import type { FramerSpec } from '../../bytes/framer.js';
import type { Handshake, MessageType, TlsFacts } from '../../transports/connection.js';

/**
 * Where the first frame of `buffer`, all bytes that wait, ends: its length, 0 for more bytes, -1 to disconnect.
 * `buffer` is valid during the call only.
 */
export type Parse<Context = unknown> = Parser<Context>['parse'];

/** A method, so that one for a certain context fits where any may stand. */
interface Parser<Context> {
  parse(buffer: Buffer, client: EngineClient<Context>): number;
}

/** A message of a WebSocket. */
export type WebSocketMessage =
  | { readonly type: 'text'; readonly data: string }
  | { readonly type: 'binary'; readonly data: Buffer };

/** A request by HTTP or CoAP: what `on_request` of a script gets, under the same names. */
export interface EngineRequest {
  readonly protocol: 'http' | 'coap';
  /** `GET`, … */
  readonly method: string;
  /** Begins with `/`. */
  readonly path: string;
  /** Text by name; true for a name without a value. */
  readonly query: Readonly<Record<string, string | true>>;
  readonly content_type?: string;
  readonly body: Uint8Array;
  /** Of HTTP, by names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What one of the protocols has beside these. */
  readonly [fact: string]: unknown;
}

/** What is answered: a body, or its fields; nothing says that it is done. A MoonwireError thrown is answered by its code. */
export type EngineAnswer =
  | string
  | Uint8Array
  | undefined
  | {
      /** Of HTTP, 200 to 599; CoAP answers by the code that means the same. */
      readonly status?: number;
      readonly body?: string | Uint8Array;
      /** In place of a body. */
      readonly json?: unknown;
      readonly content_type?: string;
      readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    };

/** How a server or link fares: counters rise for ever. */
export interface HandlerStats {
  /** Name of the server or link. */
  readonly server: string;
  /** Clients that are open. */
  readonly clients: number;
  /** Clients there were, and those that are gone. */
  readonly opened: number;
  readonly closed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Frames, datagrams and messages that came, and messages that were sent. */
  readonly frames: number;
  readonly sends: number;
  /** Sends refused since too much waited for the client. */
  readonly sendsRefused: number;
  /** Handlers that threw or rejected. */
  readonly errors: number;
  /** Bytes that belonged to no frame. */
  readonly discarded: number;
}

/**
 * What a program does with the peers of a server or link. All of it is optional. Handlers may return a promise: those of
 * one client run one after the other, a client whose handler takes its time is slowed down, and clients do not wait for
 * each other. What a handler throws is logged and counted; its client stays.
 *
 * `Context`: what the program keeps with a client (`client.context`). `Owner`: the engine.
 */
export interface Handlers<Context = unknown, Owner = unknown> {
  /** All servers listen. What it throws fails the start. */
  onReady?(engine: Owner): unknown;
  /** A peer is there. `handshake`: how a WebSocket was opened. */
  onConnected?(client: EngineClient<Context>, handshake?: Handshake): unknown;
  /**
   * How a stream is cut into frames: a framing such as `lines()` or `framer('length', { at: 1, size: 2 })`, or a function
   * that tells where the first frame ends. Without it each chunk is handed on as it came. A function that throws
   * closes its client, since it is not known any more where frames begin.
   */
  readonly parse?: FramerSpec | Parse<Context>;
  /** A frame, a datagram, or where there is no `parse` what just came. The bytes are the handler's. */
  onData?(client: EngineClient<Context>, data: Buffer): unknown;
  /** A message of a WebSocket, where the server speaks `protocol: 'websocket'`. */
  onMessage?(client: EngineClient<Context>, message: WebSocketMessage): unknown;
  /** A request, where the server speaks HTTP or CoAP. */
  onRequest?(client: EngineClient<Context>, request: EngineRequest): EngineAnswer | Promise<EngineAnswer>;
  /** Called every `poll.everySeconds` of a link while it is open; a turn is left out while the one before takes its time. */
  onPoll?(client: EngineClient<Context>): unknown;
  /** The connection is over; what was received before has been handled. `error`: why, unless it was meant. */
  onClosed?(client: EngineClient<Context>, error?: Error): unknown;
  /** Called every `statSeconds` while the engine runs. */
  onStat?(stats: HandlerStats): unknown;
  /** Seconds between two calls of `onStat`, at least 0.1; default 10. */
  readonly statSeconds?: number;
}

/** One peer of a server or link. */
export interface EngineClient<Context = unknown> {
  /** A decimal string that is never used again. */
  readonly id: string;
  /** Name of the server or link. */
  readonly server: string;
  /** `tcp`, `tls`, `ws`, `udp`, `serial`, … or the name of a transport of the program. */
  readonly transport: string;
  /** The peer's address, "host:port"; the path of a serial port. */
  readonly remote: string;
  /** Our end, in the same form. */
  readonly local: string;
  /** How it is encrypted and who the peer is; undefined where it is not encrypted. */
  readonly tls: TlsFacts | undefined;
  /** True once the connection is over or being closed. */
  readonly closed: boolean;
  /** Bytes sent that the operating system has not taken yet. */
  readonly pendingBytes: number;
  /** Ids of the devices that are reached through this client, the first one first. */
  readonly devices: readonly string[];
  /** What the program keeps with it; undefined until it is set. */
  context: Context | undefined;
  /**
   * Sends bytes, or text as UTF-8. False when the client is closed, or when too much waits for it already
   * (`limits.sendBufferBytes`), which is logged and counted. `type`: how a WebSocket carries it, by default as what it is.
   */
  send(data: string | Uint8Array, type?: MessageType): boolean;
  /** Closes the connection once what was sent has left. `code` and `reason`: what a WebSocket tells its peer. */
  end(code?: number, reason?: string): void;
  /** Closes the connection at once; `error` is told to `onClosed`. */
  destroy(error?: Error): void;
  /**
   * Subscribes it to channels: it gets what is published there. False when it is closed.
   * @throws MoonwireError beyond a limit: names of 1 to 256 bytes, 10,000 channels a client.
   */
  subscribe(...channels: string[]): boolean;
  /** Takes subscriptions back. */
  unsubscribe(...channels: string[]): void;
  /**
   * Says that a device is reached through this client; the newest says so last.
   * @throws MoonwireError beyond a limit: an id of 1 to 256 bytes, 10,000 devices a client.
   */
  attach(deviceId: string): void;
  /** Says that it is not any more. */
  detach(deviceId: string): void;
}
