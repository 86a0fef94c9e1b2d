/** The parts of a configuration file that take effect while a process runs: who may use the API, and the log level. */

import { statSync } from 'node:fs';
import { boardNames } from '../boards/catalogue.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger, LogLevel } from '../log.js';

/** How often the file is looked at. Polled, since watching misses files that are replaced. */
const LOOK_MS = 1000;

export class LiveConfig {
  private readonly timer: NodeJS.Timeout;
  private seen: string;

  /** `changed` is told of each later version of the file that is valid. */
  constructor(
    private readonly file: string,
    private current: Config,
    private readonly log: Logger,
    private readonly changed: (config: Config) => void,
  ) {
    this.seen = this.stamp();
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** `access` as it is now. */
  readonly access = (): Config['access'] => this.current.access;

  /** `logging.level` as it is now. */
  readonly logLevel = (): LogLevel => this.current.logging.level;

  stop(): void {
    clearInterval(this.timer);
  }

  private stamp(): string {
    const found = statSync(this.file, { throwIfNoEntry: false });
    return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : this.seen;
  }

  private look(): void {
    const stamp = this.stamp();
    if (stamp === this.seen) return;
    this.seen = stamp;
    try {
      const { config } = loadConfig(this.file, { boards: boardNames() });
      this.current = config;
      this.changed(config);
      this.log.info('the configuration was read again: access and logging.level are in effect');
    } catch (error) {
      this.log.error('the changed configuration is not valid; what was read before stays in effect', {
        reason: messageOf(error),
      });
    }
  }
}
