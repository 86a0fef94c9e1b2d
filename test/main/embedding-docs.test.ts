/** The examples of the READMEs: the first one runs against the built package. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ROOT } from '../support/cli.js';
import { until } from '../support/engine.js';
import { freePort } from '../support/ports.js';

/** The first block of TypeScript below a heading of a README. */
function example(file: string, heading: string): string {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const block = /```ts\n([\s\S]*?)```/.exec(text.slice(text.indexOf(heading)))?.[1];
  if (block === undefined) throw new Error(`no example below ${heading} of ${file}`);
  return block;
}

const ECHO = example('README.md', '## Embedding');
const WHOLE = example('src/engine/embedded/README.md', '# An engine within a program');

/** A folder in which programs find this package under its name. */
function project(t: Test): string {
  const folder = t.testdir();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/moonwire'));
  return folder;
}

/** Runs a program that imports the package; `output` grows. */
function run(t: Test, text: string) {
  const file = join(project(t), 'program.mjs');
  writeFileSync(file, text);
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const program = { child, output: '', exit: once(child, 'exit') };
  child.stdout.on('data', (bytes) => {
    program.output += bytes;
  });
  return program;
}

/** Connects as soon as somebody listens, and sends a line; gives the answer. */
async function ask(port: number, line: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.write(line);
      const [answer] = await once(socket, 'data');
      socket.destroy();
      return String(answer);
    } catch (error) {
      if (attempt === 1000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

t.test('the example of the README has ten lines or so, runs, and ends by itself when told to', async (t) => {
  t.ok(ECHO.trim().split('\n').length <= 11);
  t.match(ECHO, 'port: 9000');
  const port = await freePort();
  const { child, exit } = run(t, ECHO.replace('port: 9000', `port: ${port}`));
  t.equal(await ask(port, 'hello\n'), 'echo hello\n');
  child.kill('SIGTERM');
  t.strictSame(await exit, [0, null]);
});

t.test('nothing of an engine that stopped keeps its program alive', async (t) => {
  const program = run(
    t,
    `import { once } from 'node:events';
     import { connect } from 'node:net';
     import { createEngine } from 'moonwire';
     const engine = createEngine({
       store: { path: new URL('data', import.meta.url).pathname },
       apiServer: { port: 0 },
       sinks: [{ name: 'stuck', deliver: () => new Promise(() => {}) }],
       links: [{ name: 'away', tcp: { host: '127.0.0.1', port: 1 }, poll: { everySeconds: 1 }, handlers: {} }],
       servers: [{ port: 0, bind: '127.0.0.1', handlers: { onStat() {}, onData: (c, data) => c.send(data) } }],
     });
     await engine.start();
     const socket = connect(engine.port(), '127.0.0.1').setNoDelay();
     socket.write('x');
     await once(socket, 'data');
     await engine.report('device', { n: 1 });
     await engine.stop();
     console.log('stopped');`,
  );
  t.strictSame(await program.exit, [0, null]);
  await until(() => program.output.length > 0);
});

t.test('the examples are those that are checked with all other sources', async (t) => {
  for (const [name, text] of [
    ['echo', ECHO],
    ['whole', WHOLE],
  ] as const) {
    const checked = readFileSync(join(ROOT, `test/main/examples/${name}.ts`), 'utf8');
    t.ok(checked.includes(text.replace("'moonwire'", "'../../../src/index.js'")), name);
  }
});
