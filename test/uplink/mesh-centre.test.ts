import t, { type Test } from 'tap';
import { Center } from '../../src/center/center.js';
import { silentLogger } from '../../src/log.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { STREAM } from '../../src/uplink/messages.js';
import { Registration } from '../../src/uplink/registration.js';
import { Uplink } from '../../src/uplink/uplink.js';
import { CutProxy, TestNode, until } from './mesh-support.js';

/** An engine with an uplink, whose node number is leased. */
class JoinedNode extends TestNode {
  readonly uplink: Uplink;
  readonly registration: Registration;

  constructor(port: number, mesh: () => string | undefined, expected: number) {
    super(expected);
    this.registration = new Registration(
      {
        servers: () => [],
        labels: () => ({}),
        stats: () => ({ clients: 0, messages: 0, memory: 0 }),
        clients: () => this.local.clients,
        channels: () => this.local.channels.keys(),
        devices: () => [],
      },
      { gatherMs: 5 },
    );
    let node = expected;
    const identity = {
      ...this.keys,
      get node() {
        return node;
      },
      async setNode(leased: number) {
        node = leased;
      },
    };
    this.uplink = new Uplink(
      {
        addresses: [{ scheme: 'tcp', host: '127.0.0.1', port, path: '/' }],
        name: `engine-${expected}`,
        version: '1',
        labels: {},
        heartbeat: { interval: 10, tolerance: 15 },
        retry: { minSeconds: 0.02, maxSeconds: 0.1, stableSeconds: 5 },
        advertise: () => ({ mesh: mesh() }),
      },
      {
        log: silentLogger,
        identity,
        registration: this.registration,
        owner: {
          up: () => this.mesh.relay(this.uplink.openStream(STREAM.route)),
          down: () => {},
          peers: (list) => this.mesh.peers(list),
        },
      },
    );
  }
}

async function openCenter(t: Test, values: MemoryKeyValue, port = 0): Promise<Center> {
  const center = new Center({ registry: { port, bind: '127.0.0.1' } }, { log: silentLogger, values });
  await center.start();
  t.teardown(() => center.stop());
  return center;
}

t.test('direct, through the centre, without the centre, and back', async (t) => {
  const values = new MemoryKeyValue();
  let center = await openCenter(t, values);
  const { port } = center.listener!;
  const two: JoinedNode = new JoinedNode(port, () => `:${proxy.port}`, 2);
  const one = new JoinedNode(port, () => undefined, 1);
  const proxy = new CutProxy(() => two.mesh.port!);
  await proxy.start();
  t.teardown(async () => {
    for (const { uplink, mesh } of [one, two]) {
      await uplink.stop();
      await mesh.stop();
    }
    proxy.stop();
  });
  for (const { mesh, uplink } of [one, two]) {
    await mesh.start();
    uplink.start();
    await until(() => uplink.state.connected, 'joined');
  }
  const [a, b] = [one.client(), two.client()];
  two.subscribe('news', b);
  two.registration.channelOpened('news');

  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct', 'introduced by the centre');
  t.equal(await one.mesh.send(b, { data: 'direct' }), undefined);
  t.same(await one.mesh.publish('news', { data: 'direct' }), { success: 1, fail: 0 });
  t.equal(center.relay.counters.sends, 0);

  proxy.refusing = true;
  proxy.cut();
  await until(() => one.path(2) === 'relay' && two.path(1) === 'relay');
  t.equal(await one.mesh.send(b, { data: 'relayed' }), undefined);
  t.equal(await two.mesh.call(a, 'subscribe', ['x']), undefined);
  t.equal(center.relay.counters.sends, 1);
  await until(() => [...center.registry.nodesOf('news')].length === 1, 'registered');
  t.same(await one.mesh.publish('news', { data: 'relayed' }), { success: 1, fail: 0 });
  t.match(await one.mesh.send(b + 1, { data: 'x' }), { code: 'not_connected' });

  proxy.refusing = false;
  await until(() => one.path(2) === 'direct');
  await center.stop();
  await until(() => !one.uplink.state.connected && !two.uplink.state.connected);
  t.equal(await one.mesh.send(b, { data: 'alone' }), undefined, 'the centre is not needed');
  t.same(await one.mesh.publish('news', { data: 'alone' }), { success: 1, fail: 0 });

  center = await openCenter(t, values, port);
  await until(() => one.uplink.state.connected && two.uplink.state.connected, 'rejoined');
  t.equal(one.mesh.counters.sessions.opened, 2, 'the session outlived the centre');
  proxy.refusing = true;
  proxy.cut();
  await until(() => one.path(2) === 'relay');
  await until(() => center.registry.engineOfNode(2)?.route?.open, 'its route');
  t.equal(await one.mesh.send(b, { data: 'relayed again' }), undefined);
  t.equal(center.relay.counters.sends, 1);
  t.same(
    two.local.received.map(({ data }) => data),
    ['direct', 'direct', 'relayed', 'relayed', 'alone', 'alone', 'relayed again'],
  );
});
