import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { moonwire } from '../support/cli.js';

t.test('what is written passes check and test at once', async (t) => {
  const folder = join(t.testdir({}), 'lua');
  const { code, stdout } = await moonwire(['new', 'protocol', 'my_probe2', '--into', folder]);
  t.equal(code, 0);
  const files = ['protocols/my_probe2.lua', 'protocols/my_probe2_test.lua', 'entry.my_probe2.lua'];
  for (const file of files) {
    t.match(stdout, `wrote ${join(folder, file)}`);
    t.notMatch(readFileSync(join(folder, file), 'utf8'), /NAME/, file);
  }
  const config = join(folder, 'x.yaml');
  writeFileSync(
    config,
    `engine:\n  servers: [{ port: 0, entry: entry.my_probe2.lua }]\nscript: { roots: [${folder}] }\n`,
  );
  const checks = [...files.map((file) => join(folder, file)), config].map((file) =>
    moonwire(['check', file]),
  );
  for (const check of await Promise.all(checks)) t.equal(check.code, 0, check.stdout + check.stderr);
  const tests = await moonwire(['test', folder]);
  t.equal(tests.code, 0, tests.stdout);
  t.match(tests.stdout, /# 4 of 4 passed/);
});

t.test('nothing is overwritten, and then nothing written', async (t) => {
  const folder = t.testdir({ 'entry.probe.lua': '-- mine' });
  const { code, stderr } = await moonwire(['new', 'protocol', 'probe', '--into', folder]);
  t.equal(code, 1);
  t.match(stderr, /entry\.probe\.lua exists; nothing was written/);
  t.equal(readFileSync(join(folder, 'entry.probe.lua'), 'utf8'), '-- mine');
  t.notOk(existsSync(join(folder, 'protocols')));
});

t.test('a name that is none is refused', async (t) => {
  const folder = t.testdir({});
  for (const name of ['', 'Probe', '2g', 'a-b', '../x', 'a'.repeat(41)]) {
    const { code, stderr } = await moonwire(['new', 'protocol', name, '--into', folder]);
    t.equal(code, 1, name);
    t.match(stderr, /a protocol's name has 1 to 40/, name);
  }
  t.notOk(existsSync(join(folder, 'protocols')));
});
