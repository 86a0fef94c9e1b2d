/** `moonwire engine`: an engine in production. */

import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import { startEngine } from '../main.js';
import { jsonLogger, textLogger } from './logging.js';
import { untilSignal } from './signals.js';

export async function engine(file: string): Promise<void> {
  const { config, notices } = loadConfig(file);
  const toTerminal = config.logging.filename === undefined && process.stderr.isTTY === true;
  const log = toTerminal ? textLogger(config.logging.level) : await jsonLogger(config.logging);
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  const gateway = await startEngine(config, log);
  log.info(`engine ${config.engine.name} runs`, {
    servers: config.engine.servers.length,
    links: config.engine.links.length,
  });
  const signal = await stopping;
  log.info(`${signal}: stopping`);
  await gateway.stop();
  log.info('stopped');
}
