import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { Device, startTestEngine, until } from '../../support/engine.js';

const CLIENTS = 1000;
const BURST = 500;
const RELOADS = 8;

/** One server that looks for no saved scripts by itself. */
const start = (text: string, more = '') =>
  startTestEngine(
    { 'main.lua': text },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, byteCodeExpires: 0 }]',
    more,
  );

/** Answers each numbered line with the number that its session has counted to, and the version of the code. */
const script = (version: number) => `
protocol = {
  name = "numbers", frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame, session)
    session.count = (session.count or 0) + 1
    return { n = tonumber(frame), count = session.count }
  end,
}
function on_message(m, conn)
  if m.n % 5 == 0 then mix.sleep(0.001) end
  conn:send(m.n .. " " .. m.count .. " ${version}\\n")
end`;

t.test(
  `${CLIENTS} clients and ${RELOADS} reloads: no message is lost, none twice, none out of order`,
  async (t) => {
    const e = await start(script(0));
    t.teardown(() => e.stop());
    const devices: Device[] = [];
    while (devices.length < CLIENTS) {
      devices.push(...(await Promise.all(Array.from({ length: 100 }, () => Device.connect(e.port())))));
    }
    const { reloads } = e.engine.servers[0]!.station;
    const sent = devices.map(() => 0);
    let total = 0;
    let running = true;
    const traffic = (async () => {
      for (let at = 0; running; at = (at + BURST) % CLIENTS) {
        for (let i = at; i < at + BURST; i++) devices[i]!.send(`${++sent[i]!}\n`);
        total += BURST;
        // A machine that is slower is not flooded.
        await new Promise((resolve) => setTimeout(resolve, 100));
        await until(() => total - e.engine.servers[0]!.station.counters.messages < 4 * BURST);
      }
    })();
    for (let version = 1; version <= RELOADS; version++) {
      const before = e.engine.servers[0]!.station.counters.messages;
      writeFileSync(join(e.folder, 'main.lua'), script(version));
      t.match(await reloads.reload(), { outcome: 'reloaded' });
      await until(() => e.engine.servers[0]!.station.counters.messages > before + BURST);
    }
    running = false;
    await traffic;
    let wrong = 0;
    for (const [i, device] of devices.entries()) {
      const lines = (text: string) => text.split('\n').length - 1;
      await device.until((text) => lines(text) >= sent[i]!);
      const answers = device.text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ').map(Number));
      const inOrder = answers.every(([n, count], k) => n === k + 1 && count === k + 1);
      const newer = answers.every(([, , version], k) => k === 0 || version! >= answers[k - 1]![2]!);
      if (!inOrder || !newer || answers.length !== sent[i] || device.closed) wrong++;
    }
    t.equal(wrong, 0);
    t.equal(e.engine.servers[0]!.station.counters.scriptErrors, 0);
    for (const device of devices) device.socket.destroy();
  },
);

t.test('old programs are freed', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const e = await start(script(0), ', probation: 0');
  t.teardown(() => e.stop());
  const device = await Device.connect(e.port());
  const { station } = e.engine.servers[0]!;
  const old: WeakRef<object>[] = [];
  for (let version = 1; version <= 20; version++) {
    device.send(`${version}\n`);
    await device.until((text) => text.includes(`${version} ${version} ${version - 1}`));
    old.push(new WeakRef(station.program));
    writeFileSync(join(e.folder, 'main.lua'), script(version));
    t.match(await station.reloads.reload(), { outcome: 'reloaded' });
  }
  await until(() => {
    collect();
    return old.filter((ref) => ref.deref()).length <= 1;
  });
  t.equal(station.reloads.former.size, 0);
});
