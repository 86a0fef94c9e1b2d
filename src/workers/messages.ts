/**
 * What the primary and its workers tell each other over the channel that Node opens between a process and its child.
 * Both ends are the same program of the same version, so messages are not checked.
 */

import type { Config } from '../config/schema.js';
import type { Arrived } from '../engine/handover/estate.js';
import type { QueueMessage } from '../engine/queues.js';
import type { TraceEvent } from '../engine/trace.js';
import type { ErrorCode } from '../errors.js';
import type { LogFields, LogLevel } from '../log.js';
import type { ReqMessage, ResMessage } from '../uplink/messages.js';

/** Where the primary accepts the connections of a server. */
export interface BoundAddress {
  /** "host:port" as bound. */
  readonly address: string;
  readonly port: number;
}

/** What a worker runs. */
export interface WorkerSetup {
  /** An engine of its own: name, labels, store, servers and links are those of this worker. */
  readonly config: Config;
  /** Centres it joins; one of them may be the primary's own. */
  readonly addresses: Config['engine']['centerRegistry'];
  /** The API, which the primary has open. */
  readonly api: BoundAddress;
  /** Servers whose connections the primary accepts, by name. */
  readonly accepted: Readonly<Record<string, BoundAddress>>;
}

/** How a worker fares; told with each answer to a ping. */
export interface WorkerReport {
  readonly node: number;
  /** Whether what only works inside still does. */
  readonly alive: boolean;
  readonly health: {
    readonly ready: boolean;
    readonly reasons: readonly { code: string; text: string; since?: number | undefined }[];
  };
}

/** What a worker took over from one of another primary. */
export interface WorkerTaken {
  readonly arrived: Arrived;
  readonly refused: unknown;
  /** Connections by server. */
  readonly open: Readonly<Record<string, number>>;
}

/** What the primary tells a worker. */
export type ToWorker =
  /** Lines of its log of less weight than `level` need not be told. */
  | {
      readonly t: 'start';
      readonly setup: WorkerSetup;
      readonly level: LogLevel;
      /** What a worker of another primary hands over; see `inPassing`. */
      readonly saved?: Uint8Array | undefined;
    }
  /** Comes with a handle of what is handed over. */
  | { readonly t: 'handle'; readonly name: string }
  /** Comes with the handle of a connection to this server. */
  | { readonly t: 'socket'; readonly server: string }
  /** Asks for a sign of life. */
  | { readonly t: 'ping'; readonly level: LogLevel }
  | { readonly t: 'stop' }
  /** Topics of queues that somebody consumes at the primary: all of them. */
  | { readonly t: 'topics'; readonly topics: readonly string[] }
  /** So many messages of queues have been taken by their consumers. */
  | { readonly t: 'taken'; readonly count: number }
  /** What was watched by `trace` under this number of the primary's need not be any more. */
  | { readonly t: 'unwatch'; readonly watch: number }
  | ReqMessage
  | ResMessage;

/** What a worker tells the primary. */
export type FromWorker =
  /** It serves; the answer to `start`. */
  | { readonly t: 'ready'; readonly report: WorkerReport; readonly taken?: WorkerTaken }
  /** Comes with a handle of what is handed over. */
  | { readonly t: 'handle'; readonly name: string }
  /** It cannot, and ends. */
  | {
      readonly t: 'failed';
      readonly code: ErrorCode;
      readonly text: string;
      readonly where?: string | undefined;
    }
  | { readonly t: 'pong'; readonly report: WorkerReport }
  /** A socket has come. */
  | { readonly t: 'got' }
  /** So many connections of a server have closed. */
  | { readonly t: 'closed'; readonly server: string; readonly count: number }
  | { readonly t: 'log'; readonly level: LogLevel; readonly message: string; readonly fields?: LogFields }
  | { readonly t: 'queue'; readonly message: QueueMessage }
  | { readonly t: 'event'; readonly watch: number; readonly event: TraceEvent & { left_out?: number } }
  | { readonly t: 'ended'; readonly watch: number }
  | ReqMessage
  | ResMessage;
