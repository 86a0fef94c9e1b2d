/**
 * The connections to one Redis server that all scripts of an engine share. They are opened when commands need them
 * and kept for the next, as the settings of `engine.luavm.redis` say; after a loss the next command opens anew.
 */

import type { EngineConfig } from '../../config/schema.js';
import { MoonwireError } from '../../errors.js';
import { connectTcp } from '../../transports/tcp.js';
import { blockingSeconds, checkCommand } from './commands.js';
import { RedisConnection } from './connection.js';
import type { Reply } from './resp.js';

/** One entry of `engine.luavm.redis`. */
export type RedisSettings = EngineConfig['luavm']['redis'][number];

/** What happened since the start; names are metric labels. */
export interface RedisCounters {
  commands: number;
  /** Commands without a reply: no connection, no answer in time, a reply that cannot be taken. */
  failed: number;
  /** Commands refused because too many waited for a connection. */
  refused: number;
}

/** Bounds of a pool. */
export interface RedisLimits {
  /** Commands that may wait for a connection. */
  waiting: number;
  /** Seconds one of them waits at most. */
  waitSeconds: number;
  /** Seconds for connecting, and for each step of logging in. */
  connectSeconds: number;
  /** Seconds for a reply, beyond the time a command waits itself. */
  replySeconds: number;
}

export const REDIS_LIMITS: RedisLimits = {
  waiting: 1000,
  waitSeconds: 5,
  connectSeconds: 5,
  replySeconds: 10,
};
/** How often idle connections are looked after, and how long that pauses after one could not be opened. */
const UPKEEP_MS = 1000;
const UPKEEP_PAUSE_MS = 5000;

interface Waiter {
  resolve(connection: RedisConnection | Promise<RedisConnection>): void;
  timer: NodeJS.Timeout;
}

export class RedisPool {
  readonly counters: RedisCounters = { commands: 0, failed: 0, refused: 0 };
  private readonly limits: RedisLimits;
  private readonly open = new Set<RedisConnection>();
  /** Connections being opened. */
  private opening = 0;
  /** Those of `open` that have nothing to do, the longest idle one first. */
  private readonly idle: RedisConnection[] = [];
  private readonly waiters = new Set<Waiter>();
  private upkeep: NodeJS.Timeout | undefined;
  private upkeepPausedUntil = 0;
  private readonly stopped = new AbortController();

  constructor(
    private readonly settings: RedisSettings,
    limits: Partial<RedisLimits> = {},
  ) {
    this.limits = { ...REDIS_LIMITS, ...limits };
  }

  /** Connections that are open or being opened. */
  get connections(): number {
    return this.open.size + this.opening;
  }

  get idleConnections(): number {
    return this.idle.length;
  }

  /** Commands that wait for a connection. */
  get waiting(): number {
    return this.waiters.size;
  }

  /**
   * Sends a command. Throws MoonwireError at once: `overloaded` when too many wait, `invalid_argument` for a command
   * that does not fit a pool. Rejects as {@link RedisConnection.command}, with `timeout` when no connection became
   * free, and with what opening one met. Once the pool is closed nothing settles any more: there is nobody left to
   * be told.
   */
  command(args: readonly Uint8Array[]): Promise<Reply> {
    if (this.stopped.signal.aborted) return new Promise(() => {});
    checkCommand(args);
    const isFull = this.idle.length === 0 && this.connections >= this.settings.poolSize;
    if (isFull && this.waiters.size >= this.limits.waiting) {
      this.counters.refused++;
      throw new MoonwireError('overloaded', `${this.limits.waiting} commands wait for a connection already`);
    }
    this.counters.commands++;
    this.upkeep ??= setInterval(() => this.lookAfter(performance.now()), UPKEEP_MS).unref();
    return this.run(args).finally(() => (this.stopped.signal.aborted ? new Promise(() => {}) : undefined));
  }

  /** Closes all connections. */
  close(): void {
    const error = new MoonwireError('closed', 'the engine stops');
    this.stopped.abort(error);
    clearInterval(this.upkeep);
    for (const { timer } of this.waiters) clearTimeout(timer);
    this.waiters.clear();
    for (const connection of this.open) connection.destroy(error);
  }

