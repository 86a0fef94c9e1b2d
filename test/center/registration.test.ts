import t, { type Test } from 'tap';
import type { EngineSession } from '../../src/center/engine-session.js';
import { pageAfter } from '../../src/center/page.js';
import { Registry } from '../../src/center/registry.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { type Attachment, CHANGES_PER_MESSAGE, type RegMessage } from '../../src/uplink/messages.js';
import { Registration } from '../../src/uplink/registration.js';
import { random } from '../support/random.js';
import { streamPair, until } from '../uplink/support.js';
import { addressOf, openCenter, TestEngine } from './support.js';

const BASE = 2 ** 33;

/** A registry with one engine, as far as messages go. */
function registryOf(node: number) {
  const registry = new Registry();
  const record = registry.newRecord(node);
  registry.add({ node, record } as unknown as EngineSession);
  return { registry, record };
}

t.test('an engine’s clients, channels and devices are found, and leave', async (t) => {
  const center = await openCenter(t);
  const engine = new TestEngine(t, [addressOf(center)]);
  engine.clients.add(BASE + 1);
  engine.channels.add('news');
  engine.devices.set('meter-1', BASE + 1);
  await engine.joined();
  const { registry } = center;
  await until(() => registry.device('meter-1') !== undefined, 'registered');
  t.same(registry.counts(), { engines: 1, clients: 1, channels: 1, devices: 1 });
  t.same(registry.client(BASE + 1), { id: BASE + 1, node: 1 });
  t.same([...registry.nodesOf('news')], [1]);
  t.same(registry.device('meter-1'), { device: 'meter-1', client: BASE + 1, node: 1 });
  t.match(registry.engineOfNode(1)?.record, {
    servers: [{ name: 'trackers', port: 6790 }],
    labels: { site: 'north' },
    stats: { messages: 7 },
  });

  engine.connect(BASE + 2);
  engine.attach('meter-1', BASE + 2);
  engine.attach('meter-2', BASE + 2);
  engine.subscribe('weather');
  engine.unsubscribe('news');
  engine.disconnect(BASE + 1);
  await until(() => registry.device('meter-2') !== undefined, 'changed');
  t.same(registry.clients(), [{ id: BASE + 2, node: 1 }]);
  t.equal(registry.device('meter-1')?.client, BASE + 2);
  t.same([[...registry.nodesOf('news')], [...registry.nodesOf('weather')]], [[], [1]]);
  engine.detach('meter-1');
  await until(() => registry.device('meter-1') === undefined, 'detached');

  await engine.uplink.stop();
  await until(() => registry.size === 0, 'gone');
  t.same(registry.counts(), { engines: 0, clients: 0, channels: 0, devices: 0 });
  t.same([...registry.nodesOf('weather')], []);
});

t.test('a gap makes the engine send everything anew', async (t) => {
  const center = await openCenter(t);
  const engine = await new TestEngine(t, [addressOf(center)]).joined();
  engine.connect(BASE + 1);
  await until(() => center.registry.counts().clients === 1, 'registered');
  const record = center.registry.engineOfNode(1)!.record;
  t.equal(record.apply({ t: 'reg', n: 77 }), false, 'asks');
  t.equal(record.apply({ t: 'reg', n: 78 }), true, 'once');
  center.registry.engineOfNode(1)!.record.clear();
  // What the session does when a message was missed.
  engine.registration.resend();
  engine.connect(BASE + 2);
  await until(() => center.registry.counts().clients === 2, 'everything again');
  t.equal(engine.registration.full, 2);
});

t.test('the record: counters, gaps, full ones, bounds', async (t) => {
  const { registry, record } = registryOf(1);
  const reg = (n: number, rest: Partial<RegMessage> = {}): RegMessage => ({ t: 'reg', n, ...rest });
  const clients = (...add: number[]) => ({ clients: { add, del: [] } });
  t.equal(record.apply(reg(0)), false, 'the first must be full');
  t.equal(record.apply(reg(1, clients(BASE + 1))), true);
  t.equal(record.clientCount, 0, 'nothing is taken until it comes');
  t.ok(record.apply(reg(0, { full: true, ...clients(BASE + 1) })));
  t.ok(record.apply(reg(1, clients(BASE + 2, BASE + 2, 5))));
  t.equal(record.clientCount, 3);
  t.same(
    registry.clients(),
    [
      { id: BASE + 1, node: 1 },
      { id: BASE + 2, node: 1 },
    ],
    'others’ ids count only',
  );
  t.equal(registry.client(5), undefined);
  t.equal(record.apply(reg(3)), false);
  t.ok(record.apply(reg(2, clients(BASE + 9))));
  t.equal(record.clientCount, 3);
  t.ok(record.apply(reg(0, { full: true })));
  t.equal(record.clientCount, 0);

  const small = new Registry({ clients: 2, channels: 1, devices: 1 }).newRecord(1);
  t.ok(small.apply(reg(0, { full: true })));
  const devices = {
    add: [
      ['a', 1],
      ['b', 1],
    ] as Attachment[],
    del: [],
  };
  t.ok(small.apply(reg(1, { ...clients(1, 2, 3), channels: { add: ['a', 'b'], del: [] }, devices })));
  t.match([small.clientCount, small.channels.size, small.devices.size, small.leftOut], [2, 1, 1, 3]);
});

