import t from 'tap';
import type { LuaValue } from '../../../src/script/executor.js';
import { bitLibrary } from '../../../src/script/stdlib/bit.js';
import { mathLibrary } from '../../../src/script/stdlib/math.js';
import { osLibrary } from '../../../src/script/stdlib/os.js';
import { utf8Library } from '../../../src/script/stdlib/utf8.js';
import { FakeExecutor, FakeTable } from '../../support/executor.js';

const ex = new FakeExecutor();

t.test('bit: BitOp on numbers modulo 2^32', async (t) => {
  const bit = bitLibrary();
  const cases: [name: string, args: LuaValue[], result: LuaValue][] = [
    ['tobit', [0xffffffff], -1],
    ['tobit', [2 ** 40 + 5], 5],
    ['tobit', [-1], -1],
    ['tohex', [0xdeadbeef], 'deadbeef'],
    ['tohex', [255, 2], 'ff'],
    ['tohex', [255, -4], '00FF'],
    ['tohex', [-1, 99], 'ffffffff'],
    ['bnot', [0], -1],
    ['band', [0xff00ff, 0xffff, 0xf0f0], 240],
    ['bor', [1, 2, 4], 7],
    ['bxor', [0xffffffff, 1], -2],
    ['lshift', [1, 31], -2147483648],
    ['lshift', [1, 32], 1],
    ['rshift', [-1, 28], 15],
    ['rshift', [-1, 0], -1],
    ['arshift', [-256, 4], -16],
    ['rol', [0x80000001, 1], 3],
    ['ror', [1, 1], -2147483648],
    ['rol', [0x12345678, 0], 0x12345678],
    ['bswap', [0x12345678], 0x78563412],
    ['band', ['255', 15], 15],
  ];
  for (const [name, args, result] of cases) {
    t.strictSame(ex.run(bit[name], ...args), [result], `${name}(${args.join(', ')})`);
  }
  t.throws(() => ex.run(bit.band), { message: "bad argument #1 to 'band' (number expected, got no value)" });
});

t.test('math.random: ranges, seeds, spread', async (t) => {
  const math = mathLibrary();
  const draw = (...args: LuaValue[]) => ex.run(math.random, ...args)[0] as number;
  ex.run(math.randomseed, 42);
  const first = [draw(), draw(10), draw(-5, 5)];
  ex.run(math.randomseed, 42);
  t.strictSame([draw(), draw(10), draw(-5, 5)], first, 'the same seed gives the same numbers');
  ex.run(math.randomseed, 43);
  t.notSame([draw(), draw(10), draw(-5, 5)], first);

  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 6000; i++) counts[draw(6) - 1]!++;
  t.ok(
    counts.every((n) => n > 800 && n < 1200),
    `dice: ${counts}`,
  );
  for (let i = 0; i < 1000; i++) {
    const n = draw();
    if (n < 0 || n >= 1) t.fail(`math.random() gave ${n}`);
  }
  t.equal(draw(3, 3), 3);
  t.ok(draw(0xffffffff) >= 1);
  t.throws(() => draw(2, 1), { message: "bad argument #2 to 'random' (interval is empty)" });
  t.throws(() => draw(0), { message: "bad argument #1 to 'random' (interval is empty)" });
  t.throws(() => draw(-(2 ** 53), 2 ** 53), { message: /interval too large/ });
});

t.test('math: integers are whole numbers within 2^53', async (t) => {
  const math = mathLibrary();
  const type = (x: LuaValue) => ex.run(math.type, x)[0];
  t.equal(type(3), 'integer');
  t.equal(type(2 ** 53), 'integer');
  t.equal(type(2 ** 53 + 2), 'float');
  t.equal(type(0.5), 'float');
  t.equal(type('3'), undefined);
  t.strictSame(ex.run(math.tointeger, 3.5), [undefined]);
  t.equal(math.maxinteger, 2 ** 53 - 1);
  t.throws(() => ex.run(math.fmod, 1, 0), { message: "bad argument #2 to 'fmod' (zero)" });
});

t.test('math: the names of Lua 5.1', async (t) => {
  const math = mathLibrary();
  t.strictSame(ex.run(math.pow, 2, 10), [1024]);
  t.strictSame(ex.run(math.log10, 1000), [3]);
  t.strictSame(ex.run(math.mod, -7, 3), [-1]);
  t.strictSame(ex.run(math.ldexp, 0.5, 4), [8]);
  t.strictSame(ex.run(math.ldexp, 1, -1074), [5e-324]);
  t.strictSame(ex.run(math.ldexp, 5e-324, 1074), [1]);
  t.strictSame(ex.run(math.frexp, 8), [0.5, 4]);
  t.strictSame(ex.run(math.frexp, -0.3), [-0.6, -1]);
  t.strictSame(ex.run(math.frexp, 5e-324), [0.5, -1073]);
  t.strictSame(ex.run(math.frexp, 0), [0, 0]);
});

t.test('utf8.codes goes through code points', async (t) => {
  const utf8 = utf8Library();
  const text = Buffer.from('aé€😀').toString('latin1');
  const [next, subject, start] = ex.run(utf8.codes, text);
  const found: LuaValue[][] = [];
  for (let at = start; ; ) {
    const results = ex.run(next, subject, at);
    if (results[0] === undefined) break;
    found.push(results);
    at = results[0];
  }
  t.strictSame(found, [
    [1, 97],
    [2, 0xe9],
    [4, 0x20ac],
    [7, 0x1f600],
  ]);
  t.throws(() => ex.run(next, '\xff', 0), { message: 'invalid UTF-8 code' });
  t.throws(() => ex.run(next, 'a\x80', 0), { message: 'invalid UTF-8 code' });
});

t.test('os.time and os.date', async (t) => {
  const os = osLibrary();
  const [now] = ex.run(os.time);
  t.ok(Number.isInteger(now) && Math.abs(Number(now) - Date.now() / 1000) < 5);
  const [table] = ex.run(os.date, '!*t', 86400.9);
  t.strictSame(Object.fromEntries((table as FakeTable).fields), {
    year: 1970,
    month: 1,
    day: 2,
    hour: 0,
    min: 0,
    sec: 0,
    wday: 6,
    yday: 2,
    isdst: false,
  });
  t.strictSame(ex.run(os.time, ...ex.run(os.date, '*t', 1e9)), [1e9], 'there and back in local time');
  t.strictSame(ex.run(os.date, '!%Y-%m-%dT%H:%M:%SZ', 1784678400), ['2026-07-22T00:00:00Z']);
  t.throws(() => ex.run(os.date, '%c', 1e18), { message: /cannot be represented/ });
  t.throws(() => ex.run(os.date, '%c', Number.NaN), { message: /cannot be represented/ });
  t.throws(() => ex.run(os.date, 'x'.repeat(5000)), { message: /format longer than 4096 bytes/ });
  t.throws(() => ex.run(os.time, new FakeTable(new Map([['year', 2020]]))), {
    message: "field 'day' missing in date table",
  });
  t.equal(os.getenv, undefined);
  t.equal(os.exit, undefined);
});
