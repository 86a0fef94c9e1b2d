/** One connection to a Redis server: one command at a time, over any transport. */

import { MoonwireError } from '../../errors.js';
import type { Connection, ConnectionHandler } from '../../transports/connection.js';
import { encodeCommand, RedisError, type Reply, ReplyReader } from './resp.js';

interface Asked {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

/** Node's timers hold 2^31 - 1 milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

export class RedisConnection implements ConnectionHandler {
  readonly openedAt = performance.now();
  /** Since when it has had nothing to do. */
  idleSince = this.openedAt;
  private readonly reader = new ReplyReader();
  private asked: Asked | undefined;

  /** Takes a connection over. `lost` is called once, when it is over, whoever ended it. */
  constructor(
    private readonly connection: Connection,
    private readonly lost: (connection: RedisConnection) => void,
  ) {
    connection.attach(this);
  }

  get closed(): boolean {
    return this.connection.closed;
  }

  /**
   * Sends a command; the one before must have been answered. Resolves with the reply; rejects with RedisError when
   * the server refuses it, else with MoonwireError: `timeout` after so many seconds, `not_connected`, `too_large`,
   * `decode_error`. After any but a RedisError the connection is closed, since a late reply would be taken for another's.
   */
  command(args: readonly Uint8Array[], seconds: number): Promise<Reply> {
    const { remote } = this.connection;
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new MoonwireError('not_connected', `${remote} closed the connection`));
      const expire = (): void =>
        this.destroy(new MoonwireError('timeout', `${remote} did not reply within ${seconds} s`));
      const timer = Number.isFinite(seconds)
        ? setTimeout(expire, Math.min(seconds * 1000, MAX_TIMER_MS))
        : undefined;
      this.asked = { resolve, reject, timer };
      this.connection.write(encodeCommand(args));
    });
  }

  destroy(error: Error): void {
    this.connection.destroy(error);
  }

  data(bytes: Uint8Array): void {
    this.reader.push(bytes);
    try {
      for (let reply = this.reader.next(); reply !== undefined; reply = this.reader.next()) {
        const asked = this.take();
        if (!asked) throw new MoonwireError('decode_error', 'the server replied without being asked');
        if (reply instanceof RedisError) asked.reject(reply);
        else asked.resolve(reply);
      }
    } catch (error) {
      this.destroy(error as MoonwireError);
    }
  }

  close(error?: Error): void {
    const { remote } = this.connection;
    this.take()?.reject(error ?? new MoonwireError('not_connected', `${remote} closed the connection`));
    this.lost(this);
  }

  private take(): Asked | undefined {
    const { asked } = this;
    this.asked = undefined;
    clearTimeout(asked?.timer);
    return asked;
  }
}
