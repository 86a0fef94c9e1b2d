/** What one process hands over to another, and what the other one makes of it: an engine, or a primary with its workers. */

import type { Handle } from '../../transports/handles.js';

/** Sends a handle by name to the process that comes; resolves when the channel has taken it. */
export type SendHandle = (name: string, handle: Handle) => Promise<void>;
/** Sends a connection that a server accepted. */
export type SendAccepted = (server: string, handle: Handle) => Promise<void>;

/** What a process has let go of. */
export interface LetGo {
  /** How many clients and listeners another process has. */
  readonly clients: number;
  readonly listeners: number;
  /** Clients that could not go, by what they were connected with. */
  readonly closed: Readonly<Record<string, number>>;
}

/**
 * The side that goes, in the order of src/handover/README.md. What another process is sent is data (of the structured
 * clone algorithm) and handles.
 */
export interface Estate {
  /** Sends the handles of all that could go now, while everything is served. */
  ahead(send: SendHandle): Promise<void>;
  /** Stops accepting and reading; resolves when nothing is under way any more, or after `ms`. */
  rest(ms: number): Promise<void>;
  /** Closes all but what rests. */
  suspend(): Promise<void>;
  /** Sends the handles that are missing; resolves to what goes. */
  leave(send: SendHandle): Promise<unknown>;
  /** What came since; from now on nothing is received here. */
  late(): Promise<unknown>;
  /** The other process runs: closes what it has, but for the `refused`. `accepted`: sends what was accepted since. */
  letGo(refused: unknown, accepted: SendAccepted): Promise<LetGo>;
  /** Closes what could not go, once what was sent to it has left. Never fails, and ends within seconds. */
  drain(): Promise<void>;

  /** Goes on after `rest`. */
  goOn(): Promise<void>;
  /** Opens again what `suspend` closed; it still rests. Rejects when that cannot be opened yet. */
  resume(): Promise<void>;
  /** Closes the clients of whose bytes another process, which has ended, may have read some. */
  abandon(): Promise<void>;
}

/** What `suspend` closes and `resume` opens. */
export type Surroundings = Pick<Estate, 'suspend' | 'resume'>;

/** What a process has taken over from another one. */
export interface Arrived {
  readonly clients: number;
  readonly listeners: number;
  /** Clients that could not be handed over, by what they were connected with. */
  readonly closed: Readonly<Record<string, number>>;
}

/** The side that comes: open, and at rest. */
export interface Heir {
  /** What was handed over. */
  readonly arrived: Arrived;
  /** Which clients nothing here serves, as `letGo` of the other side takes it. */
  readonly refused: unknown;
  /** Rejects when something of it ends before it goes on; undefined where that is this process. */
  readonly broken?: Promise<never>;
  /** Serves from now on. `late`: what came to the other process since; undefined when that has ended. */
  goOn(late: unknown): Promise<void>;
  /** Takes a connection that the other process accepted since. */
  accept(server: string, handle: Handle): void;
}
