import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MoonwireError } from '../../src/errors.js';
import { readTemplate } from '../../src/script/template/read.js';
import { offlineVm } from '../support/protocol.js';
import { random } from '../support/random.js';

const FOLDER = 'lua/templates/devices';

const HEAD = `title: Test device
source: [{ title: a document }]
`;

/** The lines of the error that a template causes. */
function problems(text: string): string[] {
  try {
    readTemplate(text, 'x.yaml');
  } catch (error) {
    if (error instanceof MoonwireError && error.code === 'invalid_argument') return error.message.split('\n');
    throw error;
  }
  return [];
}

t.test('every template that is shipped can be used, and names its documents', async (t) => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  t.ok(files.length >= 14, `${files.length} templates`);
  const vm = offlineVm();
  for (const file of files) {
    const template = readTemplate(readFileSync(join(FOLDER, file), 'utf8'), file);
    t.ok(template.source.length > 0 && template.points.length > 0, file);
    const [count] = vm.execute(`local t = mix.template("${file.slice(0, -5)}"); return #t.points`, '=test');
    t.equal(count, template.points.length, file);
  }
});

t.test('defaults are applied, and everything is said', async (t) => {
  const { points, requests } = readTemplate(
    `${HEAD}
defaults: { table: input, type: f32, wordOrder: little }
points:
  - { name: a, register: 0 }
  - { name: b, register: 2, type: string, length: 4 }
  - { name: c, register: 0, table: coil, access: readwrite }
  - { name: d, register: 10, type: u16, bits: { on: 0, mode: [4, 6] } }
`,
    'x.yaml',
  );
  t.match(points, [
    { name: 'a', table: 'input', type: 'f32', count: 2, access: 'read', wordOrder: 'little' },
    { name: 'b', type: 'string', count: 4 },
    { name: 'c', table: 'coil', type: 'bool', count: 1, access: 'readwrite', wordOrder: undefined },
    {
      bits: [
        { name: 'on', first: 0, count: 1 },
        { name: 'mode', first: 4, count: 3 },
      ],
    },
  ]);
  t.same(requests, { size: 125, gap: 8 });
});

const POINTS = `${HEAD}points:
  - `;
/** A point that is wrong, `^` before what is wrong, and what is said of it. */
const WRONG: [point: string, message: string][] = [
  ['{ name: a, register: ^65536 }', 'points[0].register: must be a whole number from 0 to 65535'],
  ['{ name: a, register: ^1.5 }', 'points[0].register: must be a whole number from 0 to 65535'],
  [
    '{ name: a, register: ^65535, type: u32 }',
    'points[0].register: must leave room for 2 registers below 65536',
  ],
  [
    '{ name: a, register: 1, type: ^u24 }',
    'points[0].type: must be one of u16, s16, u32, s32, u64, s64, f32, f64, string, bcd',
  ],
  [
    '{ name: ^A, register: 1 }',
    'points[0].name: must be lower-case letters, digits and _ (at most 63, a letter first)',
  ],
  ['^{ register: 1 }', 'points[0].name: is missing'],
  ['^{ name: a, register: 1, type: string }', 'points[0]: needs a length: how many registers of string'],
  [
    '{ name: a, register: 1, type: string, length: ^126 }',
    'points[0].length: must be a whole number from 1 to 125',
  ],
  ['{ name: a, register: 1, length: ^2 }', 'points[0].length: is for string and bcd only, not u16'],
  ['{ name: a, register: 1, scale: ^0 }', 'points[0].scale: must not be 0'],
  ['{ name: a, register: 1, colour: ^red }', 'points[0].colour: is no setting of a point'],
  [
    '{ name: a, register: 1, table: input, access: ^readwrite }',
    'points[0].access: must be read: nothing can be written into table input',
  ],
  ['{ name: a, register: 1, table: coil, type: ^u16 }', 'points[0].type: has no meaning in table coil'],
  ['{ name: a, register: 1, table: coil, enum: ^{ 0: off } }', 'points[0].enum: has no meaning for bool'],
  [
    '{ name: a, register: 1, type: string, length: 2, scale: ^2 }',
    'points[0].scale: has no meaning for string',
  ],
  ['{ name: a, register: 1, bits: ^{ x: 16 } }', 'points[0].bits: x is beyond bit 15'],
  ['{ name: a, register: 1, bits: ^{ x: [0, 3], y: 3 } }', 'points[0].bits: y and x overlap in bit 3'],
  ['{ name: a, register: 1, type: f32, bits: ^{ x: 1 } }', 'points[0].bits: needs type u16 or u32, not f32'],
  [
    '{ name: a, register: 1, type: f32, enum: ^{ 1: on } }',
    'points[0].enum: needs a type of whole numbers, not f32',
  ],
  ['{ name: a, register: 1, group: ^fast }', 'points[0].group: must be one of the groups: there are none'],
  [
    '{ name: a, register: 1, scaleFrom: ^b }',
    'points[0].scaleFrom: must be the name of a point, and none is named b',
  ],
  ['{ name: a, register: 1, enum: { one: ^yes } }', 'points[0].enum.one: must be a whole number'],
];

