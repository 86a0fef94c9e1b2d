/** What an engine's scripts share beyond clients and queues: HTTP, Redis, and metrics of their own. */

import type { EngineConfig } from '../config/schema.js';
import { HttpClient } from './http/client.js';
import { RedisPool } from './redis/pool.js';
import { ScriptMetrics } from './script-metrics.js';

export class Services {
  readonly http = new HttpClient();
  readonly metrics = new ScriptMetrics();
  /** By the name that scripts ask for. */
  readonly redis: ReadonlyMap<string, RedisPool>;

  constructor({ redis }: EngineConfig['luavm']) {
    this.redis = new Map(redis.map((settings) => [settings.name, new RedisPool(settings)]));
  }

  /** Ends what is under way; the handlers that wait for it do not go on. */
  close(): void {
    this.http.close();
    for (const pool of this.redis.values()) pool.close();
  }
}