  private async run(args: readonly Uint8Array[]): Promise<Reply> {
    let connection: RedisConnection;
    try {
      connection = await this.acquire();
    } catch (error) {
      this.counters.failed++;
      throw error;
    }
    try {
      return await connection.command(args, this.limits.replySeconds + blockingSeconds(args));
    } catch (error) {
      if (error instanceof MoonwireError) this.counters.failed++;
      throw error;
    } finally {
      this.release(connection);
    }
  }

  private acquire(): RedisConnection | Promise<RedisConnection> {
    for (let idle = this.idle.pop(); idle; idle = this.idle.pop()) {
      if (!idle.closed && !this.expired(idle, performance.now())) return idle;
      this.retire(idle);
    }
    if (this.connections < this.settings.poolSize) return this.connect();
    const { waitSeconds } = this.limits;
    return new Promise((resolve, reject) => {
      const give = (): void => {
        this.waiters.delete(waiter);
        reject(new MoonwireError('timeout', `no connection of the pool became free within ${waitSeconds} s`));
      };
      const waiter: Waiter = { resolve, timer: setTimeout(give, waitSeconds * 1000) };
      this.waiters.add(waiter);
    });
  }

  /** Takes a connection back, or its end: then there is room for another one. */
  private release(connection: RedisConnection): void {
    if (!connection.closed && this.expired(connection, performance.now())) this.retire(connection);
    if (connection.closed) this.openForWaiter();
    else this.offer(connection);
  }

  private offer(connection: RedisConnection): void {
    const waiter = this.nextWaiter();
    connection.idleSince = performance.now();
    if (waiter) waiter.resolve(connection);
    else this.idle.push(connection);
  }

  private openForWaiter(): void {
    if (this.connections < this.settings.poolSize) this.nextWaiter()?.resolve(this.connect());
  }

  private nextWaiter(): Waiter | undefined {
    const [waiter] = this.waiters;
    if (waiter) {
      this.waiters.delete(waiter);
      clearTimeout(waiter.timer);
    }
    return waiter;
  }

  /** Opens a connection that is ready for commands. Rejects with MoonwireError, or RedisError for a refused login. */
  private async connect(): Promise<RedisConnection> {
    const { addr, password, db } = this.settings;
    const { connectSeconds } = this.limits;
    const { signal } = this.stopped;
    this.opening++;
    let connection: RedisConnection;
    try {
      connection = new RedisConnection(
        await connectTcp({ ...addr, timeoutSeconds: connectSeconds, signal }),
        (lost) => this.forget(lost),
      );
    } catch (error) {
      this.opening--;
      this.openForWaiter();
      throw error;
    }
    this.opening--;
    this.open.add(connection);
    try {
      if (password !== undefined) {
        await connection.command([Buffer.from('AUTH'), Buffer.from(password)], connectSeconds);
      }
      if (db !== 0)
        await connection.command([Buffer.from('SELECT'), Buffer.from(String(db))], connectSeconds);
      return connection;
    } catch (error) {
      this.retire(connection);
      this.openForWaiter();
      throw error;
    }
  }

  private expired(connection: RedisConnection, now: number): boolean {
    const { maxConnAge } = this.settings;
    return maxConnAge > 0 && now - connection.openedAt > maxConnAge * 1000;
  }

  private retire(connection: RedisConnection): void {
    this.open.delete(connection);
    connection.destroy(new MoonwireError('closed', 'the pool closed the connection'));
  }

  /** Drops a connection that is over. */
  private forget(connection: RedisConnection): void {
    this.open.delete(connection);
    const at = this.idle.indexOf(connection);
    if (at >= 0) this.idle.splice(at, 1);
  }

  /** Closes idle connections that are too old, or idle for too long, and keeps `minIdleConns` of them. */
  private lookAfter(now: number): void {
    const { idleTimeout, minIdleConns, poolSize } = this.settings;
    for (const connection of [...this.idle]) {
      const idleTooLong = idleTimeout > 0 && now - connection.idleSince > idleTimeout * 1000;
      if (!idleTooLong && !this.expired(connection, now)) continue;
      this.idle.splice(this.idle.indexOf(connection), 1);
      this.retire(connection);
    }
    if (now < this.upkeepPausedUntil) return;
    const missing = Math.min(minIdleConns - this.idle.length - this.opening, poolSize - this.connections);
    for (let i = 0; i < missing; i++) {
      this.connect().then(
        (connection) => this.offer(connection),
        () => {
          this.upkeepPausedUntil = performance.now() + UPKEEP_PAUSE_MS;
        },
      );
    }
  }
}
