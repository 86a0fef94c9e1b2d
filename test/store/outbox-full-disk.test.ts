import { spawnSync } from 'node:child_process';
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openOutbox, TestTaker, until } from './outbox-support.js';

const folder = t.testdir({ disk: {} });
const disk = join(folder, 'disk');
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status === 0;
const skip = mounted
  ? false
  : 'mounting a small tmpfs needs root; outbox-damage.test.ts injects the same failure';

t.test(
  'a disk that is really full: eco reports go on, durable ones are refused, both recover',
  { skip },
  async (t) => {
    t.teardown(() => spawnSync('umount', [disk]));
    const ballast = join(disk, 'ballast');
    const outbox = await openOutbox(join(disk, 'outbox'));
    const report = async (deviceId: string, durable: boolean): Promise<void> =>
      outbox.report({ deviceId, values: 'x'.repeat(1000), durable });
    await report('before', true);
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' });
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
    // What is left of the last page may take a few.
    await t.rejects(
      (async () => {
        for (let i = 0; i < 20; i++) await report(`last${i}`, true);
      })(),
      { code: 'overloaded', message: /ENOSPC/ },
    );
    t.match(outbox.status().error, /ENOSPC/);
    for (let i = 0; i < 100; i++) await report(`eco${i}`, false);
    unlinkSync(ballast);
    await until(() => outbox.status().error === undefined && outbox.status().memoryRecords === 0);
    await report('after', true);
    await outbox.close();

    const again = await openOutbox(join(disk, 'outbox'));
    t.equal(again.status().damagedParts, 0);
    const taker = new TestTaker(again);
    again.connect(taker);
    await until(() => again.status().records === 0);
    const devices = new Set(taker.devices());
    t.ok(devices.has('before') && devices.has('after'));
    t.equal([...devices].filter((device) => device.startsWith('eco')).length, 100);
    await again.close();
  },
);
