/** Where the log goes: readable lines for people, JSON lines (pino) for machines and files. */

import { createWriteStream, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config/schema.js';
import { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from '../log.js';

/** Takes finished lines; the logger above it decides what is in them. */
type WriteLine = (level: LogLevel, message: string, fields: LogFields) => void;

/** A logger whose level can be changed while it runs, for it and all of its children. */
export interface LeveledLogger extends Logger {
  set level(level: LogLevel);
}

/** A logger over one sink, with a level that can be changed while it runs. */
class LineLogger implements LeveledLogger {
  constructor(
    private readonly write: WriteLine,
    private readonly threshold: { level: LogLevel },
    private readonly fields: LogFields = {},
  ) {}

  debug = (message: string, fields?: LogFields) => this.line('debug', message, fields);
  info = (message: string, fields?: LogFields) => this.line('info', message, fields);
  warn = (message: string, fields?: LogFields) => this.line('warn', message, fields);
  error = (message: string, fields?: LogFields) => this.line('error', message, fields);

  set level(level: LogLevel) {
    this.threshold.level = level;
  }

  child(fields: LogFields): Logger {
    return new LineLogger(this.write, this.threshold, { ...this.fields, ...fields });
  }

  private line(level: LogLevel, message: string, fields?: LogFields): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.threshold.level)) return;
    this.write(level, message, fields ? { ...this.fields, ...fields } : this.fields);
  }
}

/** Readable lines on standard error. */
export function textLogger(level: LogLevel): LeveledLogger {
  const colour = process.stderr.isTTY === true && !process.env.NO_COLOR;
  return new LineLogger(
    (at, message, fields) => {
      process.stderr.write(`${formatLine(at, message, fields, colour)}\n`);
    },
    { level },
  );
}

/** JSON lines on standard error, or in the configured file, which is rotated each day. */
export async function jsonLogger(settings: Config['logging']): Promise<LeveledLogger> {
  // A CommonJS library: in the bundle it has no named exports.
  const { default: pino } = await import('pino');
  const target =
    settings.filename === undefined ? process.stderr : new DailyFile(settings.filename, settings.maxFiles);
  const log = pino({ level: 'debug', base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, target);
  return new LineLogger((level, message, fields) => log[level](fields, message), { level: settings.level });
}

const COLOURS: Record<LogLevel, string> = { debug: '2', info: '32', warn: '33', error: '31' };

function formatLine(level: LogLevel, message: string, fields: LogFields, colour: boolean): string {
  const paint = (code: string, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const { at, traceback, ...rest } = fields;
  const time = new Date().toISOString().slice(11, 23);
  const parts = [paint('2', time), paint(COLOURS[level], level.toUpperCase().padEnd(5))];
  if (at !== undefined) parts.push(paint('36', `[${at}]`));
  parts.push(printable(message));
  for (const [key, value] of Object.entries(rest)) parts.push(`${paint('2', `${key}=`)}${show(value)}`);
  if (typeof traceback === 'string' && traceback !== '')
    parts.push(`\n    ${printable(traceback).replaceAll('\n', '\n    ')}`);
  return parts.join(' ');
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/+-]+$/.test(value) ? value : JSON.stringify(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Error) return JSON.stringify(value.message);
  return JSON.stringify(value) ?? 'nil';
}

/** Control characters a device or a script could put into a terminal are shown, not sent. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) =>
    c === '\n' || c === '\t' ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** A file that is renamed to `name.YYYY-MM-DD` when the day (UTC) changes; the oldest of those are removed. */
class DailyFile {
  private day = today();
  private stream: ReturnType<typeof createWriteStream>;

  constructor(
    private readonly path: string,
    private readonly keep: number,
  ) {
    const old = statSync(path, { throwIfNoEntry: false });
    if (old) this.day = old.mtime.toISOString().slice(0, 10);
    this.stream = this.open();
    this.rotate();
  }

  write(line: string): void {
    this.rotate();
    this.stream.write(line);
  }

  private open() {
    const stream = createWriteStream(this.path, { flags: 'a', mode: 0o640 });
    stream.on('error', (error) => process.stderr.write(`log file ${this.path}: ${error.message}\n`));
    return stream;
  }

  private rotate(): void {
    if (this.day === today()) return;
    this.stream.end();
    try {
      renameSync(this.path, `${this.path}.${this.day}`);
      const folder = dirname(this.path);
      const prefix = `${basename(this.path)}.`;
      const old = readdirSync(folder)
        .filter((name) => name.startsWith(prefix))
        .sort();
      for (const name of old.slice(0, Math.max(0, old.length - this.keep))) rmSync(join(folder, name));
    } catch (error) {
      process.stderr.write(`log file ${this.path}: ${(error as Error).message}\n`);
    }
    this.day = today();
    this.stream = this.open();
  }
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
