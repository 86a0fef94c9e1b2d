/** What monitoring needs to know of parts it may not import; `main.ts` gives it. All are fast and never fail. */

import type { JournalHealth } from '../store/journal.js';
import type { OutboxStatus } from '../store/outbox-status.js';

/** The engine's uplink as it stands. */
export interface UplinkFigures {
  readonly connected: boolean;
  /** Unix seconds since when it is so. */
  readonly since: number;
  /** How often a connection was lost; rises. */
  readonly flaps: number;
  /** The last round trip of a heartbeat; undefined before the first. */
  readonly roundTripMs: number | undefined;
}
export type UplinkSource = () => UplinkFigures;

/** The durable state; `StoreHealth` of `src/store`. */
export interface StoreFigures {
  /** False while anything is in memory only that should be on disk. */
  readonly ok: boolean;
  readonly error: string | undefined;
  /** Undefined when all is in memory. */
  readonly state:
    | {
        readonly pendingBytes: number;
        readonly diskBytes: number;
        readonly stateBytes: number;
        readonly entries: number;
        readonly refused: number;
        readonly failures: number;
        readonly syncs: number;
        readonly damagedParts: number;
        readonly damagedBytes: number;
        readonly tornBytes: number;
        readonly damagedSnapshots: number;
      }
    | undefined;
}
export type StoreSource = () => StoreFigures;

/** A sink; `SinkStatus` of `src/sinks`. */
export interface SinkFigures {
  readonly name: string;
  readonly kind: string;
  readonly ok: boolean;
  readonly error: string | undefined;
  readonly since: number | undefined;
  readonly delivered: number;
  readonly retried: number;
  readonly dead: number;
  readonly dropped: number;
  readonly filtered: number;
  readonly unreadable: number;
  readonly pending: number;
  readonly lag: number;
  readonly lastDelivered: number | undefined;
}
export type SinkSource = () => readonly SinkFigures[];

/** What is kept for the sinks, on disk. */
export type FeedSource = () => JournalHealth;

/** The engine's outbox. */
export type OutboxSource = () => OutboxStatus;

/** What the centre knows of its engines. */
export interface CenterSource {
  /** All engines that may come: those connected, and those that were here before. */
  engines(): Iterable<{ readonly name: string; readonly connected: boolean; readonly clients: number }>;
  /** Channels with subscribers anywhere, and devices attached anywhere. */
  readonly channels: number;
  readonly devices: number;
  /** Commands kept, by state. */
  readonly commands: Readonly<Record<string, number>>;
  /** Joins refused, by their code (`name_taken`, `bad_token`, …); rises. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** Reports taken in since the start, by the name of the engine: new ones, and those that had come before. */
export type IntakeSource = ReadonlyMap<string, { readonly received: number; readonly repeats: number }>;

/**
 * Counters of parts, by the name of the part: objects of numbers that only rise, whose names become values of the
 * label `event`. What else an object holds is left out.
 */
export type PartCounters = Readonly<Record<string, object>>;
