import { spawnSync } from 'node:child_process';
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { openStore } from '../../src/store/store.js';

const folder = t.testdir({ disk: {} });
const disk = join(folder, 'disk');
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status === 0;
const skip = mounted ? false : 'mounting a small tmpfs needs root; journal.test.ts injects the same failure';

t.test('a disk that is really full, and has room again', { skip }, async (t) => {
  t.teardown(() => spawnSync('umount', [disk]));
  const ballast = join(disk, 'ballast');
  const path = join(disk, 'store');
  const store = await openStore({ path, log: silentLogger, delayMs: 1 });
  await store.kv.set('a', Buffer.from('before'));
  try {
    for (;;) writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' });
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  for (let i = 0; i < 20; i++) void store.kv.set(`k${i}`, Buffer.alloc(4096, i));
  await t.rejects(store.flush(), { code: 'overloaded', message: /ENOSPC|wait for the disk/ });
  t.equal(store.health().ok, false);
  t.same(store.kv.get('k19'), Buffer.alloc(4096, 19), 'served from memory');
  t.ok(store.ids.nextSequence() >= 0);
  unlinkSync(ballast);
  while (!store.health().ok) await new Promise((resolve) => setTimeout(resolve, 20));
  await store.kv.set('z', Buffer.from('after'));
  await store.close();
  const again = await openStore({ path, log: silentLogger });
  t.same([...again.kv.keys()].length, 22);
  t.same(again.kv.get('k7'), Buffer.alloc(4096, 7));
  t.equal(again.health().state?.damagedParts, 0);
  await again.close();
});
