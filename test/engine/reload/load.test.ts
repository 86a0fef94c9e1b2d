import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { Device, startTestEngine, type TestEngine, until } from '../../support/engine.js';

const CLIENTS = 1000;
const BURST = 500;
const RELOADS = 8;
const BAD_RELOADS = 50;
const MIB = 2 ** 20;

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

/** Devices that send numbered lines all the time, and know what they must be answered. */
class Crowd {
  private readonly sent: number[];
  private total = 0;
  private running = true;
  private readonly traffic: Promise<void>;

  private constructor(
    private readonly e: TestEngine,
    private readonly devices: readonly Device[],
  ) {
    this.sent = devices.map(() => 0);
    this.traffic = this.talk();
  }

  static async connect(e: TestEngine): Promise<Crowd> {
    const devices: Device[] = [];
    while (devices.length < CLIENTS)
      devices.push(...(await Promise.all(Array.from({ length: 100 }, () => Device.connect(e.port())))));
    return new Crowd(e, devices);
  }

  /** Resolves when so many more of their messages were answered. */
  async answered(messages: number): Promise<void> {
    const before = this.handled;
    await until(() => this.handled >= before + messages);
  }

  /** Ends the traffic; resolves to how many devices were answered wrongly, or lost their connection. */
  async settle(): Promise<number> {
    this.running = false;
    await this.traffic;
    let wrong = 0;
    for (const [i, device] of this.devices.entries()) {
      const lines = (text: string) => text.split('\n').length - 1;
      await device.until((text) => lines(text) >= this.sent[i]!);
      const answers = device.text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ').map(Number));
      const inOrder = answers.every(([n, count], k) => n === k + 1 && count === k + 1);
      const newer = answers.every(([, , version], k) => k === 0 || version! >= answers[k - 1]![2]!);
      if (!inOrder || !newer || answers.length !== this.sent[i] || device.closed) wrong++;
      device.socket.destroy();
    }
    return wrong;
  }

  private get handled(): number {
    return this.e.engine.servers[0]!.station.counters.messages;
  }

  private async talk(): Promise<void> {
    for (let at = 0; this.running; at = (at + BURST) % CLIENTS) {
      for (let i = at; i < at + BURST; i++) this.devices[i]!.send(`${++this.sent[i]!}\n`);
      this.total += BURST;
      // A machine that is slower is not flooded.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await until(() => this.total - this.handled < 4 * BURST);
    }
  }
}

t.test(
  `${CLIENTS} clients and ${RELOADS} reloads: no message is lost, none twice, none out of order`,
  async (t) => {
    const e = await start(script(0));
    t.teardown(() => e.stop());
    const crowd = await Crowd.connect(e);
    const { station } = e.engine.servers[0]!;
    for (let version = 1; version <= RELOADS; version++) {
      writeFileSync(join(e.folder, 'main.lua'), script(version));
      t.match(await station.reloads.reload(), { outcome: 'reloaded' });
      await crowd.answered(BURST);
    }
    t.equal(await crowd.settle(), 0);
    t.equal(station.counters.scriptErrors, 0);
  },
);

t.test(`${CLIENTS} clients and ${BAD_RELOADS} bad reloads in a row: nobody notices`, async (t) => {
  const e = await start(script(0), ', instructions: 200000');
  t.teardown(() => e.stop());
  const crowd = await Crowd.connect(e);
  await crowd.answered(BURST);
  const { station } = e.engine.servers[0]!;
  const bad = [
    'local broken =',
    'function init() error("not today") end',
    'function init() while true do end end',
    'function on_reload() error("not today") end',
    'protocol.decode = function() error("not this one") end',
  ];
  for (let i = 0; i < BAD_RELOADS; i++) {
    writeFileSync(join(e.folder, 'main.lua'), `${script(1)}\n${bad[i % bad.length]} -- ${i}`);
    t.match(await station.reloads.reload(), { outcome: 'refused' });
  }
  await crowd.answered(BURST);
  t.equal(await crowd.settle(), 0);
  t.equal(station.counters.scriptErrors, 0);
});

t.test('old programs are freed: the heap is after 100 reloads what it was after 10', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const e = await start(script(0), ', probation: 0');
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
    await device.until((text) => text.includes(`${version} ${version} ${version - 1}`));
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
