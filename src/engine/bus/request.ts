/** One request that waits for its turn, and what it becomes. */

import type { Failure } from '../../errors.js';
import type { LuaValue } from '../../script/executor.js';
import type { Pushable } from '../../script/values.js';
import type { MessageType } from '../../transports/connection.js';
import type { Program } from '../program.js';
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
  /** What was asked, for the protocol to match replies with; undefined where nobody answers. */
  readonly data: LuaValue;
  /** Makes the bytes when its turn has come: a protocol's session holds one request at a time. */
  readonly encode: () => Uint8Array | Failure;
  /** How a WebSocket carries them. */
  readonly type?: MessageType | undefined;
  /** It does not wait for another connection of its link. */
  readonly brief?: boolean;
  readonly port: Port;
  /** Whose request it is: what comes as an answer is decoded for it. */
  readonly program: Program;
  readonly unit: Unit;
  readonly priority: Priority;
  readonly timeout: number;
  /** Seconds of silence after it where nobody answers; undefined where somebody does. */
  readonly quiet: number | undefined;
  /** Tries that are left. */
  tries: number;
  /** When it must have had its turn, in milliseconds of `performance.now()`. */
  readonly until: number;
  /** Hands over the reply; true where nobody answers. */
  readonly done: (reply: Pushable | Failure) => void;
}
