/** The disk of one process: a small file system of its own that can be filled, where root may mount one. */

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Campaign } from './campaign.js';

const SIZE = '32m';

export class Disk {
  private constructor(
    readonly folder: string,
    /** It has a size of its own. */
    readonly real: boolean,
  ) {}

  static async prepare(campaign: Campaign, folder: string): Promise<Disk> {
    mkdirSync(folder, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]).status === 0;
    if (mounted) campaign.teardown(() => spawnSync('umount', [folder]));
    return new Disk(folder, mounted);
  }

  get store(): string {
    return join(this.folder, 'store');
  }

  /** Leaves no room at all. */
  fill(): void {
    const file = openSync(this.ballast, 'a');
    try {
      for (let size = 1 << 20; size > 0; ) {
        try {
          if (writeSync(file, Buffer.alloc(size)) < size) size >>= 1;
        } catch {
          size >>= 1;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  clear(): void {
    unlinkSync(this.ballast);
  }

  private get ballast(): string {
    return join(this.folder, 'ballast');
  }
}