t.test('a channel on several engines, a device that moves between them', async (t) => {
  const registry = new Registry();
  const [a, b] = [1, 2].map((node) => {
    const record = registry.newRecord(node);
    const engine = { node, record } as unknown as EngineSession;
    registry.add(engine);
    const channels = { add: ['news'], del: [] };
    const devices = { add: [['d', node * BASE] as Attachment], del: [] };
    record.apply({ t: 'reg', n: 0, full: true, channels });
    record.apply({ t: 'reg', n: 1, devices });
    return engine;
  }) as [EngineSession, EngineSession];
  t.same(new Set(registry.nodesOf('news')), new Set([1, 2]));
  t.equal(registry.device('d')?.node, 2, 'the newest attachment wins');
  a.record.apply({ t: 'reg', n: 0, full: true, devices: { add: [['d', BASE]], del: [] } });
  t.equal(registry.device('d')?.node, 2, 'also after the older engine reconnected');
  a.record.apply({ t: 'reg', n: 1, devices: { add: [], del: ['d'] } });
  t.equal(registry.device('d')?.node, 2, 'the older one ends later');
  registry.remove(b);
  t.same([...registry.nodesOf('news')], []);
  t.equal(registry.device('d'), undefined);
  t.notOk(registry.remove(b));
});

t.test('pages of clients and devices', async (t) => {
  const registry = new Registry();
  for (const node of [1, 2, 3]) {
    const record = registry.newRecord(node);
    registry.add({ node, record } as unknown as EngineSession);
    const add = Array.from({ length: 5 }, (_, n) => node * BASE + 10 - n);
    const devices = { add: add.map((id): Attachment => [`d${id}`, id]), del: [] };
    record.apply({ t: 'reg', n: 0, full: true, clients: { add, del: [] }, devices });
  }
  const ids: number[] = [];
  for (let page = registry.clients({ limit: 4 }); page.length > 0; ) {
    ids.push(...page.map(({ id }) => id));
    page = registry.clients({ limit: 4, after: page.at(-1)!.id });
  }
  t.equal(ids.length, 15);
  t.same(
    ids,
    [...ids].sort((a, b) => a - b),
  );
  t.equal(registry.clients({ node: 2 }).length, 5);
  t.equal(registry.clients({ node: 9 }).length, 0);
  t.equal([...registry.deviceIds()].length, 15);
});

t.test('a page of many', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 200; round++) {
    const items = Array.from({ length: rng.below(500) }, () => rng.below(1000) - 5);
    const after = rng.below(1000) - 5;
    const limit = 1 + rng.below(20);
    const sorted = [...new Set(items)].sort((a, b) => a - b).filter((item) => item > after);
    t.same(pageAfter(new Set(items), after, limit), sorted.slice(0, limit));
  }
  t.same(pageAfter(['b', 'é', 'a', 'B'], 'B', 10), ['a', 'b', 'é']);
});

/** A registration that is sent to a record, with a source that the test changes. */
async function mirrored(t: Test, options: { maxChanges?: number; clients?: Iterable<number> } = {}) {
  const clients = new Set(options.clients ?? []);
  const channels = new Set<string>();
  const devices = new Map<string, number>();
  const registration = new Registration(
    {
      servers: () => [],
      labels: () => ({}),
      stats: () => ({ clients: clients.size, messages: 0, memory: 0 }),
      clients: () => clients,
      channels: () => channels,
      devices: () => devices as Iterable<Attachment>,
    },
    { gatherMs: 1, maxChanges: options.maxChanges ?? 100_000 },
  );
  const { registry, record } = registryOf(1);
  const [near, far] = await streamPair(t);
  const control = new MessageStream(near);
  const messages: RegMessage[] = [];
  const center = new MessageStream(far);
  center.onmessage = (message) => {
    if (message.t !== 'reg') return;
    messages.push(message);
    if (!record.apply(message)) registration.resend();
  };
  registration.attach(control);
  t.teardown(() => registration.detach());
  return { registration, registry, record, messages, control, clients, channels, devices };
}

