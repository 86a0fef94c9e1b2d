import type { LogFields, Logger, LogLevel } from '../../src/log.js';

/** A logger that keeps its lines. */
export class CountingLogger implements Logger {
  readonly lines: Record<LogLevel, string[]> = { debug: [], info: [], warn: [], error: [] };

  debug(message: string): void {
    this.lines.debug.push(message);
  }

  info(message: string): void {
    this.lines.info.push(message);
  }

  warn(message: string): void {
    this.lines.warn.push(message);
  }

  error(message: string): void {
    this.lines.error.push(message);
  }

  child(_fields: LogFields): Logger {
    return this;
  }
}
