/** Connections that come while a worker is not there. */

import t from 'tap';
import { joinLines } from '../support/cluster.js';
import { eventually, startPrimary } from '../support/workers.js';

t.test('connections on their way to a worker that dies reach another', async (t) => {
  const primary = await startPrimary(t);
  await primary.joined(2);
  const [victim] = primary.workers() as [number];
  // It takes nothing; what is handed to it stays on its way.
  process.kill(victim, 'SIGSTOP');
  let joined = 0;
  const joining = Array.from({ length: 20 }, async () => {
    const device = await joinLines(t, primary);
    joined++;
    return device;
  });
  await eventually('half of them wait', () => joined === 10);
  process.kill(victim, 'SIGKILL');
  const devices = await Promise.all(joining);
  t.equal(devices.filter(({ closed }) => closed).length, 0);
  t.match(await primary.get('/metrics'), /moonwire_worker_connections_missed_total\{worker="barn-\d"\} 10\n/);
});

t.test('the only worker is replaced, and those who come meanwhile wait', async (t) => {
  const primary = await startPrimary(t, { engine: '  workers: 1' });
  const [victim] = primary.workers() as [number];
  process.kill(victim, 'SIGKILL');
  await eventually('the primary knows', () => /barn-1 has ended/.test(primary.cli!.stderr));
  const device = await joinLines(t, primary);
  t.match(device.text, /^id \d+\n/);
});
