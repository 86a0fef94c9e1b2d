import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { moonwire, ROOT } from '../support/cli.js';

const good = 'protocol = require "protocols.line"\nmix.every(60, function() end)\n';

t.test('a good configuration is ok, although a script starts timers', async (t) => {
  const folder = t.testdir({
    'entry.lua': good,
    'x.yaml': 'engine:\n  servers:\n    - { port: 0, entry: entry.lua }\n',
  });
  const file = join(folder, 'x.yaml');
  const { code, stdout, stderr } = await moonwire(['check', file]);
  t.equal(stdout, `${file}: ok\n`);
  t.equal(stderr, '');
  t.equal(code, 0);
});

t.test('the samples are ok', async (t) => {
  const runs = ['dev', 'trackers', 'meters'].map((name) => moonwire(['check', `configs/${name}.yaml`]));
  for (const { code, stdout } of await Promise.all(runs)) {
    t.equal(code, 0, stdout);
  }
});

t.test('all problems are told at once, each with its place and range', async (t) => {
  const folder = t.testdir({
    'entry.lua': good,
    'x.yaml': [
      'engine:',
      '  servers:',
      '    - { port: 70000, entry: entry.lua }',
      '    - port: 6790',
      '      entri: entry.lua',
      '    - { port: 6791, entry: none.lua }',
      'dev:',
      '  simulate:',
      '    - { server: nowhere, capture: none.hex, script: entry.lua }',
      '',
    ].join('\n'),
  });
  const file = join(folder, 'x.yaml');
  const { code, stdout } = await moonwire(['check', file]);
  t.equal(code, 1);
  t.match(stdout, `${file}:3:15 engine.servers[0].port: must be a whole number from 0 to 65535, got 70000`);
  t.match(stdout, `${file}:5:7 engine.servers[1].entri: is not a known setting (did you mean entry?)`);
  t.match(stdout, /x\.yaml:6:\d+ engine\.servers\[2\]\.entry: must be a readable file/);
  t.match(stdout, /x\.yaml:9:\d+ dev\.simulate\[0\]: needs exactly one of capture and script, has 2/);
  t.match(stdout, /x\.yaml:9:\d+ dev\.simulate\[0\]\.capture: must be a readable file/);
  t.match(stdout, /: 6 problems\n$/);
});

t.test('simulated devices play at servers and links of the file', async (t) => {
  const folder = t.testdir({
    'entry.lua': good,
    'frames.hex': '00',
    'x.yaml': [
      'engine:',
      '  servers: [{ name: one, port: 0, entry: entry.lua }]',
      '  links:',
      '    - { name: two, udp: { host: 127.0.0.1, port: 9 }, entry: entry.lua }',
      '    - { name: bus, serial: { port: /dev/ttyS9 }, entry: entry.lua }',
      'dev:',
      '  simulate:',
      '    - { server: nowhere, capture: frames.hex }',
      '    - { link: two, capture: frames.hex }',
      '    - { link: bus, capture: frames.hex }',
      '    - { link: bus, capture: frames.hex }',
      '',
    ].join('\n'),
  });
  const { code, stdout } = await moonwire(['check', join(folder, 'x.yaml')]);
  t.equal(code, 1);
  t.match(
    stdout,
    /:8:\d+ dev\.simulate\[0\]\.server: must be the name of one of engine\.servers.*there are: one/,
  );
  t.match(stdout, /:9:\d+ dev\.simulate\[1\]\.link: must be a server without TLS, or a serial or tcp link/);
  t.match(stdout, /:11:\d+ dev\.simulate\[3\]\.link: has a simulated device already/);
  t.match(stdout, /: 3 problems\n$/);
});

t.test('scripts, captures and simulated devices of a configuration are tried', async (t) => {
  const folder = t.testdir({
    'broken.lua': 'local x = 1\nlocal y = = 2\n',
    'raises.lua': 'local config = nil\nprint(config.x)\n',
    'bad.hex': '7878 # fine\n78zz\n',
    'x.yaml': [
      'engine:',
      '  servers:',
      '    - { name: one, port: 0, entry: broken.lua }',
      '    - { name: two, port: 0, entry: raises.lua }',
      'dev:',
      '  simulate:',
      '    - { name: first, server: one, capture: bad.hex }',
      '    - { name: second, server: one, script: broken.lua }',
      '',
    ].join('\n'),
  });
  const { code, stdout } = await moonwire(['check', join(folder, 'x.yaml')]);
  t.equal(code, 1);
  t.match(stdout, /^one: .*broken\.lua:2: .*near '='/m);
  t.match(stdout, /^two: .*raises\.lua:2: .*config/m);
  t.match(stdout, /^first: .*bad\.hex:2: not a line of hexadecimal bytes/m);
  t.match(stdout, /^second: .*broken\.lua:2: /m);
  t.match(stdout, /: 4 problems\n$/);
});

t.test('a script alone', async (t) => {
  const folder = t.testdir({ 'good.lua': good, 'bad.lua': 'function f()\n  return 1 +\nend\n' });
  const fine = await moonwire(['check', join(folder, 'good.lua')]);
  t.equal(fine.code, 0, fine.stdout);
  const bad = await moonwire(['check', join(folder, 'bad.lua')]);
  t.equal(bad.code, 1);
  t.match(bad.stdout, /bad\.lua:3: /);
});

t.test('a file that is not there is one sentence', async (t) => {
  for (const name of ['/nowhere/x.yaml', '/nowhere/x.lua']) {
    const { code, stdout, stderr } = await moonwire(['check', name]);
    t.equal(code, 1);
    t.match(stdout + stderr, name);
    t.notMatch(stdout + stderr, /\n\s+at /, 'no stack');
  }
});

t.test('a protocol that is not compiled is told, with the place that keeps it from being', async (t) => {
  const folder = t.testdir({
    'a.lua': 'protocol = require "pure"\n',
    'b.lua': 'protocol = require "reporting"\n',
    'pure.lua': 'return { name = "pure", decode = function(frame) return mix.hex(frame) end }\n',
    'reporting.lua': 'local report = \n  mix.report\nreturn { name = "reporting", decode = report }\n',
  });
  const file = join(folder, 'x.yaml');
  const servers = '[{ name: a, port: 0, entry: a.lua }, { name: b, port: 0, entry: b.lua }]';
  writeFileSync(file, `engine: { servers: ${servers} }\nscript: { roots: [${folder}] }\n`);
  const place = relative(ROOT, join(folder, 'reporting.lua'));
  const { code, stdout } = await moonwire(['check', file]);
  const notice = `notice: b: its protocol is interpreted, not compiled: ${place}:2: 'mix.report' is not compiled\n`;
  t.equal(stdout, `${notice}${file}: ok\n`);
  t.equal(code, 0);
  await t.test('all are interpreted where code from strings is forbidden', async (t) => {
    const flag = '--disallow-code-generation-from-strings';
    const forbidden = await moonwire(['check', file], { nodeArgs: [flag] });
    t.match(
      forbidden.stdout,
      /^notice: a: its protocol is interpreted, not compiled: Code generation from strings/,
    );
    t.equal(forbidden.code, 0);
    const decoded = await moonwire(['decode', join(folder, 'pure.lua'), '--hex', '00ff'], {
      nodeArgs: [flag],
    });
    t.equal(decoded.stdout, '{"messages":["00ff"],"discarded":0,"error":null}\n');
  });
});
