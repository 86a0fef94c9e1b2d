import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseConfig } from '../../src/config/load.js';
import { startEngine } from '../../src/main.js';
import { moonwire } from '../support/cli.js';
import { recordingLogger } from '../support/engine.js';

t.test('links: all of them; one is added by a file, and removed', async (t) => {
  const folder = t.testdir({
    'main.lua': '',
    'link.yaml': [
      'name: pump # as in a configuration',
      "websocket: { url: 'ws://127.0.0.1:1/feed?key=secret' }",
      'entry: main.lua',
      "options: { unit: '\u0024{UNIT:-7}' }",
      '',
    ].join('\n'),
    'wrong.yaml': '{ name: x, tcp: { host: h, port: 0 }, entry: main.lua }',
    'list.yaml': '[1]',
  });
  const text = `
engine: { apiServer: { port: 0 }, meshPoint: { port: 0 }, links: [{ name: fixed, udp: { host: 127.0.0.1, port: 9 }, entry: main.lua }] }
script: { roots: [.] }
store: { path: ${folder}/data }
`;
  const { config } = parseConfig(text, join(folder, 'test.yaml'), { cwd: folder, env: {} });
  const gateway = await startEngine(config, recordingLogger());
  t.teardown(() => gateway.stop());
  const run = (...args: string[]) => moonwire(['links', ...args, '--api', `127.0.0.1:${gateway.api.port}`]);
  const file = (name: string): string => join(folder, name);

  t.match(await run('add', file('link.yaml')), { code: 0, stdout: 'link pump was added\n' });
  t.equal(gateway.engine.links[1]!.config.options.unit, '7');
  const listed = await run();
  t.match(listed, { code: 0, stdout: /^LINK +KIND +STATE/ });
  t.match(listed.stdout, /\npump\+ +websocket +\S+ +ws:\/\/127\.0\.0\.1:1\/feed /);
  t.notMatch(listed.stdout, /secret/);
  t.match(await run('--json'), { stdout: /"name":"fixed"/ });
  t.match(await run('add', file('wrong.yaml')), { code: 1, stderr: /tcp\.port must be/ });
  t.match(await run('add', file('list.yaml')), { code: 1, stderr: /settings of one link/ });
  t.match(await run('add', file('none.yaml')), { code: 1, stderr: /ENOENT/ });
  t.match(await run('add'), { code: 2, stderr: /needs a file/ });
  t.match(await run('remove', 'fixed'), { code: 1, stderr: /configuration/ });
  t.match(await run('remove', 'pump'), { code: 0, stdout: 'link pump was removed\n' });
  writeFileSync(file('link.yaml'), 'name: [');
  t.match(await run('add', file('link.yaml')), { code: 1, stderr: /link\.yaml:1:/ });
});
