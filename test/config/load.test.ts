/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the configuration, not of JavaScript */

import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { loadConfig } from '../../src/config/load.js';
import { ConfigError, describeProblems } from '../../src/config/problems.js';
import { ENTRY, HERE, load, problemsOf } from './support.js';

t.test(
  'all problems are told at once, each with its line and column, in the order of the file',
  async (t) => {
    const text = [
      'loging: { level: debug }', // 1: unknown
      'engine:',
      '  servers:',
      `    - ${ENTRY}`, // 4: no port
      '      limits: { idleSeconds: never }', // 5: wrong
      '    - port: 99999', // 6: out of range
      '      entri: x', // 7: unknown, and entry is missing
      '  links:',
      '    - entry: nowhere.lua', // 9: no such file, no target
      '      colour: blue', // 10: unknown
    ].join('\n');
    t.same(
      problemsOf(text).map((line) => line.split(': ')[0]),
      [
        '1:1 loging',
        '4:7 engine.servers[0].port',
        '5:30 engine.servers[0].limits.idleSeconds',
        '6:7 engine.servers[1].entry',
        '6:13 engine.servers[1].port',
        '7:7 engine.servers[1].entri',
        '9:7 engine.links[0]',
        '9:14 engine.links[0].entry',
        '10:7 engine.links[0].colour',
      ],
    );
    t.match(problemsOf(text)[0], 'did you mean logging?');
  },
);

t.test('problems read as lines', async (t) => {
  const problem = { line: 12, column: 5, path: 'engine.name', message: 'is wrong', hint: 'mend it' };
  t.same(describeProblems([problem, { line: 1, column: 1, path: '', message: 'is empty' }], 'a.yaml'), [
    'a.yaml:12:5 engine.name: is wrong (mend it)',
    'a.yaml:1:1 is empty',
  ]);
});

t.test('a file with very many problems tells a hundred and counts the rest', async (t) => {
  const problems = problemsOf(Array.from({ length: 500 }, (_, i) => `k${i}: 1`).join('\n'));
  t.equal(problems.length, 101);
  t.match(problems.at(-1), 'and 400 more problems');
});

t.test('what CONNMIX knows and Moonwire does not need is ignored with a notice', async (t) => {
  const { notices } = load('licenses: [abc]\nprometheus:\n  summary: { x: 1 }\n');
  t.same(
    notices.map(({ line, path }) => [line, path]),
    [
      [1, 'licenses'],
      [3, 'prometheus.summary'],
    ],
  );
  t.match(problemsOf('prometheus: { other: 1 }'), [/prometheus: is not a known setting/]);
});

t.test('variables', async (t) => {
  const env = { PORT: '7001', IDLE: '5m', EMPTY: '', TOKEN: '12345', COLON: 'a: [b' };
  const at = (value: string): string => `engine: { joinToken: '${value}' }`;
  const token = (value: string) => load(at(value), { ...HERE, env }).config.engine.joinToken;
  t.equal(token('${TOKEN}'), '12345', 'a secret of digits stays text');
  t.equal(token('${COLON}'), 'a: [b', 'a value is never read as YAML');
  t.equal(token('x-${TOKEN}-${PORT}'), 'x-12345-7001');
  t.equal(token('${NONE:-other}'), 'other');
  t.equal(token('${EMPTY:-other}'), 'other');
  t.equal(token('$${TOKEN}'), '${TOKEN}');
  t.equal(token('$TOKEN'), '$TOKEN');
  const { config } = load(
    `engine: { servers: [{ ${ENTRY}, port: '\${PORT}', limits: { idleSeconds: '\${IDLE}' } }] }`,
    { ...HERE, env },
  );
  t.match(config.engine.servers[0], { port: 7001, limits: { idleSeconds: 300 } });
  t.match(problemsOf(at('${NONE}'), { ...HERE, env }), [
    '1:22 engine.joinToken: needs the environment variable NONE, which is not set',
  ]);
  for (const bad of ['${', '${}', '${1A}', '${A-b}', '${A:b}']) {
    t.match(problemsOf(at(bad), { ...HERE, env }), [/is not well formed/], bad);
  }
});

