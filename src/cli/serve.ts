/** `moonwire engine`, `center` and `single`: what runs in production, until a signal ends it. */

import { boardNames } from '../boards/catalogue.js';
import { serviceNotifier } from '../boards/service-notifier.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import { startCenter, startEngine, startSingle, startWorkers, workerCount } from '../main.js';
import { LiveConfig } from './live-config.js';
import { jsonLogger, textLogger } from './logging.js';
import { untilSignal } from './signals.js';

/** How each command starts. */
const STARTS = { engine: startEngine, center: startCenter, single: startSingle };

type Running = Awaited<ReturnType<(typeof STARTS)[keyof typeof STARTS] | typeof startWorkers>>;

export async function serve(command: keyof typeof STARTS, file: string): Promise<void> {
  const { config, notices } = loadConfig(file, { boards: boardNames() });
  const toTerminal = config.logging.filename === undefined && process.stderr.isTTY === true;
  const log = toTerminal ? textLogger(config.logging.level) : await jsonLogger(config.logging);
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  const live = new LiveConfig(file, config, log, ({ logging }) => {
    log.level = logging.level;
  });
  const workers = command === 'center' ? 0 : workerCount(config.engine);
  const running: Running =
    command !== 'center' && workers > 0
      ? await startWorkers(command, config, log, live)
      : await STARTS[command](config, log, live);
  log.info(command === 'center' ? 'the centre runs' : `engine ${config.engine.name} runs`, {
    ...(command !== 'center' && {
      servers: config.engine.servers.length,
      links: config.engine.links.length,
      ...(workers > 0 && { workers }),
    }),
  });
  // A process whose event loop hangs does not come to ask.
  const service = serviceNotifier(() => isAlive(running), log);
  await service.ready();
  const signal = await stopping;
  log.info(`${signal}: stopping`);
  live.stop();
  await service.stopping();
  await running.stop();
  log.info('stopped');
}

/** Whether all that the process is for still works. */
function isAlive(running: Running): boolean {
  if ('workers' in running) return running.alive;
  return !('engine' in running) || running.engine.alive;
}
