import t from 'tap';
import { random } from '../support/random.js';
import { CutProxy, StandInRelay, TestNode, until } from './mesh-support.js';

/** How often each way was taken away and given back. */
const FLIPS = 25;

t.test('order per sender and client is kept while paths flip', async (t) => {
  const rng = random(t);
  const [one, two] = [new TestNode(1), new TestNode(2)];
  const relay = new StandInRelay();
  // Slow beside the direct way, so that a later message would overtake if it could.
  relay.delayMs = 10;
  const proxy = new CutProxy(() => two.mesh.port!);
  t.teardown(async () => {
    sending = false;
    await one.mesh.stop();
    await two.mesh.stop();
    relay.stop();
    proxy.stop();
  });
  for (const part of [one.mesh, two.mesh, relay, proxy]) await part.start();
  const leave = [await relay.join(one), await relay.join(two)];
  const senders = [
    { from: one, to: two, client: two.client(), acknowledged: [] as number[], failed: new Set<number>() },
    { from: two, to: one, client: one.client(), acknowledged: [] as number[], failed: new Set<number>() },
  ];
  for (const { to, client } of senders) to.subscribe('all', client);
  for (const { from } of senders) from.mesh.peers([one.peer(null), two.peer(proxy.port)]);

  // Each sender numbers its messages, sent or published, some at a time, and never waits for an answer.
  let sending = true;
  let open = 0;
  const traffic = senders.map(async ({ from, client, acknowledged, failed }) => {
    for (let n = 1; sending; n++) {
      open++;
      const result = rng.below(4)
        ? from.mesh.send(client, { data: n }).then((failure) => !failure)
        : from.mesh.publish('all', { data: n }).then(({ success }) => success === 1);
      void result.then((reached) => {
        open--;
        if (reached) acknowledged.push(n);
        else failed.add(n);
      });
      if (rng.below(8) === 0) await new Promise((resolve) => setTimeout(resolve, rng.below(4)));
    }
  });

  for (let flip = 0; flip < FLIPS; flip++) {
    await new Promise((resolve) => setTimeout(resolve, rng.below(60)));
    switch (rng.below(4)) {
      case 0:
        proxy.cut();
        break;
      case 1:
        proxy.refusing = !proxy.refusing;
        proxy.cut();
        break;
      default: {
        const i = rng.below(2);
        leave[i]!();
        leave[i] = await relay.join([one, two][i]!);
      }
    }
  }
  proxy.refusing = false;
  await until(() => one.path(2) === 'direct' && two.path(1) === 'direct', 'a direct session at last');
  sending = false;
  await Promise.all(traffic);
  await until(() => open === 0, 'every request is done');

  for (const { from, to, acknowledged, failed } of senders) {
    const received = to.local.received.map(({ data }) => data as number);
    const changes = from.mesh.counters.sessions.pathChanges;
    t.comment(`${received.length} received, ${failed.size} failed, ${changes} path changes`);
    t.equal(new Set(received).size, received.length, 'nothing came twice');
    // What failed may have arrived all the same: its way broke before the answer came.
    const sure = received.filter((n) => !failed.has(n));
    t.ok(
      sure.every((n, i) => i === 0 || n > sure[i - 1]!),
      'in order',
    );
    t.same(
      sure,
      [...acknowledged].sort((a, b) => a - b),
      'what was acknowledged arrived',
    );
    t.ok(changes > 0, 'paths changed');
  }
});
