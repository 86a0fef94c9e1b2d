/** How much memory the process has, and how much it may have. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';

const MIB = 2 ** 20;
/** V8's young generation is three of these, where no flag says otherwise. */
const SEMI_SPACE_MIB = 16;
const CGROUPS = '/sys/fs/cgroup';
/** Share of a cgroup's bound that is used: the kernel counts more than memory of the process's own. */
const SHARE_OF_CGROUP = 0.9;

/** Memory in bytes. */
export interface MemoryUse {
  /** What V8 keeps of what lives long, and the most it may be: beyond it V8 ends the process. */
  readonly heap: number;
  readonly heapLimit: number;
  /** Anonymous memory of the process: its own, which only it can give back. All that is resident, where that is not told. */
  readonly own: number;
  /** What of it is not free for the process to use again. */
  readonly needed: number;
}

/**
 * Reads how much memory the process has. What it frees is not always given back to the system, since malloc keeps it for
 * later: when V8 has freed much and the process is no smaller, the difference counts as free.
 */
export class MemoryReader {
  private readonly heapLimit = oldSpaceLimit();
  /** The most the process ever had, and how much of it was not V8's. */
  private peak = { own: 0, others: 0 };

  /** Takes about 0.1 ms. */
  readonly read = (): MemoryUse => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    const { used_heap_size, total_physical_size, external_memory } = getHeapStatistics();
    const ofV8 = total_physical_size + external_memory;
    const own = ownMemory();
    if (own > this.peak.own) this.peak = { own, others: own - ofV8 };
    return {
      heap: used_heap_size - (young?.space_used_size ?? 0),
      heapLimit: this.heapLimit,
      own,
      needed: Math.min(own, ofV8 + this.peak.others),
    };
  };
}

/** Bytes that V8's old generation may grow to. */
export function oldSpaceLimit(
  flags = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' '),
): number {
  const given = lastOf(flags, /--max[-_]old[-_]space[-_]size[= ](\d+)/g);
  if (given !== undefined) return given * MIB;
  const semi = lastOf(flags, /--max[-_]semi[-_]space[-_]size[= ](\d+)/g) ?? SEMI_SPACE_MIB;
  return getHeapStatistics().heap_size_limit - 3 * semi * MIB;
}

/**
 * Bytes the process may have of its own, as the cgroups it is in bound it (cgroup v2, `memory.max` and `memory.high`);
 * undefined where they do not.
 */
export function cgroupBound(own = '/proc/self/cgroup', root = CGROUPS): number | undefined {
  const path = /^0::(\/.*)$/m.exec(textOf(own) ?? '')?.[1];
  if (path === undefined) return undefined;
  const names = path.split('/').filter((name) => name !== '');
  // A cgroup is bounded by those around it, too.
  const folders = names.map((_, i) => join(root, ...names.slice(0, i + 1)));
  const bounds = [root, ...folders].flatMap((folder) =>
    ['memory.max', 'memory.high'].flatMap((file) => {
      const bytes = Number(textOf(join(folder, file)) ?? Number.NaN);
      return Number.isFinite(bytes) && bytes > 0 ? bytes : [];
    }),
  );
  return bounds.length > 0 ? Math.floor(Math.min(...bounds) * SHARE_OF_CGROUP) : undefined;
}

function ownMemory(): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(textOf('/proc/self/status') ?? '')?.[1];
  return kib === undefined ? process.memoryUsage.rss() : Number(kib) * 1024;
}

function lastOf(text: string, pattern: RegExp): number | undefined {
  const found = [...text.matchAll(pattern)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
