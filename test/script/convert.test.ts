import fc from 'fast-check';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { ApiFunction } from '../../src/script/api.js';
import { pureMix } from '../../src/script/mix/index.js';
import { Vm } from '../../src/script/vm.js';

const kept: unknown[] = [];
const functions: ApiFunction<null>[] = [
  {
    name: 'keep',
    doc: 'Keeps a value as JavaScript sees it.',
    params: [{ name: 'v', type: 'value', optional: true }],
    returns: [],
    example: '',
    run: (_, v) => void kept.push(v),
  },
  {
    name: 'give',
    doc: 'Gives the last kept value back.',
    params: [],
    returns: [{ name: 'v', type: 'value' }],
    example: '',
    run: () => kept.at(-1),
  },
];

const vm = new Vm({ roots: [], log: silentLogger });
vm.define(functions, null);
vm.define(pureMix, undefined);
const run = (source: string) => vm.execute(source, '=test');

function keptBy(expression: string): unknown {
  run(`keep(${expression})`);
  return kept.pop();
}

t.test('tables, text and bytes as JavaScript sees them', async (t) => {
  t.same(keptBy('{ 1, 2, { a = "x" } }'), [1, 2, { a: 'x' }]);
  t.same(keptBy('{}'), []);
  t.same(keptBy('{ [1] = "a", [3] = "c" }'), { 1: 'a', 3: 'c' });
  t.same(keptBy('{ [2] = "b", [1] = "a" }'), ['a', 'b']);
  t.same(keptBy('{ [1.5] = 1, [true] = 2, x = false }'), { '1.5': 1, true: 2, x: false });
  t.same(keptBy('"\\195\\164"'), 'ä');
  t.same(keptBy('"\\255\\0"'), new Uint8Array([255, 0]));
  t.same(keptBy('nil'), undefined);
  const hostile = keptBy('{ __proto__ = 1, constructor = 2 }') as object;
  t.equal(Object.getPrototypeOf(hostile), Object.prototype);
  t.same(Object.entries(hostile), [
    ['__proto__', 1],
    ['constructor', 2],
  ]);
});

t.test('what cannot be converted is refused by name', async (t) => {
  t.throws(() => run('local a = {} a.a = a keep(a)'), /contains itself/);
  t.throws(() => run('keep(print)'), /a function cannot be converted/);
  t.throws(() => run('keep({ coroutine.create(print) })'), /a thread cannot be converted/);
  t.throws(() => run('keep({ [{}] = 1 })'), /a table cannot be a key/);
  t.throws(() => run('local t = {} for i = 1, 100 do t = { t } end keep(t)'), /nested deeper than 64/);
  t.same(
    keptBy('(function() local a = {} return { a, a } end)()'),
    [[], []],
    'the same table twice is no cycle',
  );
  t.match(run('local a = {} a.a = a return mix.json_encode(a)'), [undefined, /contains itself/]);
  t.match(run('return mix.json_encode(print)'), [undefined, /a function cannot be converted/]);
});

t.test('whatever JavaScript gives comes back the same', async (t) => {
  const value = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
      fc.boolean(),
      fc.uint8Array({ maxLength: 8 }),
    ),
    node: fc.oneof(
      { depthSize: 'small' },
      tie('leaf'),
      fc.array(tie('node'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('node'), { maxKeys: 4 }),
    ),
  })).node;
  const seed = Date.now();
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(value, (v) => {
      kept.push(v);
      run('keep(give())');
      const back = kept.pop();
      kept.pop();
      t.strictSame(normal(back), normal(v));
    }),
    { seed, numRuns: 200 },
  );
});

/** Lua has one empty table, and no difference between bytes and the text they spell. */
function normal(v: unknown): unknown {
  if (typeof v === 'string') return Buffer.from(v, 'utf8').toString('hex');
  if (v instanceof Uint8Array) return Buffer.from(v).toString('hex');
  if (Array.isArray(v)) return v.map(normal);
  if (typeof v !== 'object' || v === null) return v;
  const entries = Object.entries(v);
  if (entries.length === 0) return [];
  return Object.fromEntries(
    entries.map(([key, item]) => [`k${Buffer.from(key, 'utf8').toString('hex')}`, normal(item)]),
  );
}
