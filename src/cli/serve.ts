/** `moonwire engine`, `center` and `single`: what runs in production, until a signal ends it. */

import { boardNames } from '../boards/catalogue.js';
import { serviceNotifier } from '../boards/service-notifier.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import { startCenter, startEngine, startSingle } from '../main.js';
import { LiveConfig } from './live-config.js';
import { jsonLogger, textLogger } from './logging.js';
import { untilSignal } from './signals.js';

/** How each command starts. */
const STARTS = { engine: startEngine, center: startCenter, single: startSingle };

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
  const running = await STARTS[command](config, log, { access: live.access });
  log.info(command === 'center' ? 'the centre runs' : `engine ${config.engine.name} runs`, {
    ...(command !== 'center' && {
      servers: config.engine.servers.length,
      links: config.engine.links.length,
    }),
  });
  // A process whose event loop hangs does not come to ask.
  const service = serviceNotifier(() => !('engine' in running) || running.engine.alive, log);
  await service.ready();
  const signal = await stopping;
  log.info(`${signal}: stopping`);
  live.stop();
  await service.stopping();
  await running.stop();
  log.info('stopped');
}
