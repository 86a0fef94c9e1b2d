import t from 'tap';
import type { DeviceInfo } from '../../src/api/shapes.js';
import { startBoth, untilIs } from '../support/both.js';
import { moonwire } from '../support/cli.js';

t.test('moonwire command waits, and exits by what became of it', async (t) => {
  const running = await startBoth(t);
  await running.attach('dev-4');
  const run = (...args: string[]) => moonwire(['command', ...running.at, ...args]);
  const done = await run('dev-4', 'echo', 'level=3', 'on=true', 'text=a=b', 'list=[1,"x"]');
  t.equal(done.code, 0, done.stderr);
  t.same(JSON.parse(done.stdout), { level: 3, on: true, text: 'a=b', list: [1, 'x'] });
  const failed = await run('dev-4', 'refuse');
  t.match(failed, { code: 1, stderr: /command \w+ failed: conflict: not now/ });
  const late = await run('nobody', 'echo', '--wait', '0', '--key', 'mine');
  t.match(late, { code: 4, stderr: /is queued still/ });
  const again = await run('nobody', 'echo', '--wait', '0', '--key', 'mine', '--json');
  t.match(JSON.parse(again.stdout), { state: 'queued', idempotency_key: 'mine' });
  t.match(await run('nobody', 'other', '--key', 'mine'), {
    code: 1,
    stderr: /another command has this key/,
  });
  t.match(await run('nobody', 'echo', '--ttl', '1'), { code: 1, stderr: /was expired/ });
  t.match(await run('dev-4', 'echo', 'level'), { code: 2, stderr: /key=value/ });
});

t.test('moonwire devices', async (t) => {
  const running = await startBoth(t);
  await running.attach('meter-1', 'hello');
  await untilIs<DeviceInfo>(
    running,
    '/v1/devices/meter-1',
    ({ report, attached }) => attached && report !== undefined,
  );
  await running.request('POST', '/v1/devices/meter-1/labels', { labels: { site: 'north', ü: '' } });
  const table = await moonwire(['devices', ...running.at]);
  t.match(table.stdout, /meter-1 +barn +\d+ +\d+s +site=north ü= +\{"text":"hello"\}/, table.stderr);
});
