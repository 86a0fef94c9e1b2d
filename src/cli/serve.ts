/** `moonwire engine`, `center` and `single`: what runs in production, until a signal ends it. */

import { serviceNotifier } from '../boards/service-notifier.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { startCenter, startEngine, startSingle, startWorkers, workerCount } from '../main.js';
import { ConfigFile } from './config-file.js';
import { jsonLogger, type LeveledLogger, textLogger } from './logging.js';
import { untilSignal } from './signals.js';

/** How each command starts. */
const STARTS = { engine: startEngine, center: startCenter, single: startSingle };

type Command = keyof typeof STARTS;
type Running = Awaited<ReturnType<(typeof STARTS)[Command] | typeof startWorkers>>;

export async function serve(command: Command, path: string): Promise<void> {
  const file = new ConfigFile(path);
  let unusable: unknown;
  let config = readOr(file, (error) => {
    unusable = error;
  });
  const log = await loggerOf(config);
  file.log = log;
  if (unusable !== undefined) warnOf(log, unusable);
  for (const notice of file.notices) log.warn(notice);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  let running: Running;
  try {
    running = await start(command, config, log, file);
  } catch (error) {
    const before = file.fallBack();
    if (!before) throw error;
    warnOf(log, error);
    config = before;
    running = await start(command, config, log, file);
  }
  if (file.source === 'file') file.keep();
  file.watch(running, log);
  const reload = (): void => {
    // What is wrong is in the log already.
    running.reload().catch((error) => log.error('not reloaded', { reason: messageOf(error) }));
  };
  process.on('SIGHUP', reload);
  log.info(command === 'center' ? 'the centre runs' : `engine ${config.engine.name} runs`, {
    ...(command !== 'center' && {
      servers: config.engine.servers.length,
      links: config.engine.links.length,
      ...('workers' in running && { workers: workerCount(config.engine) }),
    }),
  });
  // A process whose event loop hangs does not come to ask.
  const service = serviceNotifier(() => isAlive(running), log);
  await service.ready();
  const signal = await stopping;
  log.info(`${signal}: stopping`);
  process.off('SIGHUP', reload);
  file.stop();
  await service.stopping();
  await running.stop();
  log.info('stopped');
}

function start(command: Command, config: Config, log: Logger, source: ConfigFile): Promise<Running> {
  return command !== 'center' && workerCount(config.engine) > 0
    ? startWorkers(command, config, log, { source })
    : STARTS[command](config, log, { source });
}

/** What the file says; what it said when it ran last when it cannot be used, and then `problem` is told why. */
function readOr(file: ConfigFile, problem: (error: unknown) => void): Config {
  try {
    return file.read();
  } catch (error) {
    const before = file.fallBack();
    if (!before) throw error;
    problem(error);
    return before;
  }
}

function warnOf(log: Logger, error: unknown): void {
  log.error('the configuration cannot be used; the one that ran last is', { reason: messageOf(error) });
}

async function loggerOf({ logging }: Config): Promise<LeveledLogger> {
  const toTerminal = logging.filename === undefined && process.stderr.isTTY === true;
  return toTerminal ? textLogger(logging.level) : jsonLogger(logging);
}

/** Whether all that the process is for still works. */
function isAlive(running: Running): boolean {
  if ('workers' in running) return running.alive;
  return !('engine' in running) || running.engine.alive;
}
