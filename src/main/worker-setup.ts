/** What each worker of a configuration runs. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, ServerConfig } from '../config/schema.js';
import { cgroupBound } from '../engine/memory/use.js';
import type { Logger } from '../log.js';
import { acceptedHere } from '../workers/workers.js';
import { workerCount } from './worker-count.js';

/** A store has 1 MiB at least. */
const MIN_STORE_BYTES = 2 ** 20;

/** The names of the workers: that of the engine with a number, from 1 on. */
export function workerNames(engine: Config['engine']): string[] {
  return Array.from({ length: workerCount(engine) }, (_, i) => `${engine.name}-${i + 1}`);
}

/** The configuration of each worker, by name; `joinToken` is that of the centre they join. They share the disk. */
export function workerConfigs(
  config: Config,
  joinToken: string | undefined,
  names: readonly string[],
): Map<string, Config> {
  const { engine, store } = config;
  const servers = withTicketSeeds(engine.servers);
  const share = (bytes: number): number => Math.max(MIN_STORE_BYTES, Math.floor(bytes / names.length));
  const { maxBytes } = engine.outbox;
  const memory = config.memory.max ?? cgroupBound() ?? 0;
  return new Map(
    names.map((name, i): [string, Config] => {
      const first = i === 0;
      const own: Config = {
        ...config,
        engine: {
          ...engine,
          name,
          labels: { ...engine.labels, engine: engine.name },
          joinToken,
          workers: 0,
          servers: first ? servers : servers.filter(acceptedHere),
          links: first ? engine.links : [],
          // One of them can have the port; the others are told with theirs by the centre.
          meshPoint: first ? engine.meshPoint : { ...engine.meshPoint, port: 0 },
          outbox: { ...engine.outbox, ...(maxBytes !== undefined && { maxBytes: share(maxBytes) }) },
        },
        memory: { max: Math.floor(memory / names.length) },
        // A device may go from one worker to another, so that its silence at one of them says nothing.
        alerts: { ...config.alerts, deviceSilent: 0 },
        store: { ...store, path: storeOf(store, i), maxBytes: share(store.maxBytes) },
      };
      return [name, own];
    }),
  );
}

/** Where a worker keeps its state; `i` from 0 on. */
function storeOf(store: Config['store'], i: number): string {
  return join(store.path, `worker-${i + 1}`);
}

/** Tells of stores of workers that no longer run: what is in them waits until there are as many again. */
export function warnOfUnusedStores({ store, engine }: Config, log: Logger): void {
  const i = workerCount(engine);
  const path = storeOf(store, i);
  if (existsSync(path))
    log.warn('there were more workers before: what they had not delivered waits in their stores', {
      store: path,
      workers: i,
    });
}

/** Each worker resumes the TLS sessions of every other. */
function withTicketSeeds(servers: readonly ServerConfig[]): ServerConfig[] {
  return servers.map((server) => {
    if (!server.tls || server.tls.ticketSeed !== undefined) return server;
    return { ...server, tls: { ...server.tls, ticketSeed: randomBytes(32).toString('base64') } };
  });
}
