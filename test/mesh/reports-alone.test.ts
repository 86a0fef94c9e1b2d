/** Reports where engine and sinks are one process: with a centre between them, and without one. */

import t from 'tap';
import { Reporter, reportingAlone } from '../support/reporting.js';

for (const command of ['engine', 'single'] as const) {
  t.test(`moonwire ${command} delivers what its devices report, also over kill -9`, async (t) => {
    const { node, arrivals } = await reportingAlone(t, command);
    const meters = [new Reporter(t, node, 'eco'), new Reporter(t, node, 'durable', 10_000)];
    for (const meter of meters) await arrivals.all(await meter.take(5));
    const stops = meters.map((meter) => meter.start(10));
    await meters[1]!.take(20);
    await node.stop('SIGKILL');
    for (const stop of stops) stop();
    await node.start();
    for (const meter of meters) await arrivals.all(await meter.take(3));
    const found = await arrivals.all(meters[1]!.taken);
    t.ok([...found.values()].every(({ size }) => size === 1));
    t.ok(arrivals.lines().every(({ engine }) => engine === 'alone'));
    await node.until<{ records: number }>('/v1/outbox', ({ records }) => records === 0);
  });
}
