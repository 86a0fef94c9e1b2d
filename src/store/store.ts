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
  /** Figures of the key-value map and its journal; undefined when all is in memory. */
  readonly state: KeyValueHealth | undefined;
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
  if (options.path === undefined) return assemble(new MemoryKeyValue(), options.log);
  const { path, log, fs = promises, maxBytes = 64 * 2 ** 20 } = options;
  const folder = join(path, 'state');
  let lock: Lock | undefined;
  try {
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
    lock = await takeLock(path).catch((error: unknown) => {
      if (!isPassing(error)) throw error;
      // The state is still there to be read: who this engine is matters more than the lock.
      log.error('the store cannot be locked', { path, reason: messageOf(error) });
      return undefined;
    });
    const map = await DurableKeyValue.open({
      folder,
      fs,
      log,
      // Two snapshots, and twice over the journal that leads to one, stay well below the bound.
      stateBytes: Math.min(4 * 2 ** 20, maxBytes / 16),
      segmentBytes: Math.min(2 ** 20, maxBytes / 16),
      maxBytes: maxBytes / 2,
      ...(options.delayMs !== undefined && { delayMs: options.delayMs }),
    });
    return await assemble(map, log, lock);
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
    return assemble(new MemoryKeyValue(), log, undefined, reason);
  }
}

async function assemble(
  map: MemoryKeyValue | DurableKeyValue,
  log: Logger,
  lock?: Lock,
  error?: string,
): Promise<Store> {
  const durable = map instanceof DurableKeyValue ? map : undefined;
  const own = scoped(map, 'moonwire/');
  const identity = Identity.open(own, log);
  const opening = Sequences.open(own, log);
  await durable?.flush().catch(() => {});
  return {
    kv: scoped(map, 'lua/'),
    ids: await opening,
    identity,
    part: (name) => scoped(map, `${name}/`),
    health: () => {
      const state = durable?.health();
      const reason = error ?? state?.error;
      return { ok: reason === undefined, error: reason, state };
    },
    flush: () => durable?.flush() ?? Promise.resolve(),
    async close() {
      await durable?.close();
      await lock?.release();
    },
  };
}
