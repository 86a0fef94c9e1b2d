/** Reports while the centre and their engine are killed: whatever was promised arrives, and is one report. */

import t from 'tap';
import { Cluster } from '../support/cluster.js';
import { random } from '../support/random.js';
import { pause, Reporter, reporting } from '../support/reporting.js';

/** Kills; the nightly script asks for hundreds. */
const KILLS = Number(process.env.MOONWIRE_KILLS ?? 3);

t.test('killed at random moments', { timeout: 60_000 + KILLS * 15_000 }, async (t) => {
  const cluster = await Cluster.prepare(t, 1);
  const arrivals = reporting(cluster, '{ spillDelay: 0.3 }');
  await cluster.start();
  const { center } = cluster;
  const engine = cluster.engines[0]!;
  const { below } = random(t);
  const durable = [0, 1, 2].map((i) => new Reporter(t, engine, 'durable', i * 10_000_000));
  const eco = [3, 4].map((i) => new Reporter(t, engine, 'eco', i * 10_000_000));
  const all = [...durable, ...eco];
  /** Reports that are not durable: those the engine had on disk, or acknowledged, and those it had in memory only. */
  const spilled = new Set<number>();
  const inMemory = new Set<number>();

  for (let kill = 0; kill < KILLS; kill++) {
    const stops = all.map((reporter) => reporter.start(5 + below(20)));
    await pause(below(500));
    // The centre alone, the engine alone, or the engine while the centre is away.
    const victims = [[center], [engine], [center, engine]][kill % 3]!;
    if (victims.includes(center)) await center.stop('SIGKILL');
    if (victims.includes(engine)) {
      await pause(below(300));
      for (const stop of stops) stop();
      const taken = eco.flatMap((reporter) => [...reporter.taken]);
      await engine.until<{ memory_records: number }>('/v1/outbox', (body) => body.memory_records === 0);
      // What was on its way to the disk is there when this one is.
      await durable[0]!.take(1);
      for (const n of taken) if (!inMemory.has(n)) spilled.add(n);
      stops.push(...all.map((reporter) => reporter.start(5 + below(20))));
      await pause(below(400));
      await engine.stop('SIGKILL');
      await Promise.all(eco.map((reporter) => reporter.gone()));
      for (const { taken } of eco) for (const n of taken) if (!spilled.has(n)) inMemory.add(n);
    }
    for (const victim of victims) await victim.start();
    await pause(below(300));
    for (const stop of stops) stop();
  }
  await cluster.joined(1);
  for (const reporter of all) await reporter.take(3);

  const promised = durable.flatMap((reporter) => [...reporter.taken]);
  const found = await arrivals.all([
    ...promised,
    ...spilled,
    ...eco.flatMap(({ taken }) => [...taken].slice(-3)),
  ]);
  t.same(
    [...found].filter(([, ids]) => ids.size > 1),
    [],
    'none was taken for two',
  );
  t.same(
    all.flatMap(({ refused }) => refused),
    [],
  );
  const lines = arrivals.lines().length;
  const ecoTaken = eco.reduce((sum, { taken }) => sum + taken.size, 0);
  const arrived = new Set(found.keys());
  const lost = eco.flatMap(({ taken }) => [...taken]).filter((n) => !arrived.has(n)).length;
  t.comment(
    `${KILLS} kills; durable ${promised.length}; others ${ecoTaken}, of which ${lost} were lost with the memory; ` +
      `delivered twice ${lines - found.size}`,
  );
  t.ok(promised.length > 0 && spilled.size > 0);
});
