/** The only place that builds the parts and connects them; what belongs to one of them is in `main/`. */

import type { Center } from './center/center.js';
import type { Config } from './config/schema.js';
import type { Logger } from './log.js';
import { serveApi } from './main/api.js';
import {
  type CenterProcess,
  type Continuation,
  controls,
  type Gateway,
  type GatewayOptions,
  opening,
  type Setting,
} from './main/process.js';
import { ownAddress, runCenter } from './main/run-center.js';
import { runEngine } from './main/run-engine.js';
import type { Primary, PrimaryOptions, Standby } from './main/run-workers.js';

export type { ReportOptions, ServerInfo } from './main/embedding.js';
export { createEngine, type EngineEvents, type MoonwireEngine } from './main/embedding.js';
export type {
  CreateEngineOptions,
  Handlers,
  LinkOptions,
  OwnSink,
  ServerOptions,
  SinkOptions,
} from './main/embedding-options.js';
export { buildTransientEngine, checkEngine, engineOptions, type Findings } from './main/engine.js';
export type {
  CenterProcess,
  Continuation,
  Controls,
  Gateway,
  GatewayOptions,
  Process,
  Replaceable,
} from './main/process.js';
export type { ConfigSource } from './main/reconfigure.js';
export { workerCount } from './main/worker-count.js';

/** Opens the store and starts an engine. Throws with nothing left open when a part cannot start. */
export function startEngine(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
  continuation: Continuation = {},
): Promise<Gateway> {
  const start = async (setting: Setting): Promise<Gateway> => {
    const addresses = config.engine.centerRegistry;
    if (addresses.length > 0 && config.sinks.length > 0)
      log.warn('sinks are not used here: reports go to the centre, which delivers them');
    return Object.assign(controls(setting), await runEngine(setting, addresses, serveApi));
  };
  return opening(config, log, options, start, continuation);
}

/** Opens the store and starts a centre. Throws with nothing left open when a part cannot start. */
export function startCenter(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
): Promise<CenterProcess> {
  return opening(config, log, options, async (setting) => {
    return Object.assign(controls(setting), await runCenter(setting));
  });
}

/** A centre and an engine that is joined to it, in one process and on one store; other engines may join too. */
export function startSingle(
  config: Config,
  log: Logger,
  options: GatewayOptions = {},
  continuation: Continuation = {},
): Promise<Gateway & { readonly center: Center }> {
  const start = async (setting: Setting): Promise<Gateway & { readonly center: Center }> => {
    const { center } = await runCenter(setting, [setting.store.identity.publicKey]);
    const own = ownAddress(config.center.registry, center);
    const engine = await runEngine(setting, [own], serveApi);
    return Object.assign(controls(setting), engine, { center });
  };
  return opening(config, log, options, start, continuation);
}

/** An engine or `single` as several processes (`engine.workers`). Throws with nothing left running when one fails. */
export async function startWorkers(
  command: 'engine' | 'single',
  config: Config,
  log: Logger,
  options: PrimaryOptions,
  continuation: Continuation = {},
): Promise<Primary> {
  const { startWorkers } = await import('./main/run-workers.js');
  return startWorkers(command, config, log, options, continuation);
}

/** Processes for its workers that take over from those of another one; they keep `lifeline` open. */
export async function standBy(config: Config, lifeline: number): Promise<Standby> {
  return (await import('./main/run-workers.js')).standBy(config, lifeline);
}

/** One of these processes. Throws when it was not started by another one. */
export async function startWorker(): Promise<void> {
  (await import('./main/run-worker.js')).startWorker();
}