t.test('the result is frozen to the bottom', async (t) => {
  const { config } = load(`engine: { servers: [{ ${ENTRY}, port: 1, options: { a: 1 } }] }`);
  t.throws(() => Object.assign(config.engine.servers[0]!.limits, { connections: 1 }), TypeError);
  t.throws(() => Object.assign(config.engine.servers[0]!.options, { b: 1 }), TypeError);
  t.same(load('').config, load('{}').config, 'an empty file is all defaults');
});

t.test('scripts are found in the working folder, else beside the configuration', async (t) => {
  const folder = t.testdir({
    work: { 'a.lua': '', lua: {} },
    conf: {
      'a.lua': '',
      'b.lua': '',
      lua: {},
      'x.yaml': 'engine:\n  servers:\n  - { port: 1, entry: a.lua }\n  - { port: 2, entry: b.lua }\n',
    },
  });
  const { config } = loadConfig(join(folder, 'conf/x.yaml'), { cwd: join(folder, 'work') });
  t.same(
    config.engine.servers.map((server) => server.entry),
    [join(folder, 'work/a.lua'), join(folder, 'conf/b.lua')],
  );
  t.same(config.script.roots, [join(folder, 'work/lua')]);
  t.match(
    problemsOf(`engine: { servers: [{ port: 1, entry: . }] }`),
    [/must be a readable file/],
    'a folder is no script',
  );
  t.match(problemsOf(`engine: { servers: [{ port: 1, entry: "a\\0b" }] }`), [/must be a readable file/]);
  t.match(problemsOf('script: { roots: [nowhere] }'), [/script\.roots\[0\]: must be a readable folder/]);
});

t.test('files that cannot be read are one clear problem', async (t) => {
  const folder = t.testdir({
    'big.yaml': '#'.repeat(10 * 2 ** 20),
    'latin.yaml': Buffer.from([0x61, 0x3a, 0xe9]),
  });
  mkdirSync(join(folder, 'dir'));
  const failure = (name: string): string => {
    try {
      loadConfig(join(folder, name));
      return 'loaded';
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      t.equal(error.code, 'invalid_argument');
      return error.message;
    }
  };
  t.match(failure('none.yaml'), /none\.yaml:1:1 does not exist$/);
  t.match(failure('dir'), /is not a file$/);
  t.match(failure('big.yaml'), /is too large: at most 256KiB$/);
  t.match(failure('latin.yaml'), /is not UTF-8 text$/);
  if (process.getuid?.() !== 0) {
    writeFileSync(join(folder, 'locked.yaml'), '');
    chmodSync(join(folder, 'locked.yaml'), 0);
    t.match(failure('locked.yaml'), /may not be read by this user$/);
  }
});

t.test('every sample loads, once its scripts are there', async (t) => {
  const root = resolve(import.meta.dirname, '../..');
  const folder = t.testdir({ lua: {} });
  const entries = readdirSync(join(root, 'lua')).filter((name) => name.startsWith('entry.'));
  for (const entry of entries) writeFileSync(join(folder, 'lua', entry), '');
  const env = {
    MOONWIRE_JOIN_TOKEN: 'x',
    MOONWIRE_ADMIN_PASSWORD: 'y',
    EXCHANGE_SECRET: 'z',
    MQTT_PASSWORD: 'w',
    TOKEN: 'v',
  };
  for (const sample of readdirSync(join(root, 'configs')).filter((name) => name.endsWith('.yaml'))) {
    const cwd = sample === 'dev.yaml' ? root : folder;
    t.same(loadConfig(join(root, 'configs', sample), { cwd, env }).notices, [], sample);
  }
});

t.test('the JSON Schema names every setting with its description and default', async (t) => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()));
  const server = schema.properties.engine.properties.servers.items;
  t.same(server.required, ['entry', 'port']);
  t.equal(server.additionalProperties, false);
  t.match(server.properties.port, { description: /Port to listen on/, anyOf: [{ maximum: 65_535 }, {}] });
  t.match(server.properties.limits.properties.frameBytes, { default: '64KiB' });
  t.match(schema.properties.engine.properties.labels.additionalProperties, {
    anyOf: [{ type: 'string' }, {}],
  });
  const bare: string[] = [];
  const walk = (
    node: { properties?: Record<string, { description?: string; properties?: object }> },
    path: string,
  ): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      if (!child.description) bare.push(`${path}${key}`);
      walk(child as Parameters<typeof walk>[0], `${path}${key}.`);
    }
  };
  walk(schema, '');
  walk(server, 'servers.');
  t.same(bare, [], 'every setting is described');
});
