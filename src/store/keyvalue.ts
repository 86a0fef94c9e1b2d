/**
 * A small durable map from strings to bytes: all of it in memory, every change in the journal, now and then a
 * snapshot.
 */

import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { decodeEntries, encodeEntries } from './entries.js';
import type { FileSystem } from './files.js';
import { Journal, type JournalHealth, type JournalOptions } from './journal.js';
import { readSnapshot, writeSnapshot } from './snapshot.js';

/** What a user of the map sees. */
export interface KeyValue {
  /** The value of a key, undefined when there is none. The bytes must not be changed. */
  get(key: string): Uint8Array | undefined;
  /**
   * Sets a value of at most 64 KiB under a key of 1 to 256 bytes of UTF-8, in memory at once. The promise resolves
   * when it is on disk, and rejects with `overloaded` while the disk refuses (the change stays and is written
   * later); ignoring it does no harm. Throws `invalid_argument`, `too_large`. `value` must not be changed later.
   */
  set(key: string, value: Uint8Array): Promise<void>;
  /** Removes a key; otherwise as `set`. */
  delete(key: string): Promise<void>;
  /** All keys, in no order. */
  keys(): Iterable<string>;
  /** Writes all changes now rather than after a delay; resolves and rejects as `set` does. */
  flush(): Promise<void>;
}

/** How a durable map is kept. */
export interface KeyValueOptions extends JournalOptions {
  /** Most bytes of all keys and values together, with {@link ENTRY_BYTES} for each. */
  readonly stateBytes?: number;
  /** Milliseconds a change waits for others before all are written: bounds the wear of flash. */
  readonly delayMs?: number;
}

/** The state of the map, for health and metrics. */
export interface KeyValueHealth extends JournalHealth {
  readonly entries: number;
  /** Bytes counted against the bound. */
  readonly stateBytes: number;
  /** Damaged snapshots found at opening. */
  readonly damagedSnapshots: number;
}

/** Longest key in bytes of UTF-8; a prefix comes on top. */
export const MAX_KEY_BYTES = 256;
const MAX_PREFIX_BYTES = 16;
/** Longest value in bytes. */
export const MAX_VALUE_BYTES = 64 * 1024;
/** What an entry counts beside its key and value. */
const ENTRY_BYTES = 64;

/** Keeps nothing on disk: for embedders and tests without a store. */
export class MemoryKeyValue implements KeyValue {
  protected readonly values = new Map<string, Uint8Array>();
  protected bytes = 0;

  constructor(readonly maxBytes = 2 ** 22) {}

  get(key: string): Uint8Array | undefined {
    return this.values.get(key);
  }

  keys(): Iterable<string> {
    return this.values.keys();
  }

  set(key: string, value: Uint8Array): Promise<void> {
    const keyBytes = checkKey(key, MAX_PREFIX_BYTES + MAX_KEY_BYTES);
    if (value.length > MAX_VALUE_BYTES) {
      throw new MoonwireError(
        'too_large',
        `a value has at most ${MAX_VALUE_BYTES} bytes, got ${value.length}`,
      );
    }
    const old = this.values.get(key);
    const growth = old ? value.length - old.length : ENTRY_BYTES + keyBytes + value.length;
    if (growth > 0 && this.bytes + growth > this.maxBytes) {
      throw new MoonwireError(
        'too_large',
        `all keys and values have at most ${this.maxBytes} bytes together`,
      );
    }
    this.apply(key, value);
    return this.changed(key);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  delete(key: string): Promise<void> {
    if (!this.values.has(key)) return Promise.resolve();
    this.apply(key, undefined);
    return this.changed(key);
  }

  /** Changes the map without a check. */
  protected apply(key: string, value: Uint8Array | undefined): void {
    const old = this.values.get(key);
    const own = ENTRY_BYTES + Buffer.byteLength(key, 'utf8');
    if (old) this.bytes -= own + old.length;
    if (value) {
      this.values.set(key, value);
      this.bytes += own + value.length;
    } else {
      this.values.delete(key);
    }
  }

  /** Told of every change; the promise is that of `set`. */
  protected changed(_key: string): Promise<void> {
    return Promise.resolve();
  }
}

/** A durable map; the only user of its folder. */
export class DurableKeyValue extends MemoryKeyValue {
  private journal!: Journal;
  private readonly fs: FileSystem;
  private readonly folder: string;
  private readonly log: Logger;
  private readonly delayMs: number;
  private readonly retryMs: number;
  /** Keys changed since the last write, and the promise of their writing. */
  private readonly dirty = new Set<string>();
  private writing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private fire: (() => void) | undefined;
  private compacting: Promise<void> | undefined;
  private snapshotAt = 0;
  private damagedSnapshots = 0;
  private closed = false;

