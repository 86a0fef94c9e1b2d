import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Cli, startMoonwire } from '../support/cli.js';
import { Device, until } from '../support/engine.js';
import { freePort } from '../support/ports.js';

/** What hangs when the process is sent SIGWINCH. */
const HANGS = {
  loop: 'for (;;);',
  regex: '/^(a+)+$/.test("a".repeat(60) + "b");',
  system: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);',
  // What a script runs asks for the time it has used.
  lua: 'process.cpuUsage = function hangInLua() { for (;;); };',
};
const SCRIPT = `
function protocol_input(b) return b:length() end
function on_message(m, conn)
  if m == "endless" then
    while true do end
  end
  conn:send(m)
end
`;

interface Frozen {
  readonly cli: Cli;
  readonly folder: string;
  readonly port: number;
  freeze(): Promise<void>;
}

/** An engine that hangs when it is told to. `log`: the file it logs to. */
async function start(t: Test, hang: keyof typeof HANGS, more = '', log = '', env = {}): Promise<Frozen> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-frozen-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const preload = join(folder, 'hang.mjs');
  writeFileSync(
    preload,
    `process.on('SIGWINCH', function hang() { process.stderr.write('it hangs\\n', () => { ${HANGS[hang]} }); });\n`,
  );
  writeFileSync(join(folder, 'main.lua'), SCRIPT);
  const file = join(folder, 'moonwire.yaml');
  writeFileSync(
    file,
    `engine:
  name: frozen
  meshPoint: { port: 0 }
  apiServer: { port: 0 }
  servers: [{ name: s, port: ${port}, bind: 127.0.0.1, entry: ${join(folder, 'main.lua')} }]
store: { path: ${join(folder, 'data')} }
${more}
`,
  );
  const cli = startMoonwire(t, ['engine', '-f', file], { nodeArgs: ['--import', preload], env });
  if (log === '') await cli.until(/engine frozen runs/);
  else await until(() => existsSync(log) && /engine frozen runs/.test(readFileSync(log, 'utf8')));
  const freeze = async (): Promise<void> => {
    process.kill(cli.pid, 'SIGWINCH');
    await cli.until(/it hangs/);
  };
  return { cli, folder, port, freeze };
}

const WATCHED = 'watchdog: { seconds: 1 }';
/** Where each is said to have been. */
const PLACES: [keyof typeof HANGS, RegExp][] = [
  ['loop', /it was in \S* \S*hang\.mjs:1/],
  ['regex', /it was in (\S* \S*hang\.mjs:1|native code)/],
  ['system', /it was in (\S* \S*hang\.mjs:1|native code)/],
];

for (const [hang, place] of PLACES)
  t.test(`a watchdog thread ends a process whose event loop hangs: ${hang}`, async (t) => {
    const { cli, freeze } = await start(t, hang, WATCHED);
    await freeze();
    const { signal, stderr } = await cli.ended;
    t.equal(signal, 'SIGABRT');
    t.match(stderr, /"level":60,[^\n]*"at":"watchdog"[^\n]*did not turn for 1 s/);
    t.match(stderr, place);
  });

t.test('it names the line of Lua that called what hangs, in the log file too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-frozen-log-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'moonwire.log');
  const { cli, port, freeze } = await start(t, 'lua', `${WATCHED}\nlogging: { filename: ${file} }`, file);
  await freeze();
  const device = await Device.connect(port);
  device.send('endless');
  const { signal } = await cli.ended;
  t.equal(signal, 'SIGABRT');
  t.match(readFileSync(file, 'utf8'), /it was in \S*main\.lua:5"/);
  device.socket.destroy();
});

t.test('a script that never ends is stopped with its line, and the process goes on', async (t) => {
  const { cli, port } = await start(t, 'loop', WATCHED);
  const device = await Device.connect(port);
  device.send('endless');
  await cli.until(/main\.lua:5: budget exceeded/);
  const other = await Device.connect(port);
  other.send('hello');
  await other.until((text) => text === 'hello');
  t.ok(cli.running);
  for (const { socket } of [device, other]) socket.destroy();
});

t.test('a process that was stopped for longer is not ended', async (t) => {
  const { cli, port } = await start(t, 'loop', WATCHED);
  process.kill(cli.pid, 'SIGSTOP');
  await pause(2500);
  process.kill(cli.pid, 'SIGCONT');
  const device = await Device.connect(port);
  device.send('awake');
  await device.until((text) => text === 'awake');
  t.ok(cli.running);
  t.notMatch(cli.stderr, /watchdog/);
  device.socket.destroy();
});

t.test("a process whose event loop hangs does not feed systemd's watchdog", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-notify-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const told = join(folder, 'told');
  writeFileSync(told, '');
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${told}\n`, { mode: 0o755 });
  const fed = (): number => readFileSync(told, 'utf8').split('WATCHDOG=1').length - 1;
  const { cli, freeze } = await start(t, 'loop', '', '', {
    NOTIFY_SOCKET: join(folder, 'socket'),
    WATCHDOG_USEC: '400000',
    PATH: `${folder}:${process.env.PATH}`,
  });
  await until(() => fed() >= 2);
  await freeze();
  await until(() => children(cli.pid).length === 0);
  const before = fed();
  await pause(1000);
  t.equal(fed(), before);
  process.kill(cli.pid, 'SIGKILL');
});

/** Processes that one started and that still run. */
function children(parent: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [state, of] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      return Number(of) === parent && state !== 'Z';
    } catch {
      return false;
    }
  });
}
