/**
 * `moonwire dev`: a centre and an engine for writing scripts: talkative, with scripts that take over when they are saved,
 * and with simulated devices where the configuration has some.
 */

import { relative } from 'node:path';
import { boardNames } from '../boards/catalogue.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type Gateway, startSingle, workerCount } from '../main.js';
import { DevDevices } from './dev-devices.js';
import { textLogger } from './logging.js';
import { untilSignal } from './signals.js';
import { watchScripts } from './watch-scripts.js';

/** An engine and its simulated devices. */
interface Running {
  /** Lets saved scripts take over. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** What is read once and not with each script. */
const READ_ONCE = /\.proto$/;

export async function dev(file: string): Promise<void> {
  const { config, notices } = loadConfig(file, { boards: boardNames() });
  const log = textLogger('debug');
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  if (workerCount(config.engine) > 0) log.warn('engine.workers: dev runs in one process');
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  let running: Running | undefined = await start(config, log);
  // Entries need not lie in the roots.
  const entries = [...config.engine.servers, ...config.engine.links].map(({ entry }) => entry);
  const stopWatching = watchScripts(config.script.roots, entries, async (saved) => {
    log.info(`saved: ${saved.map((path) => relative(process.cwd(), path)).join(', ')}`);
    if (running && !saved.some((path) => READ_ONCE.test(path))) {
      await running.reload();
      return;
    }
    await running?.stop();
    running = await restart(config, log);
  });

  log.info(`engine ${config.engine.name} runs; a script that is saved takes over, Ctrl-C stops it`);
  const signal = await stopping;
  log.info(`${signal}: stopping`);
  await stopWatching();
  await running?.stop();
  log.info('stopped');
}

/** Throws with nothing left running. */
async function start(config: Config, log: Logger): Promise<Running> {
  const devices = await DevDevices.prepare(config, log);
  let gateway: Gateway | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([gateway?.stop(), devices.stop()]);
  };
  try {
    gateway = await startSingle(watchedHere(devices.config), log);
    const { engine } = gateway;
    await devices.connectTo(engine);
    const reload = async (): Promise<void> => {
      // Frames of a protocol that is being written say nothing against its next version.
      await engine.scripts.reload(undefined, { untried: true });
      await devices.reload();
    };
    return { reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The configuration of an engine that does not look for saved scripts itself. */
function watchedHere(config: Config): Config {
  const unwatched = <T extends { byteCodeExpires: number }>(part: T): T => ({ ...part, byteCodeExpires: 0 });
  const { engine } = config;
  return {
    ...config,
    engine: { ...engine, servers: engine.servers.map(unwatched), links: engine.links.map(unwatched) },
  };
}

async function restart(config: Config, log: Logger): Promise<Running | undefined> {
  try {
    const running = await start(config, log);
    log.info('the engine runs with the saved scripts');
    return running;
  } catch (error) {
    log.error(`the engine could not start again: ${messageOf(error)}; save a script to try again`);
    return undefined;
  }
}
