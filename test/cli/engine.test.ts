import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { moonwire, startMoonwire } from '../support/cli.js';

const ECHO = 'function on_message(msg, conn) conn:send(msg) end\n';

/** A folder with a configuration of one TCP server that runs `script`. */
function setUp(t: Test, { script = ECHO, port = 0 } = {}): string {
  const folder = t.testdir({ 'entry.lua': script });
  const yaml = [
    'center: { registry: { port: 0 }, apiServer: { port: 0 } }',
    'engine:',
    '  name: test',
    '  apiServer: { port: 0 }',
    '  meshPoint: { port: 0 }',
    `  servers: [{ name: devices, port: ${port}, bind: 127.0.0.1, entry: ${folder}/entry.lua }]`,
    `script: { roots: [${folder}] }`,
    `store: { path: ${folder}/data }`,
  ].join('\n');
  t.testdir({ 'entry.lua': script, 'x.yaml': yaml });
  return join(folder, 'x.yaml');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`runs until ${signal}, and logs lines of JSON`, async (t) => {
    const engine = startMoonwire(t, ['engine', '-f', setUp(t)]);
    await engine.until(/listening on tcp 127\.0\.0\.1:[1-9]/);
    await engine.until(/engine test runs/);
    const { code, stdout, stderr } = await engine.stop(signal);
    t.equal(code, 0);
    t.equal(stdout, '');
    const messages = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
    t.strictSame(messages.slice(-2), [`${signal}: stopping`, 'stopped']);
  });
}

t.test('starts again on the state it left', async (t) => {
  const file = setUp(t);
  for (let i = 0; i < 2; i++) {
    const engine = startMoonwire(t, ['engine', '-f', file]);
    await engine.until(/engine test runs/);
    t.equal((await engine.stop()).code, 0);
  }
});

/** The command fails, with one line that says why. */
async function refused(t: Test, file: string, problem: RegExp): Promise<void> {
  for (const command of ['engine', 'dev']) {
    const { code, stderr } = await moonwire([command, '-f', file]);
    t.equal(code, 1);
    const complaint = stderr.split('\n').filter((line) => line.startsWith('moonwire: '));
    t.equal(complaint.length, 1, stderr);
    t.match(complaint[0], problem);
    t.notMatch(stderr, /\n\s+at /, 'no stack');
  }
}

t.test('a taken port is one clear sentence', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  await refused(t, setUp(t, { port }), new RegExp(`127\\.0\\.0\\.1:${port} is taken`));
});

t.test('a store that another engine has open is one clear sentence', async (t) => {
  const file = setUp(t);
  const engine = startMoonwire(t, ['engine', '-f', file]);
  await engine.until(/engine test runs/);
  await refused(t, file, /the store .*data is in use by process \d+/);
});

t.test('a missing configuration is one clear sentence', async (t) => {
  await refused(t, '/nowhere/x.yaml', /\/nowhere\/x\.yaml:1:1 does not exist/);
});

t.test('a script that does not load is named with its line', async (t) => {
  await refused(t, setUp(t, { script: 'local a\nreturn +\n' }), /entry\.lua:2: /);
});

t.test('an init that fails is named with its line', async (t) => {
  await refused(
    t,
    setUp(t, { script: 'function init()\n  error("no modem")\nend' }),
    /entry\.lua:2: no modem/,
  );
});

t.test('what is asked for wrongly is answered with usage', async (t) => {
  const runs = [['engine'], ['nonsense'], ['dev', '--nonsense']].map((args) => moonwire(args));
  for (const { code, stderr } of await Promise.all(runs)) {
    t.equal(code, 2, stderr);
    t.match(stderr, /^error: /);
  }
  const help = await moonwire(['--help']);
  t.equal(help.code, 0);
  t.match(help.stdout, /simulate/);
});
