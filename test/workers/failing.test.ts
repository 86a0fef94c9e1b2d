/** A worker that dies takes its own connections and nothing else. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { joinLines } from '../support/cluster.js';
import { Device } from '../support/engine.js';
import { eventually, lives, type Primary, startPrimary } from '../support/workers.js';

const REPORTS = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function on_message(line, conn)
  assert(mix.report("device", { n = tonumber(line) }, { durable = true }))
  conn:send(line .. "\\n")
end
`;

/** Sends numbers, one after the other, each when the one before is acknowledged; the last one acknowledged. */
class Reporter {
  acknowledged = -1;

  private constructor(readonly device: Device) {}

  static async start(port: number, from: number): Promise<Reporter> {
    const reporter = new Reporter(await Device.connect(port));
    reporter.device.socket.on('data', () => reporter.next(from));
    reporter.device.send(`${from}\n`);
    return reporter;
  }

  private next(from: number): void {
    const lines = this.device.text.split('\n');
    this.acknowledged = Number(lines.at(-2));
    if (this.acknowledged < from + 9999) this.device.send(`${this.acknowledged + 1}\n`);
  }
}

t.test('kill -9 of a worker', async (t) => {
  const primary = await startPrimary(t, {
    scripts: { 'reports.lua': REPORTS },
    servers: `    - { name: lines, port: PORT0, bind: 127.0.0.1, entry: lua/lines.lua }
    - { name: reports, port: PORT1, bind: 127.0.0.1, entry: lua/reports.lua }`,
    more: 'sinks: [{ name: out, file: { path: FOLDER/out.jsonl } }]',
  });
  await primary.joined(2);
  const devices = await Promise.all(Array.from({ length: 40 }, () => joinLines(t, primary)));
  const reporters = await Promise.all([0, 1, 2, 3].map((i) => Reporter.start(primary.ports[1]!, i * 10_000)));
  await eventually('reports are acknowledged', () =>
    reporters.every((one) => one.acknowledged % 10_000 > 50),
  );
  const [victim, other] = primary.workers() as [number, number];
  process.kill(victim, 'SIGKILL');
  const nodeOf = (id: string): number => Math.floor(Number(id) / 2 ** 33);
  await eventually('its connections are gone', () => devices.filter(({ closed }) => closed).length === 20);
  const gone = devices.filter(({ closed }) => closed);
  t.equal(new Set(gone.map(({ id }) => nodeOf(id))).size, 1, 'those of one worker');

  // Meanwhile others are served, and all that come.
  const late = await joinLines(t, primary);
  for (const device of [late, ...devices.filter(({ closed }) => !closed)]) {
    device.send('still there\n');
    await device.until((text) => text.includes('\nstill there\n'));
  }
  await primary.joined(2);
  t.ok(lives(other), 'the other one goes on');
  t.notOk(primary.workers().includes(victim), 'and there is another process');
  await primary.until('/readyz', () => true);
  await eventually('clients get to the new one', async () => {
    await joinLines(t, primary);
    return (await primary.clients()).every((count) => count > 0);
  });

  for (const { device } of reporters) device.socket.destroy();
  const wanted = reporters.flatMap(({ acknowledged }) => {
    const from = Math.floor(acknowledged / 10_000) * 10_000;
    return Array.from({ length: acknowledged - from + 1 }, (_, i) => from + i);
  });
  const file = join(primary.folder, 'out.jsonl');
  await eventually('what was acknowledged is in the sink', () => {
    const delivered = numbersIn(file);
    return wanted.every((n) => delivered.has(n));
  });
  const { ends } = await endsOf(primary);
  t.equal(ends, 1);
});

async function endsOf(primary: Primary): Promise<{ ends: number }> {
  const metrics = await primary.get<string>('/metrics');
  const ends = [...metrics.matchAll(/^moonwire_worker_ends_total\{.*\} (\d+)$/gm)].map(([, count]) =>
    Number(count),
  );
  return { ends: ends.reduce((sum, count) => sum + count, 0) };
}

function numbersIn(file: string): Set<number> {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return new Set(lines.map((line) => JSON.parse(line).values.n as number));
}
