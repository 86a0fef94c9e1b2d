/** A clock for processes of a test that jumps when it is told to, by libfaketime. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** `missing('faketime', 'faketime')` is to be asked before. The clock is the right one until it jumps. */
export function fakeClock(t: Pick<Test, 'teardown'>): {
  env: Record<string, string>;
  jump(offset: string): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-clock-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const clock = join(folder, 'offset');
  const jump = (offset: string): void => writeFileSync(clock, `${offset}\n`);
  jump('+0');
  const library = execFileSync('dpkg', ['-L', 'libfaketime'], { encoding: 'utf8' })
    .split('\n')
    .find((path) => path.endsWith('/libfaketimeMT.so.1'))!;
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    // The clock that was set is the one of the wall; what only rises goes on.
    DONT_FAKE_MONOTONIC: '1',
  };
  return { env, jump };
}
