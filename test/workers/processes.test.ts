/** The processes begin and end together. */

import t from 'tap';
import { joinLines } from '../support/cluster.js';
import { eventually, lives, startPrimary } from '../support/workers.js';

t.test('kill -9 of the primary leaves no process', async (t) => {
  const primary = await startPrimary(t);
  const workers = primary.workers();
  t.equal(workers.length, 2);
  await primary.stop('SIGKILL');
  await eventually('all are gone', () => !workers.some(lives));
});

t.test('a signal to all of them is a signal to the primary', async (t) => {
  const primary = await startPrimary(t);
  const workers = primary.workers();
  const device = await joinLines(t, primary);
  for (const pid of workers) process.kill(pid, 'SIGTERM');
  for (const pid of workers) process.kill(pid, 'SIGINT');
  device.send('still there\n');
  await device.until((text) => text.includes('\nstill there\n'));
  const { code } = await primary.cli!.stop('SIGTERM');
  t.equal(code, 0);
  t.notOk(workers.some(lives));
});

t.test('a script that does not load ends all, and says why', async (t) => {
  await t.rejects(startPrimary(t, { scripts: { 'lines.lua': 'this is not Lua' } }), /lines\.lua:1/);
});
