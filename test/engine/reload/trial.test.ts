import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Device, startTestEngine, until } from '../../support/engine.js';

const FIRST = `
function protocol_input(b) return b:length() end
function on_message(m, conn) conn:subscribe("all") conn:send("in") end`;

/** Code that does all it can outside before it is in charge, and then what `last` says. */
const doing = (last: string) => `
${FIRST}
mix.report("main chunk", { n = 1 })
function init()
  assert(mix.store.get("kept") == nil)
  assert(mix.store.set("kept", { n = 2 }))
  assert(mix.store.get("kept").n == 2)
  assert(mix.queue.push("topic", "three") == 1)
  assert(mix.report("init", { n = 4 }, { durable = true }) == true)
  local success, fail = mix.mesh.publish("all", "five")
  assert(success == 0 and fail == 0)
  assert(mix.mesh.send("1", "six") == nil)
end
function on_reload()
  mix.report("on_reload", { n = 7 })
  ${last}
end`;

t.test(
  'what new code does outside before it takes over is done once it does, and never when it does not',
  async (t) => {
    const e = await startTestEngine(
      { 'main.lua': FIRST },
      'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, byteCodeExpires: 0 }]',
    );
    t.teardown(() => e.stop());
    const { reloads } = e.engine.servers[0]!.station;
    const depth = () => [...e.engine.queues.depths()];
    const device = await Device.connect(e.port());
    device.send('x');
    await device.until((text) => text === 'in');

    for (const [last, reason] of [
      ['error("not today")', /not today/],
      ['for i = 1, 1000 do assert(mix.report("many", { i = i })) end', /queue_full: 1000 calls wait/],
    ] as const) {
      writeFileSync(join(e.folder, 'main.lua'), doing(last));
      t.match(await reloads.reload(), { outcome: 'refused', reason });
    }
    t.same(e.reports, []);
    t.same(depth(), []);
    t.equal(e.engine.parts.values.get('kept'), undefined);
    t.equal(device.text, 'in');

    writeFileSync(join(e.folder, 'main.lua'), doing(''));
    t.match(await reloads.reload(), { outcome: 'reloaded' });
    t.same(
      e.reports.map(({ deviceId }) => deviceId),
      ['main chunk', 'init', 'on_reload'],
    );
    t.same(depth(), [['topic', 1]]);
    t.ok(e.engine.parts.values.get('kept'));
    await device.until((text) => text === 'infivesix');
  },
);

t.test('what fails then is logged', async (t) => {
  const e = await startTestEngine(
    { 'main.lua': FIRST },
    'luavm: { queue: { topicSize: 1 } }\nservers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, byteCodeExpires: 0 }]',
  );
  t.teardown(() => e.stop());
  const pushes = 'mix.queue.push("t", 1) mix.queue.push("t", 2) mix.report("d", {}, { time = "now" })';
  writeFileSync(join(e.folder, 'main.lua'), `${FIRST} ${pushes}`);
  t.match(await e.engine.servers[0]!.station.reloads.reload(), { outcome: 'reloaded' });
  const reasons = () => e.log.filter(({ message }) => message.endsWith('of new code failed'));
  await until(() => reasons().length === 2);
  t.match(reasons(), [
    { message: 'mix.queue.push of new code failed', reason: /queue_full/ },
    { message: 'mix.report of new code failed', reason: /time must be a number/ },
  ]);
});
