import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startMoonwire } from '../../support/cli.js';
import { Device } from '../../support/engine.js';
import { freePorts } from '../../support/ports.js';

const leak = (keep: string) => `
local kept = {}
protocol = {
  name = "leak",
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame, session)
    session.count = (session.count or 0) + 1
    return { count = session.count }
  end,
}
function on_message(message, conn)
  ${keep}
  conn:send(#kept .. " " .. message.count .. "\\n")
end
`;
const ECHO = `
local count = 0
protocol = { name = "echo", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(frame) return { text = frame } end }
function on_message(message, conn)
  count = count + 1
  conn:send(count .. "\\n")
end
`;

interface Case {
  /** Restarts of the script that are waited for. */
  readonly rounds: number;
  /** What a message makes the script keep. */
  readonly keep: string;
  readonly nodeArgs?: readonly string[];
  readonly memory?: string;
}
const CASES: Record<string, Case> = {
  "tables, in V8's heap": {
    rounds: 2,
    keep: 'for i = 1, 500 do kept[#kept + 1] = { i } end',
    nodeArgs: ['--max-old-space-size=64'],
  },
  'long strings, outside of it': {
    rounds: 1,
    keep: 'for i = 1, 10 do kept[#kept + 1] = string.rep("x", 100000) end',
    memory: '{ max: 100MiB }',
  },
};

for (const [what, one] of Object.entries(CASES))
  t.test(`the script that keeps ever more is restarted alone, and its clients stay: ${what}`, (t) =>
    restarted(t, one),
  );

async function restarted(t: Test, { rounds, keep, nodeArgs, memory = '{}' }: Case): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-memory-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [leaking, quiet, api] = (await freePorts(3)) as [number, number, number];
  writeFileSync(join(folder, 'leak.lua'), leak(keep));
  writeFileSync(join(folder, 'echo.lua'), ECHO);
  const file = join(folder, 'moonwire.yaml');
  const server = (name: string, port: number) =>
    `    - { name: ${name}, port: ${port}, bind: 127.0.0.1, entry: ${join(folder, `${name}.lua`)}, limits: { idleSeconds: 0 } }\n`;
  writeFileSync(
    file,
    `engine:
  name: short
  meshPoint: { port: 0 }
  apiServer: { port: ${api} }
  servers:
${server('leak', leaking)}${server('echo', quiet)}store: { path: ${join(folder, 'data')} }
memory: ${memory}
`,
  );
  const cli = startMoonwire(t, ['engine', '-f', file], { ...(nodeArgs && { nodeArgs }) });
  await cli.until(/engine short runs/);
  const leaky = await Device.connect(leaking);
  const other = await Device.connect(quiet);
  t.teardown(() => {
    for (const { socket } of [leaky, other]) socket.destroy();
  });
  const ask = async (device: Device): Promise<number[]> => {
    device.received = Buffer.alloc(0);
    device.send('x\n');
    await device.until((text) => text.endsWith('\n'));
    return device.received.toString().trim().split(' ').map(Number);
  };
  let asked = 0;
  let before = 0;
  for (let restarts = 0; restarts < rounds; ) {
    const [kept = 0, count = 0] = await ask(leaky);
    asked++;
    t.equal(count, asked, 'the session goes on') || t.bailout();
    const [echoed] = await ask(other);
    if (echoed !== asked) t.equal(echoed, asked, 'the other script was not restarted');
    if (kept < before) restarts++;
    before = kept;
    t.ok(cli.running, 'the process lives') || t.bailout();
  }
  t.match(
    cli.stderr,
    /"at":"leak","entry":"[^"]*leak\.lua"[^\n]*the script is restarted, since it keeps most, about \d+ MiB/,
  );
  t.notMatch(cli.stderr, /"at":"echo"[^\n]*restarted/);
  const text = async (path: string) => (await fetch(`http://127.0.0.1:${api}${path}`)).text();
  t.match(await text('/v1/health'), /"script_restarted"/);
  t.match(await text('/metrics'), new RegExp(`moonwire_script_restarts_total{server="leak"} ${rounds}\n`));
}
