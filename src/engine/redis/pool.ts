/**
 * The connections to one Redis server that all scripts of an engine share. They are opened when commands need them
 * and kept for the next, as the settings of `engine.luavm.redis` say; after a loss the next command opens anew. The
 * library's own pool bounds neither the commands that wait nor the age of connections, and keeps dead ones.
 */

import { MoonwireError } from '../../errors.js';
import { blockingSeconds, checkCommand } from './commands.js';
import { RedisConnection, type RedisSettings } from './connection.js';
import type { Reply } from './reply.js';

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
  /** Seconds for connecting and logging in. */
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
  /** All connections, those that are being opened included. */
  private readonly all = new Set<RedisConnection>();
  /** Those that have nothing to do, the longest idle one first. */
  private readonly idle: RedisConnection[] = [];
  private readonly waiters = new Set<Waiter>();
  private upkeep: NodeJS.Timeout | undefined;
  private upkeepPausedUntil = 0;
  private stopped = false;

  constructor(
    private readonly settings: RedisSettings,
    limits: Partial<RedisLimits> = {},
  ) {
    this.limits = { ...REDIS_LIMITS, ...limits };
  }

  /** Connections that are open or being opened. */
  get connections(): number {
    return this.all.size;
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
   * that does not fit a pool. Rejects as {@link RedisConnection.command} and {@link RedisConnection.open}, and with
   * `timeout` when no connection became free. Once the pool is closed nothing settles any more: there is nobody left
   * to be told.
   */
  command(args: readonly Uint8Array[]): Promise<Reply> {
    if (this.stopped) return new Promise(() => {});
    checkCommand(args);
    const isFull = this.idle.length === 0 && this.all.size >= this.settings.poolSize;
    if (isFull && this.waiters.size >= this.limits.waiting) {
      this.counters.refused++;
      throw new MoonwireError('overloaded', `${this.limits.waiting} commands wait for a connection already`);
    }
    this.counters.commands++;
    this.upkeep ??= setInterval(() => this.lookAfter(performance.now()), UPKEEP_MS).unref();
    return this.run(args).finally(() => (this.stopped ? new Promise(() => {}) : undefined));
  }

  /** Closes all connections. */
  close(): void {
    this.stopped = true;
    clearInterval(this.upkeep);
    for (const { timer } of this.waiters) clearTimeout(timer);
    this.waiters.clear();
    for (const connection of this.all) connection.destroy(new MoonwireError('closed', 'the engine stops'));
  }

  private async run(args: readonly Uint8Array[]): Promise<Reply> {
    let connection: RedisConnection | undefined;
    try {
      connection = await this.acquire();
      return await connection.command(args, this.limits.replySeconds + blockingSeconds(args));
    } catch (error) {
      if (!connection || error instanceof MoonwireError) this.counters.failed++;
      throw error;
    } finally {
      if (connection) this.release(connection);
    }
  }

  private acquire(): RedisConnection | Promise<RedisConnection> {
    const idle = this.idle.pop();
    if (idle) return idle;
    if (this.all.size < this.settings.poolSize) return this.connect();
    const { waitSeconds } = this.limits;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.waiters.delete(waiter);
        reject(new MoonwireError('timeout', `no connection of the pool became free within ${waitSeconds} s`));
      };
      const waiter: Waiter = { resolve, timer: setTimeout(giveUp, waitSeconds * 1000) };
      this.waiters.add(waiter);
    });
  }

  /** Gives a connection that has nothing to do to the next command, or keeps it. */
  private release(connection: RedisConnection): void {
    const now = performance.now();
    if (this.isOld(connection, now)) retire(connection);
    if (!this.all.has(connection)) return;
    connection.idleSince = now;
    const waiter = this.nextWaiter();
    if (waiter) waiter.resolve(connection);
    else this.idle.push(connection);
  }

  private nextWaiter(): Waiter | undefined {
    const [waiter] = this.waiters;
    if (waiter) {
      this.waiters.delete(waiter);
      clearTimeout(waiter.timer);
    }
    return waiter;
  }

  /** Opens a connection that is ready for commands. */
  private async connect(): Promise<RedisConnection> {
    const connection = new RedisConnection(this.settings, (lost) => this.forget(lost));
    this.all.add(connection);
    await connection.open(this.limits.connectSeconds);
    return connection;
  }

  /** Drops a connection that is over; its place goes to the next command that waits. */
  private forget(connection: RedisConnection): void {
    this.all.delete(connection);
    const at = this.idle.indexOf(connection);
    if (at >= 0) this.idle.splice(at, 1);
    this.nextWaiter()?.resolve(this.connect());
  }

  private isOld(connection: RedisConnection, now: number): boolean {
    const { maxConnAge } = this.settings;
    return maxConnAge > 0 && now - connection.openedAt > maxConnAge * 1000;
  }

  /** Closes idle connections that are too old, or idle for too long, and keeps `minIdleConns` of them. */
  private lookAfter(now: number): void {
    const { idleTimeout, minIdleConns, poolSize } = this.settings;
    for (const connection of [...this.idle]) {
      const isIdleTooLong = idleTimeout > 0 && now - connection.idleSince > idleTimeout * 1000;
      if (isIdleTooLong || this.isOld(connection, now)) retire(connection);
    }
    if (now < this.upkeepPausedUntil) return;
    const opening = [...this.all].filter((connection) => !connection.ready).length;
    const missing = Math.min(minIdleConns - this.idle.length - opening, poolSize - this.all.size);
    for (let i = 0; i < missing; i++) {
      this.connect().then(
        (connection) => this.release(connection),
        () => {
          this.upkeepPausedUntil = performance.now() + UPKEEP_PAUSE_MS;
        },
      );
    }
  }
}

function retire(connection: RedisConnection): void {
  connection.destroy(new MoonwireError('closed', 'the pool closed the connection'));
}
