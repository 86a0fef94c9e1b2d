import t from 'tap';
import { Cluster, joinLines, publishTo } from '../support/cluster.js';
import { until } from '../support/engine.js';

t.test('three engines and a centre', async (t) => {
  const cluster = await Cluster.prepare(t, 3);
  await cluster.start();
  const { center, engines } = cluster;
  const [a, b, c] = await Promise.all(engines.map((engine) => joinLines(t, engine)));
  const devices = [a!, b!, c!];
  await center.until<{ engines: { clients: number }[] }>('/v1/engines', (body) =>
    body.engines.every(({ clients }) => clients === 1),
  );

  await t.test('ids carry the node that the centre leased', async (t) => {
    const { nodes } = await center.get<{ nodes: { id: number; api_server: string }[] }>('/v1/nodes');
    t.same(
      nodes.map(({ api_server }) => api_server).sort(),
      engines.map(({ api }) => `127.0.0.1:${api}`).sort(),
    );
    const leased = nodes.map(({ id }) => Number(id)).sort();
    t.same(devices.map(({ id }) => Math.floor(Number(id) / 2 ** 33)).sort(), leased);
  });

  await t.test('publish from any script or API reaches subscribers on all', async (t) => {
    await publishTo(a!, 3, 'hello');
    for (const device of devices) await device.until((text) => text.includes('< hello\n'));
    for (const [i, node] of [center, ...engines].entries()) {
      const answer = await node.post('/v1/mesh/publish', { c: 'all', d: `from ${i}`, t: 'text' });
      t.same(answer, { E: null, r: { s: 3, f: 0, t: 3 } });
      for (const device of devices) await device.until((text) => text.includes(`< from ${i}\n`));
    }
  });

  await t.test('send crosses nodes both ways, from scripts and every API', async () => {
    a!.send(`to ${c!.id} ahoy\n`);
    await a!.until((text) => text.endsWith('sent\n'));
    await c!.until((text) => text.includes('< ahoy\n'));
    c!.send(`to ${a!.id} back\n`);
    await c!.until((text) => text.endsWith('sent\n'));
    await a!.until((text) => text.includes('< back\n'));
    for (const [i, node] of [center, ...engines].entries()) {
      for (const device of devices) {
        await node.post('/v1/mesh/send', { c: device.id, d: `direct ${i}`, t: 'text' });
        await device.until((text) => text.includes(`< direct ${i}\n`));
      }
    }
  });

  await t.test('an engine killed at once disappears, and sends to its clients fail', async (t) => {
    const [, second, third] = engines;
    t.equal((await center.request('DELETE', '/v1/engines/engine-2')).status, 409, 'its name is in use');
    await third!.stop('SIGKILL');
    await cluster.joined(2);
    for (const node of [center, second!]) {
      const answer = await node.post<{ E: { c: number; m: string } }>('/v1/mesh/send', {
        c: c!.id,
        d: 'x',
        t: 'text',
      });
      t.equal(answer.E.c, 401, answer.E.m);
    }
    a!.send('pub all still here\n');
    await b!.until((text) => text.includes('< still here\n'));
    await third!.start();
    await cluster.joined(3);
    const again = await joinLines(t, third!);
    t.equal(
      Math.floor(Number(again.id) / 2 ** 33),
      Math.floor(Number(c!.id) / 2 ** 33),
      'it keeps its node number',
    );
    t.not(again.id, c!.id, 'no client id comes twice');
    // Engines hear of it a moment after the centre; until then a send tells that it failed.
    for (let answer = ''; answer !== 'sent\n'; ) {
      a!.received = Buffer.alloc(0);
      a!.send(`to ${again.id} welcome\n`);
      answer = await a!.until((text) => text.endsWith('\n'));
    }
    await again.until((text) => text.includes('< welcome\n'));
  });
});

t.test('the centre is killed and comes back while 1,000 clients stay', { timeout: 120_000 }, async (t) => {
  const cluster = await Cluster.prepare(t, 2);
  await cluster.start();
  const { center, engines } = cluster;
  const clients = await Promise.all(Array.from({ length: 1000 }, (_, i) => joinLines(t, engines[i % 2]!)));
  const registered = (count: number) =>
    center.until<{ engines: { clients: number }[] }>(
      '/v1/engines',
      (body) => body.engines.reduce((sum, engine) => sum + engine.clients, 0) === count,
    );
  await registered(1000);

  let echoes = 0;
  let longest = 0;
  const talker = clients[0]!;
  let talking = true;
  const talk = (async () => {
    for (let i = 0; talking; i++) {
      const began = performance.now();
      talker.send(`echo ${i}\n`);
      await talker.until((text) => text.includes(`echo ${i}\n`));
      talker.received = Buffer.alloc(0);
      longest = Math.max(longest, performance.now() - began);
      echoes++;
    }
  })();

  await center.stop('SIGKILL');
  const before = echoes;
  await until(() => echoes > before + 50);
  const [left, right] = [clients[2]!, clients[3]!];
  left.send(`to ${right.id} without centre\n`);
  await right.until((text) => text.includes('< without centre\n'));
  clients[4]!.socket.destroy();
  const during = await joinLines(t, engines[0]!);

  await center.start();
  await cluster.joined(2);
  await registered(1000);
  talking = false;
  await talk;
  t.ok(echoes > 50, `${echoes} echoes, the longest took ${longest.toFixed(0)} ms`);
  const answer = await center.post('/v1/mesh/send', { c: during.id, d: 'you are known', t: 'text' });
  t.same(answer, { E: null, r: { s: true } });
  await during.until((text) => text.includes('< you are known\n'));
  t.equal(clients.filter(({ closed }) => closed).length, 1, 'only the one that left is gone');
});
