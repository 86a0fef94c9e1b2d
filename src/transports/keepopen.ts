import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Connection, ConnectionHandler } from './connection.js';

/** How long to wait before the next attempt. */
export interface RetryOptions {
  /** Seconds before the first retry. */
  minSeconds: number;
  /** The wait doubles up to so many seconds. */
  maxSeconds: number;
  /** A connection that stayed open for so many seconds starts the waits over. */
  stableSeconds: number;
}

/** For links over a network: patient, so that a server which comes back is not overrun. */
export const NETWORK_RETRY: RetryOptions = { minSeconds: 1, maxSeconds: 60, stableSeconds: 30 };
/** For serial ports: opening costs nothing, and a device that was plugged in again is to be back at once. */
export const SERIAL_RETRY: RetryOptions = { minSeconds: 0.5, maxSeconds: 5, stableSeconds: 5 };

/** Where a link stands; for status pages and metrics. Times in milliseconds since 1970. */
export type LinkState =
  | { readonly phase: 'connecting'; readonly lastError: Error | undefined }
  | { readonly phase: 'open'; readonly since: number; readonly connection: Connection }
  | { readonly phase: 'waiting'; readonly lastError: Error | undefined; readonly nextTry: number }
  | { readonly phase: 'stopped' };

/** A connection that is opened again whenever it ends. */
export interface KeptLink {
  readonly state: LinkState;
  /** Connections opened so far. */
  readonly opened: number;
  /** Attempts that failed so far. */
  readonly failed: number;
  /** Ends the open connection (sending what is queued) and opens no other. Resolves when none is left. */
  stop(): Promise<void>;
}

/**
 * Opens a connection and opens it again, for ever, whenever it fails or ends: after a wait that doubles from
 * `minSeconds` to `maxSeconds`, each shortened by up to half at random, so that a thousand gateways do not
 * return in step.
 *
 * @param name for the log
 * @param open makes one attempt; should give up when `signal` is aborted
 * @param ownerOf makes the owner of a new connection, which is then attached
 */
export function keepOpen(
  name: string,
  open: (signal: AbortSignal) => Promise<Connection>,
  ownerOf: (connection: Connection) => ConnectionHandler,
  retry: RetryOptions,
  log: Logger,
): KeptLink {
  return new Link(name, open, ownerOf, retry, log);
}

/** Seconds to wait after attempt number `attempt` (from 0); `random` from 0 to 1 spreads it over its upper half. */
export function retryDelay(
  attempt: number,
  { minSeconds, maxSeconds }: RetryOptions,
  random: number,
): number {
  return Math.min(maxSeconds, minSeconds * 2 ** Math.min(attempt, 64)) * (1 - random / 2);
}

class Link implements KeptLink {
  state: LinkState = { phase: 'connecting', lastError: undefined };
  opened = 0;
  failed = 0;
  /** Attempts since the last stable connection. */
  private attempts = 0;
  private readonly giveUp = new AbortController();
  private readonly done: Promise<void>;

  constructor(
    private readonly name: string,
    private readonly open: (signal: AbortSignal) => Promise<Connection>,
    private readonly ownerOf: (connection: Connection) => ConnectionHandler,
    private readonly retry: RetryOptions,
    private readonly log: Logger,
  ) {
    this.done = this.run();
  }

  stop(): Promise<void> {
    this.giveUp.abort();
    return this.done;
  }

  private async run(): Promise<void> {
    const { signal } = this.giveUp;
    let lastError: Error | undefined;
    while (!signal.aborted) {
      this.state = { phase: 'connecting', lastError };
      lastError = await this.attempt(lastError);
      if (!signal.aborted) await this.wait(lastError);
    }
    this.state = { phase: 'stopped' };
  }

  /** Opens a connection and lives with it until it ends. Returns why there is none any more. */
  private async attempt(lastError: Error | undefined): Promise<Error | undefined> {
    const { signal } = this.giveUp;
    let connection: Connection;
    try {
      connection = await this.open(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.failed++;
      const failure = asError(error);
      // The same failure again and again is told once.
      const level = failure.message === lastError?.message ? 'debug' : 'warn';
      this.log[level](`link ${this.name} did not open: ${failure.message}`);
      return failure;
    }
    if (signal.aborted) {
      connection.destroy();
      return undefined;
    }
    this.opened++;
    const since = performance.now();
    this.state = { phase: 'open', since: Date.now(), connection };
    this.log.info(`link ${this.name} is open`, { remote: connection.remote });
    const error = await this.serve(connection).catch((thrown: unknown) => {
      connection.destroy();
      return asError(thrown);
    });
    if (performance.now() - since >= this.retry.stableSeconds * 1000) this.attempts = 0;
    if (!signal.aborted) this.log.warn(`link ${this.name} ended: ${error ? error.message : 'closed'}`);
    return error;
  }

  /** Attaches the owner and resolves when the connection is over, with its cause. */
  private serve(connection: Connection): Promise<Error | undefined> {
    const { signal } = this.giveUp;
    const end = (): void => connection.end();
    return new Promise((resolve) => {
      const owner = this.ownerOf(connection);
      signal.addEventListener('abort', end);
      connection.attach({
        data: (bytes, type) => owner.data(bytes, type),
        alive: () => owner.alive?.(),
        drain: () => owner.drain?.(),
        close: (error) => {
          signal.removeEventListener('abort', end);
          resolve(error);
          owner.close(error);
        },
      });
    });
  }

  private async wait(lastError: Error | undefined): Promise<void> {
    const milliseconds = retryDelay(this.attempts++, this.retry, Math.random()) * 1000;
    this.state = { phase: 'waiting', lastError, nextTry: Date.now() + milliseconds };
    await setTimeout(milliseconds, undefined, { signal: this.giveUp.signal }).catch(() => undefined);
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}
