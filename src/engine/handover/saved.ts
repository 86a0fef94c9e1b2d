/** An engine on its way to the process that takes its place: plain data, and handles beside it. */

import type { FramerState } from '../../bytes/framer.js';
import type { ListenerCounters } from '../../transports/connection.js';
import type { Handle } from '../../transports/handles.js';
import type { SavedBroker } from '../mqtt/saved.js';
import type { SavedFrames } from '../recent-frames.js';
import type { TimerPhase } from '../timers.js';

/** A chunk, datagram or message that no handler has seen yet. */
export interface SavedInput {
  readonly bytes: Uint8Array;
  readonly text: boolean;
}

/** What was received from a client and not handled yet. */
export interface SavedReceived {
  readonly framer: FramerState | undefined;
  /** A message that was cut already, and whose time has not come. */
  readonly delayed: SavedInput | undefined;
  readonly waiting: readonly SavedInput[];
}

/** A client that goes on. Durations in milliseconds. */
export interface SavedClient {
  readonly id: number;
  /** What its connection is made of again, beside its handle. */
  readonly connection: unknown;
  readonly openedAgo: number;
  readonly seenAgo: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly messages: number;
  readonly session: unknown;
  readonly context: readonly (readonly [string, unknown])[];
  readonly devices: readonly string[] | undefined;
  /** Those of its devices that no newer client has attached. */
  readonly attached: readonly string[];
  readonly channels: readonly string[];
  readonly input: SavedReceived | undefined;
  /** What a native protocol keeps for it. */
  readonly peer: unknown;
}

/** A server or link. */
export interface SavedPart {
  readonly name: string;
  /** Where it listened or led to; where that is another place now, nothing of it goes on. */
  readonly where: string;
  /** What was spoken there; where that is something else now, its clients do not go on. */
  readonly speaks: string;
  /** Of a link: where its connection leads. */
  readonly address: string | undefined;
  /** Of a link: what its protocol keeps beyond its connection. */
  readonly link: unknown;
  /** Of a serial link: when its port was closed. */
  readonly closedAt: number | undefined;
  /** Connections its listener had accepted, and nobody taken. */
  readonly accepted: number;
  readonly listening: Readonly<ListenerCounters> | undefined;
  readonly clients: readonly SavedClient[];
  readonly timers: readonly TimerPhase[];
  readonly counters: object;
  readonly times: SavedTimes;
  readonly frames: SavedFrames;
}

/** A histogram. */
export interface SavedTimes {
  readonly counts: Float64Array;
  readonly sum: number;
}

/** All of it. */
export interface SavedEngine {
  readonly parts: readonly SavedPart[];
  /** What MQTT servers keep for their devices. */
  readonly mqtt: SavedBroker | undefined;
  /** How many clients stay behind, by their transport. */
  readonly staying: Readonly<Record<string, number>>;
}

/** What the new process was given. */
export interface Inheritance<S = SavedEngine> {
  readonly saved: S;
  /** The handle of that name, which is the caller's from then on. */
  take(name: string): Handle | undefined;
}

/** Names of handles. */
export const handleName = {
  listener: (part: string): string => `listener ${part}`,
  accepted: (part: string, index: number): string => `accepted ${part} ${index}`,
  client: (id: number): string => `client ${id}`,
};
