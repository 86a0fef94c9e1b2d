import t, { type Test } from 'tap';
import { Cluster, joinLines, type Node, publishTo } from '../support/cluster.js';
import { fakeClock } from '../support/fake-clock.js';
import { missing } from '../support/need.js';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.js';

interface Engines {
  engines: { name: string; connected: boolean; clients: number; since: number }[];
}

/** A cluster of two whose first engine reaches the centre through a proxy that can be told to fail. */
async function behindProxy(t: Test): Promise<{ cluster: Cluster; proxy: TcpProxy; wall: { up: boolean } }> {
  const wall = { up: false };
  let proxy: TcpProxy | undefined;
  const cluster = await Cluster.prepare(t, 2, {
    registry: async (port, engine) => {
      if (engine !== 0) return port;
      // Port 1 refuses.
      proxy = await openProxy(t, () => (wall.up ? 1 : port));
      return proxy.port;
    },
  });
  await cluster.start();
  return { cluster, proxy: proxy!, wall };
}

function connected(center: Node, name: string, is: boolean): Promise<Engines> {
  return center.until<Engines>('/v1/engines', ({ engines }) =>
    engines.some((engine) => engine.name === name && engine.connected === is),
  );
}

t.test('an uplink that carries nothing any more is noticed at both ends and replaced', async (t) => {
  const { cluster, proxy } = await behindProxy(t);
  const { center, engines } = cluster;
  const device = await joinLines(t, engines[0]!);
  const before = await connected(center, 'engine-0', true);
  const { since } = before.engines.find(({ name }) => name === 'engine-0')!;
  proxy.drop();
  // The heartbeat finds it: 1 s and 1 s of tolerance in these configurations.
  await center.until<Engines>('/v1/engines', (body) =>
    body.engines.some(({ name, connected, since: again, clients }) => {
      return name === 'engine-0' && connected && again > since && clients === 1;
    }),
  );
  const answer = await center.post('/v1/mesh/send', { c: device.id, d: 'found again', t: 'text' });
  t.same(answer, { E: null, r: { s: true } });
  await device.until((text) => text.includes('< found again\n'));
});

t.test('an engine cut off from the centre serves its clients and still reaches the others', async (t) => {
  const { cluster, proxy, wall } = await behindProxy(t);
  const { center, engines } = cluster;
  const [a, b] = await Promise.all(engines.map((engine) => joinLines(t, engine)));
  await publishTo(a!, 2, 'together');

  wall.up = true;
  proxy.drop();
  await connected(center, 'engine-0', false);
  const lost = await center.post<{ E: { c: number; m: string } }>('/v1/mesh/send', {
    c: a!.id,
    d: 'x',
    t: 'text',
  });
  t.equal(lost.E.c, 401, lost.E.m);
  a!.send('echo me\n');
  await a!.until((text) => text.includes('echo me\n'));
  // The session between the engines needs no centre.
  a!.send(`to ${b!.id} over the fence\n`);
  await b!.until((text) => text.includes('< over the fence\n'));
  const health = await engines[0]!.get<{ status: string; reasons: { code: string }[] }>('/v1/health');
  t.equal(health.status, 'degraded');
  t.match(health.reasons, [{ code: 'uplink_down' }]);

  wall.up = false;
  await center.until<{ channels: { name: string; nodes: number[] }[] }>('/v1/channels', ({ channels }) =>
    channels.some(({ name, nodes }) => name === 'all' && nodes.length === 2),
  );
  const answer = await center.post('/v1/mesh/publish', { c: 'all', d: 'again', t: 'text' });
  t.same(answer, { E: null, r: { s: 2, f: 0, t: 2 } });
});

const skip = missing('faketime', 'faketime');
t.test('the clock jumps a day ahead and two days back', { skip }, async (t) => {
  const { env, jump } = fakeClock(t);
  const cluster = await Cluster.prepare(t, 2, { env });
  await cluster.start();
  const { center, engines } = cluster;
  const [a, b] = await Promise.all(engines.map((engine) => joinLines(t, engine)));
  const flaps = async (): Promise<number> => {
    const text = await engines[0]!.get<string>('/metrics');
    return Number(/^moonwire_uplink_flaps_total (\d+)/m.exec(text)![1]);
  };
  for (const [offset, days] of [
    ['+1d', 1],
    ['-1d', -1],
  ] as const) {
    jump(offset);
    a!.received = Buffer.alloc(0);
    a!.send('time\n');
    const now = Number((await a!.until((text) => text.includes('\n'))).trim());
    t.ok(Math.abs(now - Date.now() / 1000 - days * 86_400) < 600, `the engine's clock is ${offset}`);
    // Longer than a heartbeat and its tolerance.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    t.equal(await flaps(), 0, 'the uplink stays');
    t.same(await center.post('/v1/mesh/publish', { c: 'all', d: offset, t: 'text' }), {
      E: null,
      r: { s: 2, f: 0, t: 2 },
    });
    b!.send(`to ${a!.id} at ${offset}\n`);
    await a!.until((text) => text.includes(`< at ${offset}\n`));
  }
});
