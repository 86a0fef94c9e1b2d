/**
 * The log: the narrow interface every part writes to, and a rate limit for lines that bad peers could cause.
 * Where the lines go is decided by whoever builds the parts (see `cli/logging.ts`).
 */

/** Levels in rising order of weight. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
/** One of the four levels. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts beside a message; values must be plain and printable, never secrets. */
export type LogFields = Record<string, unknown>;

/** What every part of Moonwire logs to. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger;
}

/** A logger that keeps nothing, for embedders and tests that want silence. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/**
 * Lets a line through at most once per `intervalMs` and key, and tells how many were held back since.
 * Keys are forgotten after the interval, and never more than `maxKeys` are held, so hostile input cannot grow it.
 */
export class LogThrottle {
  private readonly seen = new Map<string, { until: number; suppressed: number }>();

  constructor(
    private readonly intervalMs = 5000,
    private readonly maxKeys = 1000,
  ) {}

  /** Returns -1 when the line must be held back, else the number of lines held back since the last one. */
  pass(key: string, now = performance.now()): number {
    const entry = this.seen.get(key);
    if (entry && now < entry.until) {
      entry.suppressed++;
      return -1;
    }
    if (!entry && this.seen.size >= this.maxKeys) this.seen.clear();
    this.seen.set(key, { until: now + this.intervalMs, suppressed: 0 });
    return entry?.suppressed ?? 0;
  }
}
