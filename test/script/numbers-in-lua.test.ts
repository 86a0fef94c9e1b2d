import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { Vm } from '../../src/script/vm.js';

const vm = new Vm({ roots: [], log: silentLogger });
const run = (source: string) => vm.execute(source, '=test');

const CASES: [source: string, ...results: unknown[]][] = [
  ['return os.time() * 1000 > 1.7e12', true],
  ['return 200*16777216', 3355443200],
  ['local a, b = 200, 16777216 return a*b', 3355443200],
  ['return (string.unpack(">I4", "\\255\\255\\255\\255"))', 4294967295],
  ['return "room:"..1002.0', 'room:1002'],
  ['return ("%d"):format(13800138000)', '13800138000'],
  [
    'return tostring(2^53), tostring(2^53 - 1), tostring(-2^53)',
    '9007199254740992',
    '9007199254740991',
    '-9007199254740992',
  ],
  ['return 2147483647 + 1, -2147483648 - 1', 2147483648, -2147483649],
  ['return #("x"):rep(70000) * #("y"):rep(70000)', 4900000000],
  [
    'return 0xff << 24, 1 << 31, 1 << 40, 0xffffffff & 0xff00ff00',
    4278190080,
    2147483648,
    2 ** 40,
    0xff00ff00,
  ],
  [
    'local x, n = 0xff, 24 return x << n, ~0, 0xffffffff >> 4, 5 ~ 3, 6 | 9',
    4278190080,
    -1,
    0x0fffffff,
    6,
    15,
  ],
  ['return 7 // 2, -7 // 2, 7 % -3, -7 % 3, 7 / 2, 2^10', 3, -4, -2, 2, 3.5, 1024],
  ['return 10 / 2 .. "", 1e15 .. "", 0.1 .. "", 1e100 .. ""', '5', '1000000000000000', '0.1', '1e+100'],
  ['return 3 == 3.0, math.type(3), math.type(3.5), math.type("3")', true, 'integer', 'float', undefined],
  ['local t = {} t[1.0] = "a" t[2^53] = "b" return t[1], t[2^53], #t', 'a', 'b', 1],
  ['local s = 0 for i = 1, 3 do s = s + i end for i = 3, 1, -1 do s = s * 2 end return s', 48],
  [
    'return tonumber("0xffffffff"), tonumber("ff", 16), tonumber("9", 8), tonumber("1e3"), tonumber("")',
    4294967295,
    255,
    undefined,
    1000,
    undefined,
  ],
  ['return "10" + 5, "3" * "4", 10 .. 20', 15, 12, '1020'],
  ['return 4294967295 | 0, 2^31 | 0', 4294967295, 2147483648],
  [
    'local t = {} t["\\1\\17"] = 1 t["\\17\\1"] = 2 return t["\\1\\17"], "\\10" < " ", "\\9a" < "\\10"',
    1,
    true,
    true,
  ],
  [
    'local t = {} t.constructor = 1 return t.constructor, t.__proto__, t.toString, _G.constructor',
    1,
    undefined,
    undefined,
    undefined,
  ],
];

for (const [source, ...results] of CASES) {
  t.test(source, async (t) => {
    t.same(run(source), results);
  });
}

t.test('bitwise operators refuse what is not whole', async (t) => {
  t.throws(() => run('return 1.5 | 1'), /number has no integer representation/);
  t.throws(() => run('return "a" | 1'), /attempt to perform bitwise operation on a string value/);
  t.throws(() => run('return {} & 1'), /attempt to perform bitwise operation on a table value/);
  t.throws(() => run('return 2^70 | 1'), /number has no integer representation/);
});

t.test('metamethods of bitwise operators still apply', async (t) => {
  t.same(run('local v = setmetatable({}, {__band = function(a, b) return "and" end}) return v & 1, 1 & v'), [
    'and',
    'and',
  ]);
});
