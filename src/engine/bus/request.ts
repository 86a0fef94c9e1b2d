/** One request that waits for its turn, and what it becomes. */

import type { Failure } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Pushable } from '../../script/values.js';
import type { Port } from './port.js';
import type { Unit } from './unit.js';

/** The most urgent first. */
export const PRIORITIES = ['command', 'request', 'poll'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What a caller may say of a request; what is left out is the bus's. */
export interface RequestOptions {
  /** Seconds from the end of the request to the first byte of its reply. */
  timeout?: number | undefined;
  /** Whom it is for; decides about fairness, breaker and counters. */
  unit: string;
  priority: Priority;
  retries?: number | undefined;
  /** Nobody answers. */
  broadcast: boolean;
}

/** A request in the queue of a bus. */
export interface BusRequest {
  /** Bytes, or a message for the protocol to encode. */
  readonly data: LuaValue;
  readonly port: Port;
  readonly unit: Unit;
  readonly priority: Priority;
  readonly timeout: number;
  readonly broadcast: boolean;
  /** Tries that are left. */
  tries: number;
  /** It was let through an open breaker. */
  readonly probe: boolean;
  /** When it must have had its turn, in milliseconds of `performance.now()`. */
  readonly until: number;
  /** Hands over the reply; true for a broadcast. */
  readonly done: (reply: Pushable | Failure) => void;
}
