/**
 * The one interface every transport yields: a two-way stream of bytes (or of datagrams) with back-pressure both
 * ways. What runs above never learns whether it speaks over TCP, UDP or a serial line.
 */

import type { Handle } from './handles.js';
import type { Movable, Passage } from './movable.js';

/** What a WebSocket calls its messages; text is UTF-8. */
export type MessageType = 'text' | 'binary';

/** What a peer asked for when it opened its connection by an HTTP request (WebSocket). */
export interface Handshake {
  /** `GET`. */
  readonly method: string;
  /** Path and query as asked for, such as `/chat?room=1`. */
  readonly uri: string;
  /** `1.1`. */
  readonly httpVersion: string;
  /** By names in lower case; those that came several times are joined by `, `. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The subprotocol that was agreed on; empty for none. */
  readonly subprotocol: string;
}

/** What the owner of a connection is told. Set once, right after the connection was made. */
export interface ConnectionHandler {
  /**
   * Bytes arrived; for a datagram connection exactly one datagram. The callee owns `bytes`. `type` is how a
   * transport of typed messages (WebSocket) carried them.
   */
  data(bytes: Uint8Array, type?: MessageType): void;
  /** The peer showed that it is there, without data: the answer to a keep-alive. */
  alive?(): void;
  /** `pendingBytes` came back to zero: everything written has left for the operating system. */
  drain?(): void;
  /** The connection is over: called exactly once, and nothing is called after it. `error` is the first cause. */
  close(error?: Error): void;
}

/** How a connection is encrypted and, with a certificate that is trusted, who the peer is. Names as scripts see them. */
export interface TlsFacts {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** OpenSSL's name of the cipher. */
  readonly cipher: string;
  /** Whether an earlier session was taken up again, and nothing was verified anew. */
  readonly resumed: boolean;
  /** The name the client asked for (SNI). */
  readonly servername?: string;
  /** The protocol agreed on by ALPN. */
  readonly alpn?: string;
  /** Whose pre-shared key the client has. */
  readonly psk_identity?: string;
  /** Attributes of the names in the peer's certificate, such as `CN` and `O`; a repeated one is a list. */
  readonly subject?: Readonly<Record<string, unknown>>;
  readonly issuer?: Readonly<Record<string, unknown>>;
  /** Its further names with their kinds, such as `DNS:gate.example`. */
  readonly san?: readonly string[];
  /** Its serial number in hex, and SHA-256 over the whole of it in lower-case hex. */
  readonly serial?: string;
  readonly fingerprint?: string;
  /** When it ends, in Unix seconds. */
  readonly valid_to?: number;
}

/** One peer. */
export interface Connection extends Partial<Movable> {
  /** `tcp`, `udp`, `serial`, `memory`, …: for logs and metrics. */
  readonly transport: string;
  /** The peer: "host:port" ("[v6]:port"), or the path of a serial port. */
  readonly remote: string;
  /** Our end, in the same form. */
  readonly local: string;
  /** True when each `data` and each `write` is one datagram. */
  readonly datagram: boolean;
  /** What is spoken over it, where that is not what its server or link speaks: messages of a WebSocket, HTTP. */
  readonly speaks?: 'websocket' | 'http' | undefined;
  /** Bytes written but not yet taken by the operating system. */
  readonly pendingBytes: number;
  /** True from the first `end`, `destroy` or loss of the peer. */
  readonly closed: boolean;
  /** Attaches the owner, once; data that arrived before is delivered afterwards, never within this call. */
  attach(handler: ConnectionHandler): void;
  /**
   * Queues bytes. Never throws; writing to a closed connection does nothing. `bytes` must not be changed later.
   * `type` is how a transport of typed messages (WebSocket) carries them; it chooses itself when left out.
   */
  write(bytes: Uint8Array, type?: MessageType): void;
  /** Stops `data` until `resume`: the peer is slowed down where the transport can (TCP, serial flow control). */
  pause(): void;
  /** Lets `data` flow again. */
  resume(): void;
  /**
   * Sends what is queued, then closes, within 10 s at most. What still arrives is dropped. `code` (RFC 6455, 7.4)
   * and `reason` (up to 123 bytes) are told to the peer of a WebSocket, default 1000.
   */
  end(code?: number, reason?: string): void;
  /** Closes at once; what is queued is lost. `error` becomes the cause handed to `close`. */
  destroy(error?: Error): void;
  /** How the connection was opened, where it began with a handshake; told once, then forgotten. */
  takeHandshake?(): Handshake | undefined;
  /** Another process has it: closes it here. Neither its owner nor its peer is told. */
  letGo?(): void;
  /** How it is encrypted; undefined where it is not, and once it is closed. */
  tls?(): TlsFacts | undefined;
}

