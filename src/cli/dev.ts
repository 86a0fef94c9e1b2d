/**
 * `moonwire dev`: a centre and an engine for writing scripts: talkative, started again when a script is saved, and with
 * simulated devices where the configuration has some.
 */

import { relative } from 'node:path';
import { boardNames } from '../boards/catalogue.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type Gateway, startSingle } from '../main.js';
import { checkScripts } from './check.js';
import { DevDevices } from './dev-devices.js';
import { textLogger } from './logging.js';
import { untilSignal } from './signals.js';
import { watchScripts } from './watch-scripts.js';

/** An engine and its simulated devices. */
interface Running {
  stop(): Promise<void>;
}

export async function dev(file: string): Promise<void> {
  const { config, notices } = loadConfig(file, { boards: boardNames() });
  const log = textLogger('debug');
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  let running: Running | undefined = await start(config, log);
  const stopWatching = watchScripts(config.script.roots, async (saved) => {
    log.info(`saved: ${saved.map((path) => relative(process.cwd(), path)).join(', ')}`);
    const { problems } = checkScripts(config);
    if (problems.length > 0) {
      for (const problem of problems) log.error(problem);
      log.warn('the scripts that ran before go on running');
      return;
    }
    await running?.stop();
    running = await restart(config, log);
  });

  log.info(`engine ${config.engine.name} runs; saving a script starts it again, Ctrl-C stops it`);
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
    gateway = await startSingle(devices.config, log);
    await devices.connectTo(gateway.engine);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
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
