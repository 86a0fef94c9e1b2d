/** Which boot of the machine this is. */

import { readFileSync } from 'node:fs';

/** The kernel's id of this boot (random(4)); undefined where there is no /proc. */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return undefined;
  }
}
