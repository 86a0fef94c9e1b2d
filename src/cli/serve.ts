/** `moonwire engine`, `center` and `single`: what runs in production, until a signal ends it. */

import { type ServiceNotifier, serviceNotifier } from '../boards/service-notifier.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import { Successor } from '../handover/successor.js';
import type { Logger } from '../log.js';
import { startCenter, startEngine, startSingle, startWorkers, workerCount } from '../main.js';
import { ConfigFile } from './config-file.js';
import { jsonLogger, type LeveledLogger, textLogger } from './logging.js';
import { Restartable, type Start } from './restartable.js';
import { untilSignal } from './signals.js';

/** Engines that can be replaced by another process. */
const ENGINES = { engine: startEngine, single: startSingle };

type Command = keyof typeof ENGINES | 'center';
type Running = Restartable | Awaited<ReturnType<typeof startCenter>>;

export async function serve(command: Command, path: string): Promise<void> {
  const successor = Successor.here();
  try {
    await run(command, path, successor);
  } catch (error) {
    await successor?.fail(error);
    throw error;
  }
}

/** `successor`: this process is to take the place of the one that started it, or not to run at all. */
async function run(command: Command, path: string, successor: Successor | undefined): Promise<void> {
  const file = new ConfigFile(path);
  const fallBack = (): Config | undefined => (successor ? undefined : file.fallBack());
  let unusable: unknown;
  let config = readOr(file, fallBack, (error) => {
    unusable = error;
  });
  const log = await loggerOf(config);
  file.log = log;
  if (unusable !== undefined) warnOf(log, unusable);
  for (const notice of file.notices) log.warn(notice);
  await watchLoopOf(config);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  let running: Running | undefined;
  // A process whose event loop hangs does not come to ask.
  const service = serviceNotifier(() => running === undefined || isAlive(running), log);
  const start = (): Promise<Running> => startAs(command, config, log, { source: file, service, successor });
  try {
    running = await start();
  } catch (error) {
    const before = fallBack();
    if (!before) throw error;
    warnOf(log, error);
    config = before;
    running = await start();
  }
  if (file.source === 'file') await file.keep();
  file.watch(running, log);
  const { reload } = takeSignals(running, log);
  log.info(command === 'center' ? 'the centre runs' : `engine ${config.engine.name} runs`, {
    ...(command !== 'center' && {
      servers: config.engine.servers.length,
      links: config.engine.links.length,
      ...(workerCount(config.engine) > 0 && { workers: workerCount(config.engine) }),
    }),
  });
  await service.ready();
  const signal = await (running instanceof Restartable ? running.until(stopping) : stopping);
  process.off('SIGHUP', reload);
  file.stop();
  // Another process has taken over all that would be closed.
  if (!signal) process.exit(0);
  log.info(`${signal}: stopping`);
  await service.stopping();
  await running.stop();
  log.info('stopped');
}

interface Beginning {
  readonly source: ConfigFile;
  readonly service: ServiceNotifier;
  readonly successor: Successor | undefined;
}

async function startAs(
  command: Command,
  config: Config,
  log: Logger,
  { source, service, successor }: Beginning,
): Promise<Running> {
  if (command === 'center') return startCenter(config, log, { source });
  const begins: Start = (config, ...rest) =>
    workerCount(config.engine) > 0
      ? startWorkers(command, config, ...rest)
      : ENGINES[command](config, ...rest);
  const engine = new Restartable(begins, log, source);
  await engine.start(config, service, successor);
  return engine;
}

/** SIGHUP reloads the configuration, SIGUSR2 restarts with connections kept. */
function takeSignals(running: Running, log: Logger): { reload: () => void } {
  const reload = (): void => {
    // What is wrong is in the log already, unless it cannot begin.
    running.reload().catch((error) => log.error('not reloaded', { reason: messageOf(error) }));
  };
  process.on('SIGHUP', reload);
  process.on('SIGUSR2', () => {
    if (!(running instanceof Restartable))
      log.error('SIGUSR2: a centre has no connections of devices that a restart could keep');
    else if (!running.begin()) log.warn('SIGUSR2: a restart is under way already');
  });
  return { reload };
}

/** What the file says; what it said when it ran last when it cannot be used, and then `problem` is told why. */
function readOr(
  file: ConfigFile,
  fallBack: () => Config | undefined,
  problem: (error: unknown) => void,
): Config {
  try {
    return file.read();
  } catch (error) {
    const before = fallBack();
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

async function watchLoopOf({ watchdog, logging }: Config): Promise<void> {
  if (watchdog.seconds > 0)
    (await import('../boards/loop-watchdog.js')).watchLoop(watchdog.seconds, logging.filename);
}

/** Whether all that the process is for still works. */
function isAlive(running: Running): boolean {
  return 'alive' in running ? running.alive : true;
}
