/** The only place that builds the parts and connects them. */

import { type CodecRegistry, defaultCodecs } from './codecs/registry.js';
import type { Config } from './config/schema.js';
import { Engine, type EngineOptions, type Report } from './engine/engine.js';
import { messageOf } from './errors.js';
import type { Logger } from './log.js';
import { LIBRARY_ROOT } from './package.js';
import { clientId, nodeOf } from './store/ids.js';
import { MemoryKeyValue } from './store/keyvalue.js';
import { openStore, type Store } from './store/store.js';

/** A running gateway. */
export interface Gateway {
  readonly engine: Engine;
  readonly store: Store;
  /** Drains, closes and flushes everything; never fails, and ends within seconds. */
  stop(): Promise<void>;
}

/** What an embedding program may put in place of the usual. */
export interface GatewayOptions {
  /** Codecs for `mix.codec`; default: those Moonwire brings. */
  codecs?: CodecRegistry;
  /** Takes what scripts report; default: a line of the log. Of a durable report the promise is waited for. */
  report?(report: Report): void | Promise<void>;
}

/** What an engine runs, from a configuration. */
export function engineOptions(config: Config): EngineOptions {
  const { engine, script } = config;
  return {
    name: engine.name,
    labels: engine.labels,
    script: { ...script, roots: [...script.roots, LIBRARY_ROOT] },
    servers: engine.servers,
    links: engine.links,
    luavm: engine.luavm,
  };
}

/** Builds an engine on an open store, without starting it. */
function buildEngine(options: EngineOptions, store: Store, log: Logger, own: GatewayOptions): Engine {
  const { identity, ids } = store;
  return new Engine(options, {
    log,
    node: () => identity.node,
    isOwn: (id) => nodeOf(id) === identity.node || nodeOf(id) === 0,
    nextClientId: () => clientId(identity.node, ids.nextSequence()),
    report: own.report ?? ((report) => logReport(log, report)),
    values: store.kv,
    codecs: own.codecs ?? defaultCodecs(options.script.roots),
  });
}

/** An engine that keeps nothing and reports nowhere: for checks and simulated devices. */
export function buildTransientEngine(options: EngineOptions, log: Logger): Engine {
  let clients = 0;
  return new Engine(options, {
    log,
    node: () => 0,
    isOwn: () => true,
    nextClientId: () => ++clients,
    report: () => {},
    values: new MemoryKeyValue(),
    codecs: defaultCodecs(options.script.roots),
  });
}

/** What would keep an engine from running, found without running a handler or opening anything. */
export function checkEngine(config: Config, log: Logger): string[] {
  const engine = buildTransientEngine(engineOptions(config), log);
  return [...engine.servers, ...engine.links].flatMap((part) => {
    const problems = part.problem() ?? [];
    try {
      part.station.compile();
      return problems;
    } catch (error) {
      return [`${part.config.name}: ${messageOf(error)}`].concat(problems);
    } finally {
      // A script may start timers outside any handler.
      part.station.timers.clear();
    }
  });
}

/** Reports go to the log as long as there is no centre to take them. */
function logReport(log: Logger, { deviceId, values, time, quality, topic }: Report): void {
  log.info(`report from ${deviceId}`, {
    ...(values !== null && typeof values === 'object' && !Array.isArray(values) ? values : { values }),
    ...(time !== undefined && { time: readableTime(time) }),
    ...(topic !== undefined && { topic }),
    ...(quality !== undefined && { quality }),
  });
}

/** Unix seconds as ISO 8601; as they are where a calendar has no such day. */
function readableTime(seconds: number): string | number {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString();
}

/** Opens the store and starts the engine. Throws with nothing left open when a part cannot start. */
export async function startEngine(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const store = await openStore({ path: config.store.path, maxBytes: config.store.maxBytes, log });
  const engine = buildEngine(engineOptions(config), store, log, options);
  try {
    await engine.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  return {
    engine,
    store,
    async stop() {
      await engine.stop();
      await store.close();
    },
  };
}