for (const [point, message] of WRONG) {
  t.test(`refused with its place: ${point}`, async (t) => {
    t.same(problems(POINTS + point.replace('^', '')), [`x.yaml:4:${5 + point.indexOf('^')} ${message}`]);
  });
}

t.test('points that share a register, or a name', async (t) => {
  const found = problems(`${HEAD}points:
  - { name: a, register: 0, type: u32 }
  - { name: b, register: 1 }
  - { name: a, register: 2 }
  - { name: c, register: 0, table: input }
`);
  t.same(found, [
    'x.yaml:5:26 points[1].register: overlaps a: both take holding register 1',
    'x.yaml:6:13 points[2].name: must be unique: there is another a',
  ]);
});

t.test('what is no template at all', async (t) => {
  t.same(problems('title: x\npoints: 3\n'), [
    'x.yaml:1:1 source: is missing',
    'x.yaml:2:9 points: must be a list',
  ]);
  t.match(problems(': : :\n- ['), [/^x\.yaml:\d+:\d+ is not valid YAML: /]);
  t.match(problems('x'.repeat(300_000)), [/^x\.yaml:1:1 is too large/]);
  t.match(problems(''), [/^x\.yaml:1:1 /]);
  t.match(problems('['.repeat(20_000)), [/^x\.yaml:\d+:\d+ is not valid YAML: /]);
  t.match(problems(`${HEAD}points: []`), ['x.yaml:3:9 points: needs at least one point']);
  const many = Array.from({ length: 40 }, (_, i) => `  - { name: p${i}, register: -1 }`).join('\n');
  t.match(problems(`${HEAD}points:\n${many}`).at(-1), 'and 20 more');
});

t.test('a spoiled template is refused or read, never more', async (t) => {
  const rng = random(t);
  const text = readFileSync(join(FOLDER, 'xy_md02.yaml'), 'latin1');
  let refused = 0;
  for (let round = 0; round < 150; round++) {
    const bytes = [...text];
    for (let i = 1 + rng.below(4); i > 0; i--) {
      const at = rng.below(bytes.length);
      bytes.splice(at, rng.below(3), rng.pick([...'{}[]:,-#&*!|>\'"%@\n \t0x']));
    }
    if (problems(bytes.join('')).length > 0) refused++;
  }
  t.ok(refused > 20 && refused < 150, `${refused} of 150 refused`);
});

t.test('a script is told what there is no template for', async (t) => {
  const vm = offlineVm();
  t.throws(() => vm.execute('mix.template("no_such_device")', '=test'), {
    message: /there is no template no_such_device: no file '.*templates\/devices\/no_such_device\.yaml'/,
  });
  t.throws(() => vm.execute('mix.template("../../secret")', '=test'), { message: /a name is like/ });
});
