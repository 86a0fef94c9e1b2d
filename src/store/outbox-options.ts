/** What an outbox takes, and how it is kept. */

import type { Clock } from './clock.js';
import type { SpoolsOptions } from './spools.js';

/** A reading to be kept. */
export interface OutboxReport {
  readonly deviceId: string;
  readonly values: unknown;
  /** Unix seconds; now unless given. */
  readonly time?: number | undefined;
  readonly topic?: string | undefined;
  readonly quality?: string | undefined;
  /** On disk before the promise resolves. */
  readonly durable: boolean;
}

/** How an outbox is kept. */
export interface OutboxOptions extends SpoolsOptions {
  readonly clock: Clock;
  /** Seconds after which reports are dropped. */
  readonly maxAge: number;
  /** Seconds an eco report may be in memory only. */
  readonly spillDelay: number;
  /** Most reports a second on the backlog lane. */
  readonly drainRate: number;
  /** Most bytes of the values of one report. */
  readonly maxReportBytes: number;
  /** Topics that go before all others, and are dropped after them. */
  readonly urgentTopics: readonly string[];
  /** Most bytes that reports in memory take, about. */
  readonly memoryBytes: number;
}
