/** The shortest way from an engine to its centre: how the two ends are built and joined. */

import t from 'tap';
import { addressOf, openCenter, TestEngine } from '../center/support.js';
import { until } from './support.js';

t.test('an uplink joins a centre, registers, and each asks the other', async (t) => {
  const center = await openCenter(t, { joinToken: 'secret' });
  center.handle('sum', (_engine, params) => (params as number[]).reduce((a, b) => a + b));
  const engine = new TestEngine(t, [addressOf(center)], { joinToken: 'secret' });
  engine.uplink.handle('name', () => 'barn-1');
  engine.clients.add(2 ** 33 + 5);
  await engine.joined();

  t.equal(engine.identity.node, 1);
  t.match(engine.uplink.state, { connected: true, attempts: 0, lastError: undefined });
  t.equal(await engine.uplink.request('sum', [1, 2]), 3);
  await until(() => center.registry.client(2 ** 33 + 5) !== undefined, 'the client is registered');
  t.equal(await center.registry.engineOfNode(1)?.request('name'), 'barn-1');
});
