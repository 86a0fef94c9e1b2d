import fc from 'fast-check';
import t from 'tap';
import { ConfigError } from '../../src/config/problems.js';
import { ENTRY, HERE, load, problemsOf } from './support.js';

t.test('mistakes of writing are told with their place', async (t) => {
  const cases: [string, RegExp][] = [
    ['engine:\n\tname: x\n', /^2:\d+ : is not valid YAML: Tabs are not allowed/],
    ['engine: { name: x\nstore: {}', /^\d:\d+ : is not valid YAML/],
    ['engine: "x', /is not valid YAML/],
    ['a: 1\n---\nb: 2\n', /multiple documents/],
    ['engine: !secret x', /Unresolved tag/],
    ['engine: {}\nname: a\0b', /^2:8 : is not text: byte 0x00/],
    ['? [a]\n: 1\n', /keys must be strings/],
    ['engine: *nothing', /is not valid YAML: Unresolved alias|not defined above/],
    ['__proto__: { x: 1 }', /^1:1 __proto__: is not a name that can be used/],
    ['engine: { constructor: 1 }', /engine\.constructor: is not a name that can be used/],
    ['%YAML 9.9\n---\n{}', /is not valid YAML/],
  ];
  for (const [text, expected] of cases) t.match(problemsOf(text)[0], expected, JSON.stringify(text));
});

t.test('a repeated key is told beside the other problems', async (t) => {
  const problems = problemsOf('engine: { name: a, name: b }\nstor: {}\n');
  t.equal(problems.length, 2);
  t.match(problems[0], /^1:20 : is not valid YAML: Map keys must be unique/);
});

t.test('a byte order mark, CR LF and anchors are fine', async (t) => {
  const { config } = load(
    `engine:\r\n  servers:\r\n    - { ${ENTRY}, port: 1, limits: &small { connections: 5 } }\r\n    - { ${ENTRY}, port: 2, limits: *small }\r\n`,
  );
  t.equal(config.engine.servers[1]?.limits.connections, 5);
  t.match(problemsOf('engine:\r\n  nam: x\r\n'), [/^2:3 engine\.nam/]);
});

t.test('hostile files end in a bounded answer', async (t) => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  const blocks = Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
  const hostile: Record<string, string> = {
    'alias bomb': bomb.join('\n'),
    'alias of itself': 'a: &a [*a]',
    'open lists': '['.repeat(100_000),
    'deep lists': `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    'deep maps': '{a: '.repeat(20_000),
    'deep blocks': blocks,
    'compact lists': '- '.repeat(50_000),
    'complex keys': '? '.repeat(50_000),
    'many keys': Array.from({ length: 50_000 }, (_, i) => `k${i}:`).join('\n'),
    'many aliases': `a: &a x\nb: [${'*a, '.repeat(40_000)}]`,
    quotes: '"'.repeat(200_000),
    anchors: '&a '.repeat(80_000),
    tags: '!a '.repeat(80_000),
    'too long': '#'.repeat(300_000),
  };
  for (const [name, text] of Object.entries(hostile)) {
    const problems = problemsOf(text);
    t.ok(problems.length > 0 && problems.length <= 101, `${name}: ${problems[0]?.slice(0, 120)}`);
  }
});

t.test('no text makes it throw anything but its own error', async (t) => {
  const piece = fc.constantFrom(
    'engine:',
    'servers:',
    'links:',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ': ',
    '&a ',
    '*a',
    '!!str ',
    '|',
    '>',
    '"',
    "'",
    '#',
    '\t',
    '\0',
    '${',
    '}',
    '5',
    'port: ',
    'store: ',
    'null',
    '~',
    '? ',
    ',',
    'options: ',
    'limits: ',
    'serial: ',
    'roots: ',
    'script: ',
    'é',
    '\u2028',
    '<<: ',
    '.nan',
    '0x',
    '__proto__: ',
  );
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
  let refused = 0;
  fc.assert(
    fc.property(text, (text) => {
      try {
        load(text, HERE);
      } catch (error) {
        if (!(error instanceof ConfigError) || error.problems.length === 0) throw error;
        refused++;
      }
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 3000 },
  );
  t.ok(refused > 0);
});
