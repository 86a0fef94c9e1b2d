/** The configuration file of a process: read at its start and again, with what ran last in reserve. */

import { statSync } from 'node:fs';
import { boardNames } from '../boards/catalogue.js';
import { keepLastGood, lastGood } from '../config/last-good.js';
import { loadConfig } from '../config/load.js';
import { describeProblems } from '../config/problems.js';
import type { Config } from '../config/schema.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { ConfigSource, Controls } from '../main.js';
import type { LeveledLogger } from './logging.js';

/** How often the file is looked at. Polled, since watching misses files that are replaced. */
const LOOK_MS = 1000;

export class ConfigFile implements ConfigSource {
  source: ConfigSource['source'] = 'file';
  /** Whose level is that of the configuration. */
  log: LeveledLogger | undefined;
  /** What was read last. */
  private last: ReturnType<typeof loadConfig> | undefined;
  /** What tells whether the file has changed, as of the first reading and then of the last look. */
  private seen: string | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(readonly file: string) {}

  /** Reads it. Throws ConfigError. */
  read(): Config {
    // What is saved while the process starts is found by the first look.
    this.seen ??= this.stamp();
    this.last = loadConfig(this.file, { boards: boardNames() });
    return this.last.config;
  }

  /** What is good to know of what was read last. */
  get notices(): string[] {
    return describeProblems(this.last?.notices ?? [], this.file);
  }

  /** What the file said when it ran last; undefined when that is not known, cannot be used, or was tried. */
  fallBack(): Config | undefined {
    const good = this.source === 'file' ? lastGood(this.file, { boards: boardNames() }) : undefined;
    if (!good) return undefined;
    this.source = 'last_good';
    this.last = good;
    return good.config;
  }

  async keep(): Promise<void> {
    this.source = 'file';
    if (!this.last) return;
    try {
      await keepLastGood(this.last.config.store.path, this.file, this.last.text);
    } catch (error) {
      this.log?.warn('the configuration cannot be kept for the case that its file is spoilt', {
        reason: messageOf(error),
      });
    }
  }

  inEffect({ logging }: Config): void {
    if (this.log) this.log.level = logging.level;
  }

  /** From now on the users and the log's level that the file has are in effect as soon as they are saved. */
  watch(running: Controls, log: Logger): void {
    this.timer = setInterval(() => {
      const stamp = this.stamp();
      if (stamp === this.seen || stamp === undefined) return;
      this.seen = stamp;
      void this.look(running, log);
    }, LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(running: Controls, log: Logger): Promise<void> {
    try {
      const { access, logging } = loadConfig(this.file, { boards: boardNames() }).config;
      const { config } = running;
      await running.reconfigure({
        ...config,
        access,
        logging: { ...config.logging, level: logging.level },
      });
      log.info('the configuration was read again: access and logging.level are in effect');
    } catch (error) {
      log.error('the changed configuration is not valid; what was read before stays in effect', {
        reason: messageOf(error),
      });
    }
  }

  private stamp(): string | undefined {
    const found = statSync(this.file, { throwIfNoEntry: false });
    return found && `${found.mtimeMs} ${found.size} ${found.ino}`;
  }
}
