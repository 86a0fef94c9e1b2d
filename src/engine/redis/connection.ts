/**
 * One connection to a Redis server: one command at a time, over the `@redis/client` library. Its bare client takes
 * 8.5 MB from the first connection on, where `ioredis` takes 10.7 MB; and `ioredis` goes on in database 0 when SELECT
 * was refused, and changes arguments and replies of some commands, where this one passes all bytes on as they are.
 */

import type { EngineConfig } from '../../config/schema.js';
import { MoonwireError, messageOf } from '../../errors.js';
import { formatAddress } from '../../transports/address.js';
import { socketError, systemCode } from '../../transports/failure.js';
import { type Reply, takeReply } from './reply.js';

/** One entry of `engine.luavm.redis`. */
export type RedisSettings = EngineConfig['luavm']['redis'][number];

type Library = typeof import('@redis/client');
type Client = ReturnType<typeof createClient>;

/** Node's timers hold 2^31 - 1 milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

export class RedisConnection {
  readonly openedAt = performance.now();
  /** Since when it has had nothing to do. */
  idleSince = this.openedAt;
  /** True once it has logged in. */
  ready = false;
  private client: Client | undefined;
  /** Why it is over. */
  private failure: Error | undefined;
  /** Ends the socket while it connects, as the client cannot. */
  private readonly connecting = new AbortController();
  private readonly where: string;

  /** `lost` is called once, when the connection is over, whoever ended it. */
  constructor(
    private readonly settings: RedisSettings,
    private readonly lost: (connection: RedisConnection) => void,
  ) {
    this.where = formatAddress(settings.addr.host, settings.addr.port);
  }

  /**
   * Connects and logs in, within so many seconds in all. Rejects with the server's error when it refuses the login,
   * else with MoonwireError `timeout`, `not_connected`, `not_found` (host name) or `decode_error`; the connection is
   * over then.
   */
  async open(seconds: number): Promise<void> {
    const library = await import('@redis/client');
    if (this.failure) throw this.failure;
    const client = createClient(library, this.settings, this.connecting.signal);
    client.on('error', (error: Error) => this.destroy(translate(library, error, this.where)));
    this.client = client;
    await this.within(seconds, client.connect());
    this.ready = true;
  }

  /**
   * Sends a command; the one before must have been answered. Rejects with the server's error when it refuses the
   * command, and with MoonwireError `too_large` for a reply beyond its bounds. After any other MoonwireError (`timeout`
   * after so many seconds, `not_connected`, `decode_error`) the connection is over, since a late reply would be taken
   * for another's.
   */
  async command(args: readonly Uint8Array[], seconds: number): Promise<Reply> {
    const { client } = this;
    if (!client || this.failure)
      throw this.failure ?? new MoonwireError('closed', 'the connection is not open');
    return takeReply(await this.within(seconds, client.sendCommand(args.map(asBuffer))));
  }

  /** Ends the connection; what is under way rejects with `error`. */
  destroy(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.connecting.abort();
    this.client?.destroy();
    this.lost(this);
  }

  /** Waits so many seconds for the server: the library limits only how long a command waits before it is sent. */
  private async within<Result>(seconds: number, work: Promise<Result>): Promise<Result> {
    const expire = (): void =>
      this.destroy(new MoonwireError('timeout', `${this.where} did not reply within ${seconds} s`));
    const timer = Number.isFinite(seconds)
      ? setTimeout(expire, Math.min(seconds * 1000, MAX_TIMER_MS))
      : undefined;
    try {
      return await work;
    } catch (error) {
      throw this.failure ?? error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * A client that connects once, keeps nothing for later, and passes on strings as bytes and integers as digits. Of the
 * class without a method for each command, which are added anew (0.1 s) whenever other settings than last time come.
 */
function createClient({ RedisClient, RESP_TYPES }: Library, settings: RedisSettings, signal: AbortSignal) {
  return new RedisClient({
    RESP: 2,
    ...(settings.password !== undefined && { password: settings.password }),
    database: settings.db,
    disableClientInfo: true,
    disableOfflineQueue: true,
    socket: { ...settings.addr, signal, connectTimeout: 0, reconnectStrategy: false },
    commandOptions: {
      typeMapping: {
        [RESP_TYPES.BLOB_STRING]: Buffer,
        [RESP_TYPES.SIMPLE_STRING]: Buffer,
        [RESP_TYPES.NUMBER]: String,
      },
    },
  });
}

/** What ended a connection: the server's own error when it refused the login, else a MoonwireError. */
function translate(library: Library, error: Error, where: string): Error {
  if (error instanceof library.ErrorReply) return error;
  if (error instanceof library.SocketClosedUnexpectedlyError) {
    return new MoonwireError('not_connected', `${where} closed the connection`);
  }
  if (systemCode(error)) return socketError(error, where);
  return new MoonwireError('decode_error', `${where} does not speak the Redis protocol: ${messageOf(error)}`);
}

/** The same bytes as the library wants them. */
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
