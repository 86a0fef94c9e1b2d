/**
 * Runs an engine as several processes: this one, the primary, accepts connections, watches the workers and has the
 * API; each worker is an engine of its own. They reach each other through the centre they join; where none is
 * configured, the primary runs one for them.
 */

import { randomBytes } from 'node:crypto';
import { Monitor } from '../api/monitor.js';
import type { Api } from '../api/server.js';
import type { Config } from '../config/schema.js';
import type { Logger } from '../log.js';
import { CLI_FILE, version } from '../package.js';
import { WorkersEstate } from '../workers/estate.js';
import { workersCheck } from '../workers/health.js';
import { WorkersHeir } from '../workers/heir.js';
import { WorkersHost } from '../workers/host.js';
import type { FromWorker } from '../workers/messages.js';
import { WorkersMonitor } from '../workers/monitor.js';
import { WorkerQueues } from '../workers/queues.js';
import { Standby } from '../workers/standby.js';
import { Traces } from '../workers/traces.js';
import type { Worker } from '../workers/worker.js';
import { type SavedWorkers, Workers, type WorkersOptions } from '../workers/workers.js';
import { apiCounters, serveApi } from './api.js';
import {
  type Continuation,
  controls,
  type GatewayOptions,
  guarded,
  opening,
  type Replaceable,
  type Setting,
} from './process.js';
import { type OpenCenter, openCenter, ownAddress, runCenter } from './run-center.js';
import { workerCount } from './worker-count.js';
import { warnOfUnusedStores, workerConfigs, workerNames } from './worker-setup.js';

export type { Standby } from '../workers/standby.js';

/** What may be put in place of the usual. */
export type PrimaryOptions = Pick<GatewayOptions, 'source'>;

/** A primary with its workers. */
export interface Primary extends Replaceable {
  readonly api: Api;
  readonly workers: Workers;
}

/** Workers, and what has come from them and waits to be taken. */
export interface Crew {
  readonly workers: Workers;
  readonly queues: WorkerQueues;
  readonly traces: Traces;
}

/** Which centre workers join, and what is known of it where it is here. */
interface Joining {
  readonly addresses: Config['engine']['centerRegistry'];
  readonly joinToken: string | undefined;
  readonly here?: OpenCenter;
}

/** Runs the workers of an engine. Throws with nothing left running when one of them cannot start. */
export function startWorkers(
  command: 'engine' | 'single',
  config: Config,
  log: Logger,
  options: PrimaryOptions,
  continuation: Continuation = {},
): Promise<Primary> {
  const { centerRegistry, joinToken } = config.engine;
  if (command === 'engine' && centerRegistry.length > 0) {
    const joining = { addresses: centerRegistry, joinToken };
    return guarded(config, log, options, (setting) => runWorkers(setting, joining), continuation);
  }
  const start = async (setting: Setting): Promise<Primary> => {
    const joining = command === 'single' ? await joinSingle(setting) : await joinPrivate(setting);
    return runWorkers(setting, joining);
  };
  return opening(config, log, options, start, continuation);
}

/** Starts processes for workers that take over from those of another primary; `lifeline`: what they keep open. */
export function standBy(config: Config, lifeline: number): Standby {
  return new Standby(CLI_FILE, workerCount(config.engine), lifeline);
}

/** A centre as `single` has it, where others may join, too. */
async function joinSingle(setting: Setting): Promise<Joining> {
  const { center, engine } = setting.config;
  const running = await runCenter(setting);
  return {
    addresses: [ownAddress(center.registry, running.center)],
    joinToken: center.joinToken ?? engine.joinToken,
  };
}

/** A centre for the workers alone. */
async function joinPrivate(setting: Setting): Promise<Joining> {
  const registry = { bind: '127.0.0.1', port: 0, tls: undefined };
  const joinToken = randomBytes(32).toString('base64');
  const here = await openCenter(setting, { registry, joinToken });
  await here.center.start();
  return { addresses: [ownAddress(registry, here.center)], joinToken, here };
}

async function runWorkers(
  setting: Omit<Setting, 'store'>,
  { addresses, joinToken, here }: Joining,
): Promise<Primary> {
  const { config, log, closing, continuation } = setting;
  const { inheritance, standby } = continuation;
  warnOfUnusedStores(config, log);
  const names = workerNames(config.engine);
  const configs = workerConfigs(config, joinToken, names);
  const options: WorkersOptions = {
    engine: config.engine,
    program: CLI_FILE,
    names,
    setupOf: (name) => ({
      config: configs.get(name)!,
      addresses,
      api: { address: api!.address, port: api!.port },
    }),
    logLevel: () => setting.reconfiguration.config.logging.level,
    log,
    heirs: standby &&
      inheritance && {
        saved: inheritance.saved as SavedWorkers,
        take: inheritance.take,
        children: standby.children,
      },
  };
  const crew = continuation.crew ?? crewOf(options);
  const { workers, queues, traces } = crew;
  const host = new WorkersHost(workers, queues, traces, {
    name: config.engine.name,
    version: version(),
    sinks: here?.host.sinks,
    center: here?.host,
    config: setting.reconfiguration,
    restart: continuation.restart,
  });
  let api: Api | undefined;
  const monitor = new Monitor({
    ...here?.monitored,
    config: setting.reconfiguration,
    role: 'engine',
    name: config.engine.name,
    version: version(),
    alerts: config.alerts,
    log,
    checks: [workersCheck(workers)],
    counters: () => ({ ...here?.monitored.counters(), ...apiCounters(api) }),
  });
  closing.add(() => monitor.stop());
  api = await serveApi(setting, host, config.engine.apiServer, new WorkersMonitor(monitor, workers));
  let suspended = false;
  closing.add(() => (suspended ? undefined : workers.stop()));
  if (continuation.crew) workers.renew(options);
  else await workers.start();
  const suspend = (): Promise<void> => {
    suspended = true;
    return closing.run();
  };
  const own = controls(setting);
  return {
    api,
    workers,
    // Any of them serves.
    alive: () => workers.ready.length > 0,
    continuation: { crew },
    estate: (resume) => new WorkersEstate(workers, { suspend, resume }),
    heir: () => new WorkersHeir(workers),
    get config() {
      return own.config;
    },
    reconfigure: own.reconfigure,
    reload: own.reload,
    stop: own.stop,
  };
}

function crewOf(options: WorkersOptions): Crew {
  const { names, log } = options;
  const logs = new Map(names.map((name) => [name, log.child({ worker: name })]));
  const queues = new WorkerQueues();
  const traces = new Traces();
  const told = (worker: Worker, message: FromWorker): void => {
    if (message.t === 'log') logs.get(worker.name)![message.level](message.message, message.fields);
    else if (message.t === 'queue') queues.push(worker, message.message);
    else if (message.t === 'event') traces.event(message.watch, message.event);
    else if (message.t === 'ended') traces.ended(message.watch);
  };
  const workers = new Workers(options, {
    ready: (worker) => queues.tell(worker),
    lost: (worker) => traces.lost(worker),
    told,
  });
  queues.serve(workers);
  return { workers, queues, traces };
}
