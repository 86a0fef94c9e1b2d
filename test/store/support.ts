import { readdirSync, readFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { type LogFields, type Logger, silentLogger } from '../../src/log.js';
import type { FileSystem } from '../../src/store/files.js';
import { Journal, type JournalOptions } from '../../src/store/journal.js';

/** Opens a journal in `folder` and collects what it replays. */
export async function openJournal(
  folder: string,
  options: Partial<JournalOptions> = {},
  from = 0,
): Promise<{ journal: Journal; records: string[]; positions: number[] }> {
  const records: string[] = [];
  const positions: number[] = [];
  const settings = { folder, fs: promises, log: silentLogger, ...options };
  const journal = await Journal.open(settings, from, (payload, position) => {
    records.push(payload.toString('latin1'));
    positions.push(position);
  });
  return { journal, records, positions };
}

/** The segment files of a folder, in order. */
export function segmentsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^segment-[0-9a-f]+$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** The bytes of a journal of one segment. */
export function onlySegment(folder: string): { path: string; bytes: Buffer } {
  const [path, ...others] = segmentsOf(folder);
  if (path === undefined || others.length > 0) throw new Error('expected exactly one segment');
  return { path, bytes: readFileSync(path) };
}

/** A file system whose writes fail with `code` while it is set, after `room` more bytes. */
export class FailingFs {
  code: 'ENOSPC' | 'EIO' | undefined;
  room = 0;
  syncs = 0;
  readonly fs: FileSystem = {
    ...promises,
    open: async (...args: Parameters<typeof promises.open>) => {
      if (this.code && this.room <= 0 && /w/.test(String(args[1]))) throw this.error();
      const handle = await promises.open(...args);
      const { datasync, truncate } = handle;
      type Write = (bytes: Uint8Array, offset: number, length: number, position: number) => Promise<unknown>;
      const write = handle.write as Write;
      Object.assign(handle, {
        write: async (bytes: Uint8Array, offset: number, length: number, position: number) => {
          if (!this.code) return write.call(handle, bytes, offset, length, position);
          if (this.room <= 0) throw this.error();
          const part = Math.min(length, this.room);
          this.room -= part;
          return write.call(handle, bytes, offset, part, position);
        },
        truncate: async (length: number) => {
          if (this.code) throw this.error();
          return truncate.call(handle, length);
        },
        datasync: async () => {
          this.syncs++;
          if (this.code) throw this.error();
          return datasync.call(handle);
        },
      });
      return handle;
    },
  };

  private error(): Error {
    return Object.assign(new Error(`${this.code}: injected`), { code: this.code });
  }
}

/** A log that keeps its lines. */
export class LogRecorder implements Logger {
  readonly lines: string[] = [];
  debug = (message: string, fields?: LogFields): void => this.add('debug', message, fields);
  info = (message: string, fields?: LogFields): void => this.add('info', message, fields);
  warn = (message: string, fields?: LogFields): void => this.add('warn', message, fields);
  error = (message: string, fields?: LogFields): void => this.add('error', message, fields);
  child = (): Logger => this;

  private add(level: string, message: string, fields: LogFields = {}): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  }
}
