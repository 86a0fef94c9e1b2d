/** The log of a worker: its lines are written by the primary. */

import { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from '../log.js';

/** Takes a line. */
export type WriteLine = (level: LogLevel, message: string, fields?: LogFields) => void;

export class ForwardedLog implements Logger {
  constructor(
    private readonly write: WriteLine,
    /** Lines of less weight than `level` are left out; it may change. */
    private readonly threshold: { readonly level: LogLevel },
    private readonly fields?: LogFields,
  ) {}

  debug(message: string, fields?: LogFields): void {
    this.line('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.line('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.line('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.line('error', message, fields);
  }

  child(fields: LogFields): Logger {
    return new ForwardedLog(this.write, this.threshold, { ...this.fields, ...fields });
  }

  private line(level: LogLevel, message: string, fields?: LogFields): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.threshold.level)) return;
    this.write(level, message, this.fields || fields ? { ...this.fields, ...fields } : undefined);
  }
}
