/**
 * The messages between engines and the centre, and between engines (design §9 "Join", "Uplink messages"). Each is a
 * CBOR map with its type under `t`; `message-checks.ts` holds their ranges. Unknown keys are ignored.
 */

import { MAX_BATCH_BYTES, type Ranges, type ReportRecord } from '../store/reported.js';

/** Types of the streams of a session between nodes (design §5). */
export const STREAM = { control: 1, reports: 2, route: 3, commands: 4, log: 5 } as const;

/** Longest message in bytes of CBOR. */
export const MAX_MESSAGE_BYTES = 2 ** 20;
/** The version of the join. */
export const JOIN_VERSION = 1;

/** How the data of a message is sent over a WebSocket; without it the receiver decides. */
export type DataType = 'text' | 'binary';

/** An engine as the others know it. */
export interface Peer {
  readonly name: string;
  /** Node number, 1 to 2^20-1. */
  readonly node: number;
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** "host:port" of its mesh point; absent: it has none that others reach. */
  readonly mesh?: string | undefined;
  /** "host:port" of its API. */
  readonly api?: string | undefined;
  readonly version?: string | undefined;
}

/** First message of whoever dialled, on the control stream. */
export interface HelloMessage {
  readonly t: 'hello';
  readonly v: number;
  readonly name: string;
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
  /** The program's version. */
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Advertised mesh point, "host:port"; an empty host (":6788") means the address this session comes from. */
  readonly mesh?: string | undefined;
  /** Advertised API, as `mesh`. */
  readonly api?: string | undefined;
  /** The node number it has: a centre that lost its state leases the same again if it can. */
  readonly node?: number | undefined;
  /** Seconds without a heartbeat after which it counts as dead: its interval and tolerance together. */
  readonly silence?: number | undefined;
}

/** Answer to a hello. */
export interface ChallengeMessage {
  readonly t: 'challenge';
  /** 32 random bytes, drawn for this session. */
  readonly nonce: Uint8Array;
  /** Unix seconds at the sender. */
  readonly time: number;
  /** Between engines only: the acceptor's key and its signature of the transcript. */
  readonly key?: Uint8Array | undefined;
  readonly sig?: Uint8Array | undefined;
}

/** Proves that the sender of the hello holds the key. */
export interface ProveMessage {
  readonly t: 'prove';
  /** Ed25519 signature of the transcript, 64 bytes: `proof.ts`. */
  readonly sig: Uint8Array;
  /** HMAC-SHA256 of the transcript under the join token: for a centre that does not know the key. */
  readonly token?: Uint8Array | undefined;
}

/** The join succeeded. */
export interface WelcomeMessage {
  readonly t: 'welcome';
  /** From the centre: the node number of the engine. Between engines: that of the acceptor. */
  readonly node: number;
  /** Unix seconds at the sender. */
  readonly time: number;
  /** Other engines, at most {@link PEERS_PER_MESSAGE}; `peers` messages bring the others. Empty between engines. */
  readonly peers: readonly Peer[];
}

/** The join failed, or a session is ended for good. */
export interface RefusedMessage {
  readonly t: 'refused';
  /** One of {@link REFUSALS}, or a newer one. */
  readonly code: string;
  readonly text: string;
}

/** Why a join is refused. */
export const REFUSALS = {
  /** Another key is pinned under this name. */
  name_taken: 'another engine has this name; remove its pin at the centre if this one takes its place',
  /** The signature does not prove the key. */
  bad_proof: 'the signature does not prove the key',
  /** The key is unknown and the join token wrong or missing. */
  bad_token: 'the join token is wrong or missing',
  /** The first messages are not a hello and a proof. */
  bad_hello: 'the hello is malformed or of another version',
  /** Too many engines, or joins at a time. */
  overloaded: 'too many engines or joins at a time',
} as const;
/** One of the refusals. */
export type Refusal = keyof typeof REFUSALS;

