/** Whether the files that a script was loaded from are still what they were. */

import { readFile, stat } from 'node:fs/promises';
import { hashOf, type Loader } from '../../script/loader.js';

export class SourceWatch {
  /** What files looked like when they were last found unchanged: most looks cost no more than a `stat`. */
  private readonly stamps = new Map<string, string>();

  constructor(private readonly loader: Loader) {}

  /** Whether one was saved or removed, or one has come that would be found before another. */
  async changed(): Promise<boolean> {
    for (const { path, hash } of this.loader.sources.values()) {
      if (await this.differs(path, hash)) return true;
    }
    for (const path of this.loader.missing) {
      if ((await stampOf(path)) !== undefined) return true;
    }
    return false;
  }

  private async differs(path: string, hash: string): Promise<boolean> {
    const stamp = await stampOf(path);
    if (stamp === undefined) return true;
    if (stamp === this.stamps.get(path)) return false;
    if (hashOf(await readFile(path).catch(() => new Uint8Array())) !== hash) return true;
    this.stamps.set(path, stamp);
    return false;
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return undefined;
  }
}