/** Told of each new connection, which it must attach to, or end. */
export type OnConnection = (connection: Connection) => void;

/** What became of connections whose first bytes were looked at. */
export interface SniffCounters {
  /** Told by their first bytes. */
  tls: number;
  http: number;
  own: number;
  /** Taken as those that speak their server's own protocol: they said nothing in time, or too little to tell. */
  silent: number;
  slow: number;
  /** Gone before it was known. */
  left: number;
}

/** Counters of a listener, all rising for ever; names are metric labels. */
export interface ListenerCounters {
  /** Connections handed to the owner. */
  accepted: number;
  /** Refused because `connections` were open. */
  refusedLimit: number;
  /** Refused because more than `acceptsPerSecond` came. */
  refusedRate: number;
  /** Refused because `connectionsPerAddress` were open from one address. */
  refusedAddress: number;
  /** Refused because more than `acceptsPerSecondPerAddress` came from one address. */
  refusedAddressRate: number;
  /** Refused because of what this server shares with others: as many are open as may be, or more came a second. */
  refusedTotal: number;
  refusedTotalRate: number;
  /** Refused because the process does not keep up. */
  refusedOverload: number;
  /** Refused because memory is short. */
  refusedMemory: number;
  /** Datagrams dropped: no room for another peer, too large, or more than the peer's owner takes. */
  droppedDatagrams: number;
  /** Handshakes that were refused or not completed. */
  refusedHandshakes: number;
  /** Handshakes that waited, because `handshakes` were under way. */
  delayedHandshakes: number;
  /** Refused because `pendingHandshakes` were not over, of this server or of all. */
  refusedPending: number;
  /** HTTP requests that cannot be read, are too large or too slow. */
  refusedRequests: number;
  /** What is spoken, where first bytes tell it. */
  sniffed?: SniffCounters;
}

/** Counters of a listener that begins. */
export function listenerCounters(): ListenerCounters {
  return {
    accepted: 0,
    refusedLimit: 0,
    refusedRate: 0,
    refusedAddress: 0,
    refusedAddressRate: 0,
    refusedTotal: 0,
    refusedTotalRate: 0,
    refusedOverload: 0,
    refusedMemory: 0,
    droppedDatagrams: 0,
    refusedHandshakes: 0,
    delayedHandshakes: 0,
    refusedPending: 0,
    refusedRequests: 0,
  };
}

/** A listening server socket. */
export interface Listener extends Partial<Movable> {
  /** "host:port" as bound (the real port when 0 was asked for). */
  readonly address: string;
  /** The bound port. */
  readonly port: number;
  readonly counters: Readonly<ListenerCounters>;
  /** Stops listening; open connections stay. Resolves when the port is free (for UDP: when its peers are closed). */
  close(): Promise<void>;
  /** What came since it is frozen, as data, where it goes on receiving; it does so no more. */
  late?(): unknown;
  /** Takes what `late` returned in another process, before it is thawed. */
  catchUp?(late: unknown): void;
  /** Another process listens: closes it here. Returns the connections it accepted since its passage. */
  letGo?(): Handle[];
  /** Takes a connection that another process accepted. */
  receive?(accepted: Handle): void;
  /** Makes a connection, frozen, of what a connection of such a listener handed over; its caller attaches to it. */
  adopt?(passage: Passage): Connection;
}
