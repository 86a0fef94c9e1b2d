import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Device, startTestEngine, type TestEngine, until } from '../../support/engine.js';

const CLIENTS = 1000;
const FEWER = 200;
const RELOADS = 8;
const BAD_RELOADS = 50;

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
  /** Messages that leave together. */
  readonly burst: number;
  private readonly sent: number[];
  private total = 0;
  private running = true;
  private readonly traffic: Promise<void>;

  private constructor(
    private readonly e: TestEngine,
    private readonly devices: readonly Device[],
  ) {
    this.burst = devices.length / 2;
    this.sent = devices.map(() => 0);
    this.traffic = this.talk();
  }

  static async connect(e: TestEngine, clients: number): Promise<Crowd> {
    const devices: Device[] = [];
    while (devices.length < clients)
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
    const { burst, devices } = this;
    for (let at = 0; this.running; at = (at + burst) % devices.length) {
      for (let i = at; i < at + burst; i++) devices[i]!.send(`${++this.sent[i]!}\n`);
      this.total += burst;
      // A machine that is slower is not flooded.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await until(() => this.total - this.handled < 4 * burst);
    }
  }
}

t.test(
  `${CLIENTS} clients and ${RELOADS} reloads: no message is lost, none twice, none out of order`,
  async (t) => {
    const e = await start(script(0));
    t.teardown(() => e.stop());
    const crowd = await Crowd.connect(e, CLIENTS);
    const { station } = e.engine.servers[0]!;
    for (let version = 1; version <= RELOADS; version++) {
      writeFileSync(join(e.folder, 'main.lua'), script(version));
      t.match(await station.reloads.reload(), { outcome: 'reloaded' });
      await crowd.answered(crowd.burst);
    }
    t.equal(await crowd.settle(), 0);
    t.equal(station.counters.scriptErrors, 0);
  },
);

t.test(`${FEWER} clients and ${BAD_RELOADS} bad reloads in a row: nobody notices`, async (t) => {
  const e = await start(script(0), ', instructions: 200000');
  t.teardown(() => e.stop());
  const crowd = await Crowd.connect(e, FEWER);
  await crowd.answered(crowd.burst);
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
  await crowd.answered(crowd.burst);
  t.equal(await crowd.settle(), 0);
  t.equal(station.counters.scriptErrors, 0);
});
