/** Reports over links that are cut, or carry nothing any more. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cluster, type Node } from '../support/cluster.js';
import { type Arrivals, once, pause, Reporter, reporting } from '../support/reporting.js';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.js';

interface Outbox {
  connected: boolean;
  records: number;
}

interface Linked {
  cluster: Cluster;
  engine: Node;
  proxy: TcpProxy;
  /** Up: nothing gets through. */
  wall: { up: boolean };
  arrivals: Arrivals;
}

/** A centre and an engine that reaches it through a proxy. */
async function linked(t: Test, outbox: string): Promise<Linked> {
  const wall = { up: false };
  let proxy: TcpProxy | undefined;
  const cluster = await Cluster.prepare(t, 1, {
    registry: async (port) => {
      // Port 1 refuses.
      proxy = await openProxy(t, () => (wall.up ? 1 : port));
      return proxy.port;
    },
  });
  const arrivals = reporting(cluster, outbox);
  await cluster.start();
  return { cluster, engine: cluster.engines[0]!, proxy: proxy!, wall, arrivals };
}

t.test('a cut uplink leaves no gap, and what happens now does not wait for what has waited', async (t) => {
  // One a second: far too few to be through before the live ones.
  const { cluster, engine, proxy, wall, arrivals } = await linked(t, '{ spillDelay: 0.3, drainRate: 1 }');
  const meter = new Reporter(t, engine, 'eco');
  const numbers = await meter.take(3);
  await arrivals.all(numbers);
  wall.up = true;
  proxy.cut();
  await engine.until<Outbox>('/v1/outbox', ({ connected }) => !connected);
  // Ten a second for a while; time is short here.
  for (let i = 0; i < 100; i++) {
    numbers.push(meter.report());
    await pause(5);
  }
  await engine.until<Outbox>('/v1/outbox', ({ records }) => records >= 100);
  wall.up = false;
  await engine.until<Outbox>('/v1/outbox', ({ connected }) => connected);
  const [live] = await meter.take(1);
  await arrivals.all([live!]);
  numbers.push(live!);
  const waiting = (await engine.get<Outbox>('/v1/outbox')).records;
  t.ok(waiting > 0, `${waiting} still wait`);

  // The rest at another rate: an engine that is stopped in order loses nothing either.
  await engine.stop('SIGTERM');
  const path = join(cluster.folder, 'engine-0.yaml');
  writeFileSync(path, readFileSync(path, 'utf8').replace('drainRate: 1 ', 'drainRate: 10000 '));
  await engine.start();
  const found = await arrivals.all(numbers);
  t.ok(once(found));
  t.same(meter.refused, []);
});

t.test('a link that carries nothing any more, and tells nobody', async (t) => {
  const { engine, proxy, arrivals } = await linked(t, '{ spillDelay: 0.3 }');
  const meters = [new Reporter(t, engine, 'eco'), new Reporter(t, engine, 'durable', 10_000)];
  for (const meter of meters) await meter.take(3);
  const stops = meters.map((meter) => meter.start(20));
  await pause(100);
  const { accepted } = proxy;
  proxy.drop();
  // The heartbeat notices; reports go on meanwhile.
  while (proxy.accepted === accepted) await pause(20);
  await engine.until<Outbox>('/v1/outbox', ({ connected }) => connected);
  await pause(100);
  for (const stop of stops) stop();
  for (const meter of meters) await meter.take(1);
  const found = await arrivals.all(meters.flatMap(({ taken }) => [...taken]));
  t.ok(once(found));
  t.ok(found.size > 20, `${found.size} reports`);
});
