/** Commands while the centre and engines are killed: nothing is done twice, nothing is lost, order is kept. */

import t, { type Test } from 'tap';
import { COMMAND_STATES, isOpen } from '../../src/center/command.js';
import { Cluster, type Node } from '../support/cluster.js';
import { CommandedDevice, commandable, commandIn, giveCommand } from '../support/commanded.js';
import { random } from '../support/random.js';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.js';

/** Kills; the nightly script asks for hundreds. */
const KILLS = Number(process.env.MOONWIRE_KILLS ?? 3);
const KILLS_A_ROUND = 6;
const FINAL = COMMAND_STATES.filter((state) => !isOpen(state));

/** Gives a command under a key until the centre says that it has it, whatever happens meanwhile. */
async function insist(center: Node, device: string, key: string, idempotent: boolean): Promise<string> {
  const body = { name: key, ttl: 86_400, idempotencyKey: key, idempotent };
  for (;;) {
    try {
      return (await giveCommand(center, device, body)).id;
    } catch {
      await pause(20);
    }
  }
}

/** Ids of the commands of a device, page by page. */
async function listed(center: Node, device: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | undefined = '0'; after; ) {
    const path: string = `/v1/devices/${device}/commands?limit=70&after=${after}`;
    const page: { commands: { id: string }[]; next?: string } = await center.get(path);
    ids.push(...page.commands.map(({ id }) => id));
    after = page.next;
  }
  return ids;
}

/** Kills, cuts and moves while devices are commanded, and then looks at what became of all commands. */
async function round(t: Test, cluster: Cluster, proxy: TcpProxy, kills: number, name: string): Promise<void> {
  const { center, engines } = cluster;
  const { below, pick } = random(t);
  const devices = Array.from(
    { length: 6 },
    (_, i) => new CommandedDevice(t, `${name}-${i}`, engines[i % 2]!.port),
  );
  for (const device of devices) device.delayMs = 5;

  const given = new Map<string, string[]>(devices.map(({ id }) => [id, []]));
  const repeatable = new Set<string>();
  let giving = true;
  const givers = devices.map(async (device) => {
    for (let i = 0; giving; i++) {
      const key = `${device.id}-${i}`;
      const idempotent = below(4) === 0;
      const id = await insist(center, device.id, key, idempotent);
      given.get(device.id)!.push(id);
      if (idempotent) repeatable.add(id);
      if (below(20) === 0) t.equal(await insist(center, device.id, key, idempotent), id);
      // Now and then a device has more to do than it can.
      await pause(below(10) === 0 ? 300 : 60);
    }
  });

  for (let kill = 0; kill < kills; kill++) {
    await pause(below(700));
    const victim = [center, ...engines][kill % 3]!;
    await victim.stop('SIGKILL');
    if (below(2) === 0) pick(devices).moveTo(pick(engines));
    await victim.start();
    await pause(below(300));
    // The first engine's uplink: reset, or silent from now on as a half-open one is.
    if (kill % 3 === 2) proxy.cut();
    else if (kill % 3 === 0) proxy.drop();
  }
  giving = false;
  await Promise.all(givers);

  const counts: Record<string, number> = {};
  for (const device of devices) {
    const ids = given.get(device.id)!;
    for (const id of ids) {
      const { state } = await commandIn(center, id, ...FINAL);
      counts[state] = (counts[state] ?? 0) + 1;
      const times = device.told.filter((told) => told === id).length;
      if (repeatable.has(id)) {
        if (state !== 'done' && state !== 'failed') t.fail(`${id}, which may be done twice, is ${state}`);
      } else if (times > 1) t.fail(`${id} of ${device.id} was done ${times} times, and is ${state}`);
      if (state === 'done' && times === 0) t.fail(`${id} of ${device.id} is done, and was not told`);
      if (state === 'expired' || state === 'cancelled') t.fail(`${id} is ${state}`);
    }
    const told = device.told.filter((id, i) => id !== device.told[i - 1]);
    const expected = ids.filter((id) => told.includes(id));
    t.same(told, expected, `${device.id} was told ${device.told.length} of ${ids.length}, in order`);
    t.same(await listed(center, device.id), ids, 'the centre has all of them, and no others');
    device.stop();
  }
  t.ok(counts.done! > 0, JSON.stringify(counts));
  t.comment(JSON.stringify(counts));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

t.test('killed at random moments', { timeout: 60_000 + KILLS * 20_000 }, async (t) => {
  let proxy: TcpProxy | undefined;
  const cluster = await Cluster.prepare(t, 2, {
    registry: async (port, engine) => {
      if (engine !== 0) return port;
      proxy = await openProxy(t, () => port);
      return proxy.port;
    },
  });
  commandable(cluster);
  await cluster.start();
  // The centre keeps some thousands of commands; each round looks at its own.
  for (let done = 0; done < KILLS; done += KILLS_A_ROUND) {
    await round(t, cluster, proxy!, Math.min(KILLS_A_ROUND, KILLS - done), `round-${done}`);
  }
});
