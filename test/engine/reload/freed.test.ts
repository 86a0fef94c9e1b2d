import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { Device, startTestEngine, until } from '../../support/engine.js';

const MIB = 2 ** 20;

const script = (version: number) => `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" } }
function on_message(m, conn) conn:send(m .. " ${version}\\n") end`;

t.test('old programs are freed: the heap is after 100 reloads what it was after 10', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const e = await startTestEngine(
    { 'main.lua': script(0) },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, byteCodeExpires: 0 }]',
    ', probation: 0',
  );
  t.teardown(() => e.stop());
  const device = await Device.connect(e.port());
  const { station } = e.engine.servers[0]!;
  const old: WeakRef<object>[] = [];
  const freed = () =>
    until(() => {
      collect();
      return old.filter((ref) => ref.deref()).length <= 1;
    });
  let after10 = 0;
  for (let version = 1; version <= 100; version++) {
    device.send(`${version}\n`);
    await device.until((text) => text.includes(`${version} ${version - 1}\n`));
    old.push(new WeakRef(station.program));
    writeFileSync(join(e.folder, 'main.lua'), script(version));
    t.match(await station.reloads.reload(), { outcome: 'reloaded' });
    if (version !== 10) continue;
    await freed();
    after10 = process.memoryUsage().heapUsed;
  }
  await freed();
  t.equal(station.reloads.former.size, 0);
  const more = process.memoryUsage().heapUsed - after10;
  t.ok(more < 4 * MIB, `${(more / MIB).toFixed(1)} MiB more`);
});