  private constructor(options: KeyValueOptions) {
    super(options.stateBytes);
    this.fs = options.fs;
    this.folder = options.folder;
    this.log = options.log;
    this.delayMs = options.delayMs ?? 250;
    this.retryMs = options.retryMs ?? 1000;
  }

  /** Reads the newest sound snapshot and what the journal holds beyond it. */
  static async open(options: KeyValueOptions): Promise<DurableKeyValue> {
    const map = new DurableKeyValue(options);
    const load = (bytes: Buffer): void => {
      for (const [key, value] of [...decodeEntries(bytes)]) map.apply(key, value);
    };
    const found = await readSnapshot(options.fs, options.folder, load, options.log);
    map.snapshotAt = found.position;
    map.damagedSnapshots = found.damaged;
    map.journal = await Journal.open(options, found.position, (payload, position) => {
      try {
        load(payload);
      } catch (error) {
        options.log.error('a record is not an entry', { position, reason: messageOf(error) });
      }
    });
    return map;
  }

  health(): KeyValueHealth {
    return {
      ...this.journal.health(),
      entries: this.values.size,
      stateBytes: this.bytes,
      damagedSnapshots: this.damagedSnapshots,
    };
  }

  override flush(): Promise<void> {
    const writing = this.writing;
    this.fire?.();
    return writing ?? this.journal.commit();
  }

  /** Writes what is left and closes the files. Never fails. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flush().catch(() => {});
    // Changes of the last moment, or such that the disk refused until now.
    this.appendDirty();
    await this.compacting;
    await this.journal.close();
  }

  protected override changed(key: string): Promise<void> {
    if (this.closed) throw new MoonwireError('closed', 'the store is closed');
    this.dirty.add(key);
    return this.schedule(this.delayMs);
  }

  /** One write for all changes until it begins; returns its promise. */
  private schedule(delayMs: number): Promise<void> {
    if (this.writing) return this.writing;
    const due = new Promise<void>((resolve) => {
      this.fire = resolve;
      this.timer = setTimeout(resolve, delayMs);
    });
    this.writing = due.then(() => {
      clearTimeout(this.timer);
      this.writing = undefined;
      this.fire = undefined;
      return this.write();
    });
    this.writing.catch(() => {});
    return this.writing;
  }

  private async write(): Promise<void> {
    // While the disk refuses, changes stay here, where a key is held once however often it changes.
    if (!this.journal.failing) this.appendDirty();
    const left = this.dirty.size;
    if (left > 0 && !this.closed) void this.schedule(this.retryMs);
    try {
      await this.journal.commit();
      if (left > 0) throw new MoonwireError('overloaded', `${left} changes wait for the disk`);
    } finally {
      // Also after a failure: a full journal is only freed by a snapshot.
      this.compacting ??= this.compact().finally(() => {
        this.compacting = undefined;
      });
    }
  }

  private appendDirty(): void {
    for (const key of this.dirty) {
      try {
        this.journal.append(encodeEntries([[key, this.values.get(key)]]));
      } catch (error) {
        this.log.error('a change cannot be written yet', { key, reason: messageOf(error) });
        return;
      }
      this.dirty.delete(key);
    }
  }

  /** Writes a snapshot once the journal has become long beside the state it describes. */
  private async compact(): Promise<void> {
    const position = this.journal.end;
    if (position - this.snapshotAt < Math.max(this.journal.segmentBytes, 2 * this.bytes)) return;
    const before = this.snapshotAt;
    this.snapshotAt = position;
    try {
      const state = encodeEntries(this.values);
      await this.journal.release(await writeSnapshot(this.fs, this.folder, { position, state }));
    } catch (error) {
      this.snapshotAt = before;
      this.log.warn('a snapshot could not be written', { folder: this.folder, reason: messageOf(error) });
    }
  }
}

/** The length of a key in bytes; throws when it is not from 1 to `max`. */
function checkKey(key: string, max: number): number {
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes < 1 || bytes > max) {
    throw new MoonwireError('invalid_argument', `a key has 1 to ${max} bytes, got ${bytes}`);
  }
  return bytes;
}

/** The part of a map under a prefix of at most 16 bytes, with keys as if it were alone. */
export function scoped(map: KeyValue, prefix: string): KeyValue {
  return {
    get: (key) => map.get(prefix + key),
    set(key, value) {
      checkKey(key, MAX_KEY_BYTES);
      return map.set(prefix + key, value);
    },
    delete: (key) => map.delete(prefix + key),
    flush: () => map.flush(),
    *keys() {
      for (const key of map.keys()) if (key.startsWith(prefix)) yield key.slice(prefix.length);
    },
  };
}
