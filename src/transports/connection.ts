/**
 * The one interface every transport yields: a two-way stream of bytes (or of datagrams) with back-pressure both
 * ways. What runs above never learns whether it speaks over TCP, UDP or a serial line.
 */

/** What the owner of a connection is told. Set once, right after the connection was made. */
export interface ConnectionHandler {
  /** Bytes arrived; for a datagram connection exactly one datagram. The callee owns `bytes`. */
  data(bytes: Uint8Array): void;
  /** `pendingBytes` came back to zero: everything written has left for the operating system. */
  drain?(): void;
  /** The connection is over: called exactly once, and nothing is called after it. `error` is the first cause. */
  close(error?: Error): void;
}

/** One peer. */
export interface Connection {
  /** `tcp`, `udp`, `serial`, `memory`, …: for logs and metrics. */
  readonly transport: string;
  /** The peer: "host:port" ("[v6]:port"), or the path of a serial port. */
  readonly remote: string;
  /** Our end, in the same form. */
  readonly local: string;
  /** True when each `data` and each `write` is one datagram. */
  readonly datagram: boolean;
  /** Bytes written but not yet taken by the operating system. */
  readonly pendingBytes: number;
  /** True from the first `end`, `destroy` or loss of the peer. */
  readonly closed: boolean;
  /** Attaches the owner, once; data that arrived before is delivered afterwards, never within this call. */
  attach(handler: ConnectionHandler): void;
  /**
   * Queues bytes. Never throws; writing to a closed connection does nothing. `bytes` must not be changed later.
   * `type` is how a transport of typed messages (WebSocket) carries them.
   */
  write(bytes: Uint8Array, type?: 'text' | 'binary'): void;
  /** Stops `data` until `resume`: the peer is slowed down where the transport can (TCP, serial flow control). */
  pause(): void;
  /** Lets `data` flow again. */
  resume(): void;
  /** Sends what is queued, then closes, within 10 s at most. What still arrives is dropped. */
  end(): void;
  /** Closes at once; what is queued is lost. `error` becomes the cause handed to `close`. */
  destroy(error?: Error): void;
}

/** Told of each new connection, which it must attach to, or end. */
export type OnConnection = (connection: Connection) => void;

/** Counters of a listener, all rising for ever; names are metric labels. */
export interface ListenerCounters {
  /** Connections handed to the owner. */
  accepted: number;
  /** Refused because `connections` were open. */
  refusedLimit: number;
  /** Refused because more than `acceptsPerSecond` came. */
  refusedRate: number;
  /** Datagrams dropped: no room for another peer, or too large. */
  droppedDatagrams: number;
}

/** A listening server socket. */
export interface Listener {
  /** "host:port" as bound (the real port when 0 was asked for). */
  readonly address: string;
  /** The bound port. */
  readonly port: number;
  readonly counters: Readonly<ListenerCounters>;
  /** Stops listening; open connections stay. Resolves when the port is free (for UDP: when its peers are closed). */
  close(): Promise<void>;
}
