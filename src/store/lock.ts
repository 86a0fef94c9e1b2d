/**
 * Keeps a second process off a folder. A lock is an empty file whose name tells its holder by process id, start
 * time and boot; it counts only while that very process lives, so it needs no clean-up after kill -9 or a power
 * cut.
 *
 * Everybody first announces itself by such a file and then looks for others. Of two, the later one is sure to see
 * the earlier one, so never do two hold the lock; two at the same moment may both withdraw, and try again.
 */

import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { MoonwireError } from '../errors.js';
import { bootId } from './boot.js';
import { FILE_MODE } from './files.js';

/** Attempts before another one that lives counts as the holder. */
const ATTEMPTS = 6;
/** Longest wait between two attempts. */
const RETRY_MS = 40;
const NAME = /^lock\.((\d+)\.[\d-]+\.[0-9a-f-]+)\.[0-9a-f]{16}$/;

/** A held lock. */
export interface Lock {
  /** Gives it up. Never fails. */
  release(): Promise<void>;
}

/**
 * Takes the lock of `folder`. Fails with `conflict` when a living process, this one included, holds it, and with
 * the file system's error when the lock cannot be written.
 */
export async function takeLock(folder: string): Promise<Lock> {
  let holder: number | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await setTimeout(randomInt(1, RETRY_MS));
    const own = `lock.${describeProcess(process.pid)}.${randomBytes(8).toString('hex')}`;
    const release = (): Promise<void> => unlink(join(folder, own)).catch(() => {});
    await (await open(join(folder, own), 'wx', FILE_MODE)).close();
    holder = await findOther(folder, own);
    if (holder === undefined) return { release };
    await release();
  }
  throw new MoonwireError('conflict', `the store ${folder} is in use by process ${holder}`, folder);
}

/** The id of another process whose lock counts; locks of dead ones are removed. */
async function findOther(folder: string, own: string): Promise<number | undefined> {
  let holder: number | undefined;
  for (const name of await readdir(folder)) {
    const match = NAME.exec(name);
    if (!match || name === own) continue;
    const pid = Number(match[2]);
    if (describeProcess(pid) === match[1]) holder = pid;
    else await unlink(join(folder, name)).catch(() => {});
  }
  return holder;
}

/** "pid.start.boot" of a living process; undefined when there is none. */
function describeProcess(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const { state, start } = status(pid);
  // One that has ended and whose parent has not asked how, as under a container without an init process.
  return state === 'Z' ? undefined : `${pid}.${start}.${bootId() ?? '-'}`;
}

/** State of a process, and clock ticks from boot to its start; `-` where there is no /proc, the id alone must do. */
function status(pid: number): { state: string; start: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, so fields are counted behind it: the 3rd and the 22nd (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '-', start: fields[19] ?? '-' };
  } catch {
    return { state: '-', start: '-' };
  }
}
