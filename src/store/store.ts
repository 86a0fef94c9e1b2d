/**
 * The durable state of one Moonwire process: opens all of it under one lock.
 */

import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { FileSystem } from './files.js';
import { Identity } from './identity.js';
import { Sequences } from './ids.js';
import { DurableKeyValue, type KeyValue, type KeyValueHealth, MemoryKeyValue, scoped } from './keyvalue.js';
import { type Lock, takeLock } from './lock.js';

/** How a store is opened. */
export interface StoreOptions {
  /** Folder of the state; made when it is not there. Without one, everything is kept in memory only. */
  readonly path?: string;
  /** Most bytes on disk, at least 1 MiB. */
  readonly maxBytes?: number;
  readonly log: Logger;
  /** The file system; another one is for tests. */
  readonly fs?: FileSystem;
  /** Milliseconds a change waits for others before all are written. */
  readonly delayMs?: number;
}

/** Whether the state is safe. */
export interface StoreHealth {
  /** False while anything is kept in memory only that should be on disk. */
  readonly ok: boolean;
  /** Why not. */
  readonly error: string | undefined;
  /** Figures of all maps and their journals together; undefined when all is in memory. */
  readonly state: KeyValueHealth | undefined;
}

/** A map of a store, and the bytes its keys and values may have together. */
export interface DurableMap extends KeyValue {
  readonly maxBytes: number;
}

/** An open store. */
export interface Store {
  /** The scripts' small durable values (`mix.store`). */
  readonly kv: KeyValue;
  /** Sequences of client ids. */
  readonly ids: Sequences;
  readonly identity: Identity;
  /** Small durable values of one part of Moonwire, apart from all others. `part`: lower-case letters. */
  part(name: string): KeyValue;
  /**
   * A map in a folder of its own, for what changes often or must be on disk at once; opened once. `name`: lower-case
   * letters. It holds a thirty-second part of the store's `maxBytes`. `delayMs`: as of {@link KeyValueOptions}; 0.
   */
  map(name: string, delayMs?: number): Promise<DurableMap>;
  health(): StoreHealth;
  /** Writes everything now; resolves when it is on disk, rejects with `overloaded` when the disk refuses. */
  flush(): Promise<void>;
  /** Writes what is left, closes the files and gives up the lock. Never fails. */
  close(): Promise<void>;
}

/** Conditions of a disk that may pass: the process serves its devices from memory meanwhile. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

function isPassing(error: unknown): boolean {
  return PASSING.has((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * Opens the store at `path`. Fails with `conflict` when another process uses it and with `invalid_argument` when
 * the path cannot be a store (not a folder, no permission). Damaged files and a full disk do not fail it: see
 * `health`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { path, log, fs = promises, maxBytes = 64 * 2 ** 20 } = options;
  if (path === undefined) return assemble(new MemoryKeyValue(), { log, maxBytes });
  let lock: Lock | undefined;
  try {
    await fs.mkdir(path, { recursive: true, mode: 0o700 });
    lock = await takeLock(path).catch((error: unknown) => {
      if (!isPassing(error)) throw error;
      // The state is still there to be read: who this engine is matters more than the lock.
      log.error('the store cannot be locked', { path, reason: messageOf(error) });
      return undefined;
    });
    const open = async (name: string, stateBytes: number, delayMs: number | undefined) => {
      const folder = join(path, name);
      await fs.mkdir(folder, { recursive: true, mode: 0o700 });
      return DurableKeyValue.open({
        folder,
        fs,
        log,
        stateBytes,
        // Two snapshots, and twice over the journal that leads to one, stay well below the bound.
        segmentBytes: Math.min(2 ** 20, stateBytes),
        maxBytes: 8 * stateBytes,
        ...(delayMs !== undefined && { delayMs }),
      });
    };
    const map = await open('state', Math.min(4 * 2 ** 20, maxBytes / 16), options.delayMs);
    return await assemble(map, { log, maxBytes, lock, open });
  } catch (error) {
    await lock?.release();
    if (error instanceof MoonwireError) throw error;
    const reason = messageOf(error);
    if (!isPassing(error)) {
      throw new MoonwireError('invalid_argument', `cannot keep state in ${path}: ${reason}`, path, {
        cause: error,
      });
    }
    log.error('the store cannot be opened; everything is kept in memory only', { path, reason });
    return assemble(new MemoryKeyValue(), { log, maxBytes, error: reason });
  }
}

interface Parts {
  readonly log: Logger;
  readonly maxBytes: number;
  readonly lock?: Lock | undefined;
  /** Why something is in memory only that should not be. */
  readonly error?: string;
  /** Opens a map of its own; without it maps are in memory. */
  open?(name: string, stateBytes: number, delayMs: number): Promise<DurableKeyValue>;
}

async function assemble(map: MemoryKeyValue | DurableKeyValue, parts: Parts): Promise<Store> {
  const { log, lock } = parts;
  let { error } = parts;
  const durable = map instanceof DurableKeyValue ? map : undefined;
  const maps = durable ? [durable] : [];
  const own = scoped(map, 'moonwire/');
  const identity = Identity.open(own, log);
  const opening = Sequences.open(own, log);
  await durable?.flush().catch(() => {});
  return {
    kv: scoped(map, 'lua/'),
    ids: await opening,
    identity,
    part: (name) => scoped(map, `${name}/`),
    async map(name, delayMs = 0) {
      const stateBytes = parts.maxBytes / 32;
      if (!parts.open) return new MemoryKeyValue(stateBytes);
      try {
        const opened = await parts.open(name, stateBytes, delayMs);
        maps.push(opened);
        return opened;
      } catch (cause) {
        if (!isPassing(cause)) throw cause;
        log.error(`${name} cannot be opened; kept in memory only`, { reason: messageOf(cause) });
        error ??= messageOf(cause);
        return new MemoryKeyValue(stateBytes);
      }
    },
    health: () => {
      const state = maps.length > 0 ? together(maps.map((each) => each.health())) : undefined;
      const reason = error ?? state?.error;
      return { ok: reason === undefined, error: reason, state };
    },
    async flush() {
      await Promise.all(maps.map((each) => each.flush()));
    },
    async close() {
      await Promise.all(maps.map((each) => each.close()));
      await lock?.release();
    },
  };
}

/** The figures of several maps as those of one: numbers added, the first error. */
function together(healths: readonly KeyValueHealth[]): KeyValueHealth {
  const [first, ...others] = healths.map((health) => Object.entries(health));
  const sum = new Map(first);
  for (const [name, value] of others.flat()) {
    const before = sum.get(name);
    sum.set(
      name,
      typeof value === 'number' && typeof before === 'number' ? before + value : (before ?? value),
    );
  }
  return Object.fromEntries(sum) as unknown as KeyValueHealth;
}
