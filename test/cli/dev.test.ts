import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Cli, startMoonwire } from '../support/cli.js';
import { missing } from '../support/need.js';

/** The state letter and the parent of a process; undefined when there is none. */
function stat(pid: number): { state: string; parent: number } | undefined {
  try {
    // "pid (name) state ppid …", where the name may hold anything.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((child) => stat(child)?.parent === pid);
}

/** Waits until a process is over; who reaps it is the system's affair. The test's time limit bounds it. */
async function gone(pid: number): Promise<void> {
  while ((stat(pid)?.state ?? 'Z') !== 'Z') await pause(20);
}

/** Starts the demonstration on free ports, with a state of its own. */
function startDemo(t: Test, env: Record<string, string> = {}): Cli {
  return startMoonwire(t, ['dev', '-f', 'configs/dev.yaml'], {
    env: {
      MOONWIRE_DEMO_TRACKERS_PORT: '0',
      MOONWIRE_DEMO_WEATHER_PORT: '0',
      MOONWIRE_DEMO_REGISTRY_PORT: '0',
      MOONWIRE_DEMO_CENTER_PORT: '0',
      MOONWIRE_DEMO_MESH_PORT: '0',
      MOONWIRE_DEMO_API_PORT: '0',
      MOONWIRE_DEMO_DATA: join(t.testdir(), 'data'),
      ...env,
    },
  });
}

async function untilAllSpoke(demo: Cli): Promise<void> {
  await demo.until(/\[device tracker\] receives hex=787805010003face0d0a/);
  await demo.until(/report from 353419036066061 .*latitude=23\.11/);
  await demo.until(/report from weather .*humidity=40\.2/);
  await demo.until(/report from modbus-17 values=\[.*44609.*22098.*17216/);
}

t.test('the demonstration, over a serial line', { skip: missing('socat', 'socat') }, async (t) => {
  const demo = startDemo(t);
  await untilAllSpoke(demo);
  await demo.until(/link meters is open remote=.*serial/);
  const children = childrenOf(demo.pid);
  t.equal(children.length, 1);
  const { code, stderr } = await demo.stop();
  t.equal(code, 0);
  t.match(stderr, /SIGINT: stopping/);
  t.match(stderr, /stopped\n$/);
  t.notMatch(stderr, /ERROR|WARN/);
  t.strictSame(
    children.filter((pid) => stat(pid)),
    [],
  );
});

t.test('the demonstration, without socat', async (t) => {
  const demo = startDemo(t, { PATH: t.testdir() });
  await demo.until(/WARN .*needs socat \(apt-get install socat\)/);
  await untilAllSpoke(demo);
  t.equal((await demo.stop('SIGTERM')).code, 0);
});

t.test('leaves no child when it is killed', { skip: missing('socat', 'socat') }, async (t) => {
  const demo = startDemo(t);
  await demo.until(/link meters is open/);
  const [socat] = childrenOf(demo.pid);
  t.ok(socat);
  await demo.stop('SIGKILL');
  await gone(socat!);
});

t.test('a saved script runs; a broken one leaves the old one running', async (t) => {
  const script = (version: number) =>
    `print("version ${version} " .. require("word"))\nmix.every(0.1, function() print("alive") end)\n`;
  const folder = t.testdir({
    'entry.lua': script(1),
    lib: { 'word.lua': 'return "first"' },
    'frames.hex': '00',
  });
  const yaml = [
    'center: { registry: { port: 0 }, apiServer: { port: 0 } }',
    'engine:',
    '  meshPoint: { port: 0 }',
    '  apiServer: { port: 0 }',
    `  servers: [{ name: devices, port: 0, bind: 127.0.0.1, entry: ${folder}/entry.lua }]`,
    `script: { roots: [${folder}/lib] }`,
    `store: { path: ${folder}/data }`,
    `dev: { simulate: [{ name: toy, server: devices, capture: ${folder}/frames.hex }] }`,
  ].join('\n');
  writeFileSync(join(folder, 'x.yaml'), yaml);
  const entry = join(folder, 'entry.lua');
  const dev = startMoonwire(t, ['dev', '-f', join(folder, 'x.yaml')]);
  await dev.until(/version 1/);
  await dev.until(/a script that is saved takes over/);
  await dev.until(/link toy is open/);

  writeFileSync(entry, script(2));
  await dev.until(/saved: .*entry\.lua/);
  await dev.until(/version 2.*new code took over.*entry\.lua/s);

  writeFileSync(entry, 'local broken =\n');
  await dev.until(/ERROR .*the new code is refused, the old code goes on: .*entry\.lua:\d+: .*alive/s);

  // As many editors save: a new file in the place of the old one.
  writeFileSync(`${entry}~`, script(3));
  renameSync(`${entry}~`, entry);
  await dev.until(/version 3.*new code took over/s);

  writeFileSync(join(folder, 'lib/word.lua'), 'return "second"');
  await dev.until(/version 3 second.*new code took over.*word\.lua/s);
  const { code, stderr } = await dev.stop();
  t.equal(code, 0);
  t.equal(stderr.match(/link toy is open/g)?.length, 1, 'the device was connected all the time');
});