t.test('whatever changes, the centre ends up with what there is', async (t) => {
  const rng = random(t);
  for (const maxChanges of [100_000, 20]) {
    const all = await mirrored(t, { maxChanges });
    const { registration, registry, record, clients, channels, devices } = all;
    for (let step = 0; step < 5000; step++) {
      const [id, name] = [BASE + rng.below(300), `name ${rng.below(100)}`];
      switch (rng.below(3)) {
        case 0:
          if (clients.delete(id)) registration.clientClosed(id);
          else registration.clientOpened(clients.add(id) && id);
          break;
        case 1:
          if (channels.delete(name)) registration.channelClosed(name);
          else registration.channelOpened(channels.add(name) && name);
          break;
        default:
          if (rng.below(2) === 0 && devices.delete(name)) registration.deviceDetached(name);
          else registration.deviceAttached(devices.set(name, id) && name, id);
      }
      if (rng.below(60) === 0) await new Promise((resolve) => setTimeout(resolve, rng.below(3)));
      if (rng.below(200) === 0) registration.serversChanged();
      if (rng.below(1500) === 0) registration.resend();
    }
    const same = (): boolean =>
      record.clientCount === clients.size &&
      [...clients].every((id) => record.hasClient(id)) &&
      registry.counts().channels === channels.size &&
      [...channels].every((name) => [...registry.nodesOf(name)].length === 1) &&
      registry.counts().devices === devices.size &&
      [...devices].every(([device, client]) => registry.device(device)?.client === client);
    await until(same, 'the same at both ends');
    t.equal(registration.overruns > 0, maxChanges === 20, `${registration.overruns} overruns`);
  }
});

t.test('what comes and goes within a moment is not told', async (t) => {
  const { registration, messages, record } = await mirrored(t);
  await until(() => messages.length === 1, 'the full one');
  registration.clientOpened(BASE + 1);
  registration.channelOpened('a');
  registration.clientClosed(BASE + 1);
  registration.channelClosed('a');
  registration.clientOpened(BASE + 2);
  await until(() => record.clientCount === 1, 'the change');
  t.same(messages.slice(1), [
    {
      t: 'reg',
      n: 1,
      channels: { add: [], del: [] },
      clients: { add: [BASE + 2], del: [] },
      devices: { add: [], del: [] },
    },
  ]);
});

t.test('a large registration goes in parts, and what changes meanwhile comes after it', async (t) => {
  const clients = Array.from({ length: 100_000 }, (_, n) => BASE + n);
  const { registration, messages, record, control, clients: set } = await mirrored(t, { clients });
  t.ok(control.pendingBytes < 2 ** 21, `${control.pendingBytes} bytes wait`);
  set.delete(BASE);
  registration.clientClosed(BASE);
  await until(() => record.clientCount === 99_999, 'all but one');
  t.ok(messages.length >= 100_000 / CHANGES_PER_MESSAGE + 2, `${messages.length} messages`);
  t.ok(messages.every(({ clients }) => (clients?.add.length ?? 0) <= CHANGES_PER_MESSAGE));
  t.equal(registration.full, 1);
});

t.test('long names stay below the size of a message', async (t) => {
  const { registration, registry, messages, channels } = await mirrored(t);
  await until(() => messages.length === 1, 'the full one');
  for (let n = 0; n < 12_000; n++) {
    const name = `${n}${'é'.repeat(250)}`;
    channels.add(name);
    registration.channelOpened(name);
  }
  await until(() => registry.counts().channels === 12_000, 'all');
  registration.resend();
  await until(() => messages.at(-1)!.n < 40 && registry.counts().channels === 12_000, 'all again');
  t.pass('every message was taken');
});

t.test('names that cannot be told cost the others nothing', async (t) => {
  const { registration, registry, channels, devices } = await mirrored(t);
  for (const name of ['\ud800', 'x'.repeat(1000), 'good']) {
    channels.add(name);
    devices.set(name, BASE);
    registration.channelOpened(name);
    registration.deviceAttached(name, BASE);
  }
  await until(() => registry.device('good') !== undefined, 'the good one');
  registration.resend();
  await until(() => registration.full === 2 && registry.device('good') !== undefined, 'again');
  t.match(registry.counts(), { channels: 1, devices: 1 });
});
