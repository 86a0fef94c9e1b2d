/** A worker that hangs is as one that dies, once it is noticed. */

import t from 'tap';
import { joinLines } from '../support/cluster.js';
import { eventually, lives, startPrimary } from '../support/workers.js';

t.test('a worker that hangs is replaced', async (t) => {
  const primary = await startPrimary(t, { engine: '  workers: 2\n  workerTimeout: 6s\n  balance: least' });
  await primary.joined(2);
  const devices = await Promise.all(Array.from({ length: 10 }, () => joinLines(t, primary)));
  const [victim] = primary.workers() as [number];
  process.kill(victim, 'SIGSTOP');
  t.teardown(() => lives(victim) && process.kill(victim, 'SIGKILL'));
  await eventually('its connections are gone', () => devices.filter(({ closed }) => closed).length === 5);
  await eventually('it is gone', () => !lives(victim));
  await primary.joined(2);
  t.match(primary.cli!.stderr, /says nothing, and is killed/);
  t.equal(devices.filter(({ closed }) => closed).length, 5, 'and no others');
});
