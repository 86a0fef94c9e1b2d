/**
 * Adds reports to a Redis stream, each exactly once: a script does it whole, and keeps beside the stream, under its
 * key and `:ids`, the ids of those added last; what comes again is passed over.
 */

import { json } from '../codecs/json.js';
import { unlessAborted } from './abort.js';
import { endpointOf } from './endpoint.js';
import type { RedisSinkSettings } from './registry.js';
import type { Delivery, Sink } from './sink.js';
import { type TlsOptions, tlsOptions } from './tls.js';

/** Ids kept; many more than can be delivered between two notes of how far a sink has come (`delivery.ts`). */
const IDS_KEPT = 20_000;
const FIELDS = ['id', 'engine', 'node', 'device_id', 'time', 'received', 'topic', 'quality', 'values'];

/**
 * Keys: the stream, the ids. Arguments: most entries of the stream (0: all), ids kept, and of each report the values
 * of FIELDS. An id is noted after its report was added, since a script that fails half-way is not undone; ZCARD is
 * there to fail before anything is added when the key of the ids is of another type.
 */
const SCRIPT = `
local stream, ids, most, kept = KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local fields = {${FIELDS.map((field) => `'${field}'`).join(', ')}}
redis.call('ZCARD', ids)
local last = redis.call('ZRANGE', ids, -1, -1, 'WITHSCORES')
local score = tonumber(last[2] or 0)
local added = 0
for at = 3, #ARGV, #fields do
  if not redis.call('ZSCORE', ids, ARGV[at]) then
    local entry = {}
    for i = 1, #fields do
      entry[2 * i - 1] = fields[i]
      entry[2 * i] = ARGV[at + i - 1]
    end
    if most > 0 then
      redis.call('XADD', stream, 'MAXLEN', '~', most, '*', unpack(entry))
    else
      redis.call('XADD', stream, '*', unpack(entry))
    end
    score = score + 1
    redis.call('ZADD', ids, score, ARGV[at])
    added = added + 1
  end
end
redis.call('ZREMRANGEBYRANK', ids, 0, -kept - 1)
return added`;

type Library = typeof import('@redis/client');
type Client = ReturnType<typeof createClient>;

export class RedisSink implements Sink {
  private client: Client | undefined;

  constructor(private readonly settings: RedisSinkSettings) {}

  async deliver(batch: readonly Delivery[], signal: AbortSignal): Promise<void> {
    const { stream, maxLength } = this.settings;
    const command = ['EVAL', SCRIPT, '2', stream, `${stream}:ids`, String(maxLength), String(IDS_KEPT)];
    try {
      const client = await this.connected(signal);
      await unlessAborted(client.sendCommand([...command, ...batch.flatMap(argumentsOf)]), signal);
    } catch (error) {
      // A connection with an answer under way is of no more use.
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    if (client?.isOpen) client.destroy();
  }

  private async connected(signal: AbortSignal): Promise<Client> {
    if (this.client) return this.client;
    const library = await import('@redis/client');
    const client = createClient(library, this.settings, await tlsOptions(this.settings.tls), signal);
    // What ends a connection is told by the command that fails.
    client.on('error', () => {});
    this.client = client;
    await unlessAborted(client.connect(), signal);
    return client;
  }
}

/** A client that connects once and keeps nothing for later; see `engine/redis/connection.ts`. */
function createClient(
  { RedisClient }: Library,
  { url, username, password, db }: RedisSinkSettings,
  tls: TlsOptions,
  signal: AbortSignal,
) {
  return new RedisClient({
    RESP: 2,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    database: db,
    disableClientInfo: true,
    disableOfflineQueue: true,
    socket: {
      ...endpointOf(url, 6379),
      signal,
      connectTimeout: 0,
      reconnectStrategy: false,
      ...(url.startsWith('rediss:') && { ...tls, tls: true }),
    },
  });
}

const DECODER = new TextDecoder();

function argumentsOf({
  id,
  engine,
  node,
  device,
  time,
  received,
  topic,
  quality,
  values,
}: Delivery): string[] {
  const text = DECODER.decode(json.encode(values ?? null));
  return [id, engine, `${node}`, device, `${time}`, `${received}`, topic ?? '', quality ?? '', text];
}