/** Changes of the other engines, on control from the centre. */
export interface PeersMessage {
  readonly t: 'peers';
  /** Engines that are new or have changed, by their node; the receiver may be among them. */
  readonly peers: readonly Peer[];
  /** Nodes that have gone. */
  readonly gone?: readonly number[] | undefined;
}

/** Most peers in one message. */
export const PEERS_PER_MESSAGE = 500;

/** A request on control, either way. */
export interface ReqMessage {
  readonly t: 'req';
  /** Of the sender; comes back in the answer. */
  readonly id: number;
  /** Method. */
  readonly m: string;
  /** Parameters. */
  readonly p?: unknown;
}

/** The answer to a request: a result or an error. */
export interface ResMessage {
  readonly t: 'res';
  readonly id: number;
  readonly r?: unknown;
  readonly e?: { readonly code: string; readonly text: string } | undefined;
}

/** A server or link of an engine. */
export interface ServerInfo {
  readonly name: string;
  readonly protocol: string;
  readonly transport: string;
  readonly port?: number | undefined;
}

/** What was added and what was removed; nothing stands in both. */
export interface Changes<Added, Removed = Added> {
  readonly add: readonly Added[];
  readonly del: readonly Removed[];
}

/** A device and the client it is attached to. */
export type Attachment = readonly [device: string, client: number];

/** What an engine is worth, told every 10 s. */
export interface EngineStats {
  readonly clients: number;
  /** Messages received from devices since the start. */
  readonly messages: number;
  /** Resident memory in bytes. */
  readonly memory: number;
}

