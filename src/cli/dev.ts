/**
 * `moonwire dev`: an engine for writing scripts: talkative, started again when a script is saved, and with
 * simulated devices where the configuration has some.
 */

import { watch } from 'node:fs';
import { relative } from 'node:path';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { type Gateway, startEngine } from '../main.js';
import { checkScripts } from './check.js';
import { DevDevices } from './dev-devices.js';
import { textLogger } from './logging.js';
import { untilSignal } from './signals.js';

/** An editor may write a file in several steps. */
const SETTLE_MS = 150;

/** An engine and its simulated devices. */
interface Running {
  stop(): Promise<void>;
}

export async function dev(file: string): Promise<void> {
  const { config, notices } = loadConfig(file);
  const log = textLogger('debug');
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  let running: Running | undefined = await start(config, log);
  log.info(`engine ${config.engine.name} runs; saving a script starts it again, Ctrl-C stops it`);

  const stopWatching = watchScripts(config, async (saved) => {
    log.info(`saved: ${saved.join(', ')}`);
    const problems = checkScripts(config);
    if (problems.length > 0) {
      for (const problem of problems) log.error(problem);
      log.warn('the scripts that ran before go on running');
      return;
    }
    await running?.stop();
    running = await restart(config, log);
  });

  const signal = await untilSignal();
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
    gateway = await startEngine(devices.config, log);
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

/**
 * Calls `changed` with the names of saved Lua files, one call after the other. Returns how to stop, which waits
 * for a call under way.
 */
function watchScripts(config: Config, changed: (files: string[]) => Promise<void>): () => Promise<void> {
  const saved = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const watchers = config.script.roots.map((root) =>
    watch(root, { recursive: true }, (_event, name) => {
      if (!name?.endsWith('.lua')) return;
      saved.add(relative(process.cwd(), `${root}/${name}`));
      clearTimeout(timer);
      timer = setTimeout(() => {
        const files = [...saved];
        saved.clear();
        last = last.then(() => changed(files));
      }, SETTLE_MS);
    }),
  );
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
    return last;
  };
}
