import t from 'tap';
import type { CommandInfo } from '../../src/api/command-shapes.js';
import { Cluster } from '../support/cluster.js';
import { CommandedDevice, commandable, commandIn, giveCommand } from '../support/commanded.js';
import { until } from '../support/engine.js';

t.test('commands, as everything is well', async (t) => {
  const cluster = await Cluster.prepare(t, 2);
  commandable(cluster);
  await cluster.start();
  const { center, engines } = cluster;

  await t.test('what was given while the device is away is done once it is here, in order', async (t) => {
    const given: CommandInfo[] = [];
    for (let i = 0; i < 20; i++) given.push(await giveCommand(center, 'dev-1', { name: `n${i}` }));
    t.ok(given.every(({ state }) => state === 'queued'));
    const device = new CommandedDevice(t, 'dev-1', engines[0]!.port);
    const last = await commandIn(center, given.at(-1)!.id, 'done');
    t.match(last, { state: 'done', result: 'ok', engine: 'engine-0', attempts: 1 });
    t.ok(last.created_at <= last.sent_at! && last.sent_at! <= last.ended_at! + 1);
    t.same(
      device.told,
      given.map(({ id }) => id),
    );
    device.moveTo(engines[1]!);
    const moved = await giveCommand(center, 'dev-1', { name: 'there' });
    t.match(await commandIn(center, moved.id, 'done'), { engine: 'engine-1' });
    t.equal(device.told.length, 21);
  });

  await t.test('what scripts answer', async (t) => {
    new CommandedDevice(t, 'dev-2', engines[1]!.port);
    const run = async (body: object): Promise<CommandInfo> =>
      commandIn(center, (await giveCommand(center, 'dev-2', body)).id, 'done', 'failed', 'unknown');
    const params = { text: 'grüße\u0000', list: [1, 2.5, { deep: true }], none: null };
    const echo = await run({ name: 'echo', params, ttl: 60 });
    t.match(echo.result, {
      params: { text: 'grüße\u0000', list: [1, 2.5, { deep: true }] },
      device: 'dev-2',
    });
    t.equal((echo.result as { expires: number }).expires, echo.expires_at);
    t.match(await run({ name: 'refuse' }), {
      state: 'failed',
      error: 'invalid_argument: the device says no',
    });
    t.match(await run({ name: 'raise' }), {
      state: 'failed',
      error: /^internal: .*lines\.lua:\d+: a mistake/,
    });
    t.match(await run({ name: 'spin' }), { state: 'failed', error: /^budget_exceeded: / });
    // The client was closed for it, and is back.
    t.match(await run({ name: 'again' }), { state: 'done', result: 'ok' });
  });

  await t.test('an engine kills its client, the command fails', async (t) => {
    const device = new CommandedDevice(t, 'dev-3', engines[0]!.port);
    device.delayMs = undefined;
    const { id } = await giveCommand(center, 'dev-3', { name: 'wait' });
    await until(() => device.told.length === 1);
    t.equal((await commandIn(center, id, 'sent')).state, 'sent');
    device.leave();
    t.match(await commandIn(center, id, 'failed'), { error: /^closed/ });
  });
});