/** What an engine has: all of it in messages that begin with `full`, afterwards changes. */
export interface RegMessage {
  readonly t: 'reg';
  /** Counts from 0, which is the first message of a full registration; a gap is answered with `resend`. */
  readonly n: number;
  /** On each message of a full registration; with `n` = 0 what was known before is dropped. */
  readonly full?: boolean | undefined;
  readonly servers?: readonly ServerInfo[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly stats?: EngineStats | undefined;
  /** Channels with subscribers on the engine. */
  readonly channels?: Changes<string> | undefined;
  /** Ids of connected clients. */
  readonly clients?: Changes<number> | undefined;
  /** Devices attached to clients, a newer attachment replacing the older; and those attached to none any more. */
  readonly devices?: Changes<Attachment, string> | undefined;
}

/** Most changes of all kinds in one `reg`, so that it stays below {@link MAX_MESSAGE_BYTES}. */
export const CHANGES_PER_MESSAGE = 10_000;

/** From the centre: a registration was missed, send a full one. */
export interface ResendMessage {
  readonly t: 'resend';
}

/** Between engines, on control: channels with subscribers at the sender. */
export interface ChanMessage {
  readonly t: 'chan';
  /** What was known before is dropped. */
  readonly full?: boolean | undefined;
  readonly add: readonly string[];
  readonly del: readonly string[];
}

/** A message for one client; answered by `done`. */
export interface SendMessage {
  readonly t: 'send';
  /** Of the sender on this stream. */
  readonly id: number;
  /** Client id. */
  readonly c: number;
  /** Data: plain values; text as text, bytes as bytes. */
  readonly d: unknown;
  y?: DataType | undefined;
}

/** A call of a function on one client, as CONNMIX's `conn.call`; answered by `done`. */
export interface CallMessage {
  readonly t: 'call';
  readonly id: number;
  readonly c: number;
  /** Function. */
  readonly f: string;
  /** Arguments. */
  readonly a: readonly unknown[];
}

/** A message for the subscribers of a channel; answered by `done`. */
export interface PubMessage {
  readonly t: 'pub';
  readonly id: number;
  readonly ch: string;
  readonly d: unknown;
  y?: DataType | undefined;
  /** To the centre: nodes that the sender reached itself. */
  except?: readonly number[] | undefined;
}

/** The answer to `send`, `call` and `pub`. */
export interface DoneMessage {
  readonly t: 'done';
  readonly id: number;
  /** Clients reached. */
  readonly s: number;
  /** Clients not reached. */
  readonly f: number;
  /** Why, as "code: text". */
  readonly e?: string | undefined;
}

/** Reports, on a stream of type reports; answered by `ack`. At most {@link MAX_REC_BYTES}. */
export interface RecMessage {
  readonly t: 'rec';
  readonly epoch: number;
  /** Boot id of the sender's machine when these were taken. */
  readonly boot: string;
  readonly r: readonly ReportRecord[];
}

/** Longest `rec` in bytes: a batch, and what is around it. */
export const MAX_REC_BYTES = MAX_BATCH_BYTES + 1024;
/** Most reports in one `rec`, and ranges in one `ack`. */
export const REPORTS_PER_MESSAGE = 4096;

/** These reports are safe at the centre, be they new or repeated. */
export interface AckMessage {
  readonly t: 'ack';
  readonly epoch: number;
  readonly ranges: Ranges;
}

/** From the centre, first on a stream of type log: watch this client. */
export interface TraceMessage {
  readonly t: 'trace';
  readonly c: number;
}

/** From the engine on such a stream: something happened. */
export interface EventMessage {
  readonly t: 'event';
  readonly e: Readonly<Record<string, unknown>>;
}

/** From the engine on such a stream, last: there is nothing more to watch, or why it cannot be watched. */
export interface EndMessage {
  readonly t: 'end';
  /** "code: text"; absent when the client has closed. */
  readonly e?: string | undefined;
}

/** From the centre, on commands: do this, once. Sent again after a reconnection, until a `state` comes. */
export interface CmdMessage {
  readonly t: 'cmd';
  /** Unique for ever. */
  readonly id: string;
  readonly device: string;
  readonly name: string;
  /** Plain values. */
  readonly params?: unknown;
  /** Unix seconds until which it was to be begun. */
  readonly expires: number;
  /** Whether it may be done twice. */
  readonly idempotent: boolean;
  /** It has expired since it was sent first: what became of it is to be told, but it must not be begun any more. */
  readonly late?: boolean | undefined;
}

/** What a command can come to on an engine: `queued` means that it was not begun, and is the centre's again. */
export const OUTCOMES = ['queued', 'done', 'failed', 'unknown'] as const;
export type OutcomeState = (typeof OUTCOMES)[number];

/** From the engine, on commands: what became of one. Sent again after a reconnection, until `kept` comes. */
export interface StateMessage {
  readonly t: 'state';
  readonly id: string;
  readonly state: OutcomeState;
  /** Unix seconds at the engine. */
  readonly at: number;
  /** Of a command that is done; plain values. */
  readonly result?: unknown;
  /** "code: text". */
  readonly error?: string | undefined;
}

/** From the centre, on commands: a state is on its disk, the engine may forget the command. */
export interface KeptMessage {
  readonly t: 'kept';
  readonly id: string;
}

/** Answer to a message that was not understood; never answered itself. */
export interface ErrorMessage {
  readonly t: 'error';
  readonly code: string;
}

/** Every message. */
export type Message =
  | HelloMessage
  | ChallengeMessage
  | ProveMessage
  | WelcomeMessage
  | RefusedMessage
  | PeersMessage
  | ReqMessage
  | ResMessage
  | RegMessage
  | ResendMessage
  | ChanMessage
  | SendMessage
  | CallMessage
  | PubMessage
  | DoneMessage
  | RecMessage
  | AckMessage
  | TraceMessage
  | EventMessage
  | EndMessage
  | CmdMessage
  | StateMessage
  | KeptMessage
  | ErrorMessage;

/** Messages of a route stream. */
export type RouteMessage = SendMessage | CallMessage | PubMessage | DoneMessage | ErrorMessage;
