/** `moonwire engine`, `center` and `single`: what runs in production, until a signal ends it. */

import { boardNames } from '../boards/catalogue.js';
import { serviceNotifier } from '../boards/service-notifier.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import { startCenter, startEngine, startSingle } from '../main.js';
import { LiveConfig } from './live-config.js';
import { jsonLogger, textLogger } from './logging.js';
import { Restartable } from './restartable.js';
import { untilSignal } from './signals.js';

export async function serve(command: 'engine' | 'center' | 'single', file: string): Promise<void> {
  const { config, notices } = loadConfig(file, { boards: boardNames() });
  const toTerminal = config.logging.filename === undefined && process.stderr.isTTY === true;
  const log = toTerminal ? textLogger(config.logging.level) : await jsonLogger(config.logging);
  for (const notice of describeProblems(notices, file)) log.warn(notice);
  // From here on, so that a signal while it starts does not end it half way.
  const stopping = untilSignal();
  const live = new LiveConfig(file, config, log, ({ logging }) => {
    log.level = logging.level;
  });
  const options = { access: live.access };
  const engine =
    command === 'center' ? undefined : new Restartable(command === 'engine' ? startEngine : startSingle, log);
  // A process whose event loop hangs does not come to ask.
  const service = serviceNotifier(() => engine?.alive ?? true, log);
  const running = engine ?? (await startCenter(config, log, options));
  await engine?.start(config, options, service);
  log.info(engine ? `engine ${config.engine.name} runs` : 'the centre runs', {
    ...(engine && { servers: config.engine.servers.length, links: config.engine.links.length }),
  });
  await service.ready();
  const signal = await (engine ? engine.until(stopping) : stopping);
  live.stop();
  // Another process has taken over all that would be closed.
  if (!signal) process.exit(0);
  log.info(`${signal}: stopping`);
  await service.stopping();
  await running.stop();
  log.info('stopped');
}
