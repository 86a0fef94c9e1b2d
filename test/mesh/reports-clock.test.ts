/** Reports while the clock jumps, and the centre and the engine are killed. */

import t from 'tap';
import { Cluster } from '../support/cluster.js';
import { fakeClock } from '../support/fake-clock.js';
import { missing } from '../support/need.js';
import { once, Reporter, reporting } from '../support/reporting.js';

const skip = missing('faketime', 'faketime');
t.test('the clock jumps a day ahead and two days back', { skip }, async (t) => {
  const { env, jump } = fakeClock(t);
  const cluster = await Cluster.prepare(t, 1, { env });
  const arrivals = reporting(cluster, '{ spillDelay: 0.3 }');
  await cluster.start();
  const { center } = cluster;
  const engine = cluster.engines[0]!;
  const meters = [new Reporter(t, engine, 'eco'), new Reporter(t, engine, 'durable', 10_000)];
  for (const offset of ['+1d', '-1d']) {
    jump(offset);
    const stops = meters.map((meter) => meter.start(20));
    for (const meter of meters) await meter.take(2);
    await center.stop('SIGKILL');
    await meters[1]!.take(3);
    await engine.stop('SIGKILL');
    await Promise.all([center.start(), engine.start()]);
    for (const stop of stops) stop();
    for (const meter of meters) await meter.take(1);
  }
  const found = await arrivals.all([...meters[1]!.taken, ...[...meters[0]!.taken].slice(-1)]);
  t.ok(once(found));
  t.same(
    meters.flatMap(({ refused }) => refused),
    [],
  );
});
