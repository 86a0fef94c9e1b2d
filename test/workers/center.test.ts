/** Workers of an engine that joins a centre elsewhere: each of them joins it. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { joinLines, Node, publishTo } from '../support/cluster.js';
import { freePorts } from '../support/ports.js';
import { startPrimary } from '../support/workers.js';

t.test('the centre sees each worker, and what concerns their clients reaches them', async (t) => {
  const [registry, api] = (await freePorts(2)) as [number, number];
  const folder = t.testdir({});
  const file = join(folder, 'center.yaml');
  writeFileSync(
    file,
    `center: { registry: { port: ${registry} }, apiServer: { port: ${api} }, joinToken: secret }
store: { path: ${join(folder, 'data')} }
`,
  );
  const center = new Node('center', 'center', file, api, registry);
  t.teardown(() => center.stop('SIGKILL'));
  await center.start();
  const primary = await startPrimary(t, {
    engine: `  workers: 2
  balance: least
  joinToken: secret
  centerRegistry: 127.0.0.1:${registry}`,
  });
  t.same(await primary.joined(2), ['barn-1', 'barn-2']);
  const { engines } = await center.get<{ engines: { name: string; labels: object; api: string }[] }>(
    '/v1/engines',
  );
  t.same(engines.map(({ name, labels }) => [name, labels]).sort(), [
    ['barn-1', { engine: 'barn' }],
    ['barn-2', { engine: 'barn' }],
  ]);
  for (const { api } of engines) t.equal(api, `127.0.0.1:${primary.api}`, 'the API is that of the primary');

  const devices = await Promise.all(Array.from({ length: 6 }, () => joinLines(t, primary)));
  t.same(await primary.clients(), [3, 3]);
  await publishTo(devices[0]!, 6, 'hello');
  for (const at of [center, primary]) {
    for (const { id } of devices) {
      t.same(await at.post('/v1/mesh/send', { c: id, d: at.name }), { E: null, r: { s: true } });
    }
    for (const device of devices) await device.until((text) => text.includes(`< ${at.name}\n`));
  }
  t.match(await primary.request('POST', '/v1/devices/x/commands', { name: 'set' }), { status: 404 });
});

t.test('single: others may join the centre of the primary, too', async (t) => {
  const primary = await startPrimary(t, { command: 'single' });
  t.same(await primary.joined(2), ['barn-1', 'barn-2']);
  const devices = await Promise.all(Array.from({ length: 4 }, () => joinLines(t, primary)));
  await publishTo(devices[0]!, 4, 'hello');
});
