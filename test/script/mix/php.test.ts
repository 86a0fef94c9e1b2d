import { execFileSync } from 'node:child_process';
import t from 'tap';
import { phpPack, phpUnpack } from '../../../src/script/mix/php-pack.js';
import { lua } from '../../support/mix.js';
import { missing } from '../../support/need.js';
import { random } from '../../support/random.js';

const hex = (bytes: string) => Buffer.from(bytes, 'latin1').toString('hex');
const fromHex = (digits: string) => Buffer.from(digits, 'hex').toString('latin1');

t.test('php_pack: values known from PHP', async (t) => {
  const cases: [format: string, values: (number | string)[], bytes: string][] = [
    ['nvc*', [0x1234, 0x5678, 65, 66], '123478564142'],
    ['a5A5Z5', ['abc', 'abc', 'abcdef'], '616263000061626320206162636400'],
    ['a*A*Z*', ['ab', 'ab', 'ab'], '6162616261620' + '0'],
    ['H*', ['abc'], 'abc0'],
    ['h3', ['123'], '2103'],
    ['H5', ['ab'], 'ab'],
    ['NVJP', [1, 1, 1, 1], '000000010100000000000000000000010100000000000000'],
    ['q', [-2], 'feffffffffffffff'],
    ['J', ['18446744073709551615'], 'ffffffffffffffff'],
    ['nvN', [65537, 2, 4294967297], '0001020000000001'],
    ['Gg', [1.5, 1.5], '3fc000000000c03f'],
    ['E', [-0.1], 'bfb999999999999a'],
    ['x3X', [], '0000'],
    ['@4C', [1], '0000000001'],
    ['C4@2', [1, 2, 3, 4], '0102'],
    ['C', [1.9], '01'],
    ['Z', ['a'], '00'],
    ['Z0a0H0', ['a', 'a', 'a'], ''],
  ];
  for (const [format, values, bytes] of cases) t.equal(hex(phpPack(format, values)), bytes, format);
});

t.test('php_unpack: names, counts, "*"', async (t) => {
  t.strictSame(
    [...phpUnpack('Nlen/a3name', '\0\0\0\x05abc')],
    [
      ['len', 5],
      ['name', 'abc'],
    ],
  );
  t.strictSame(
    [...phpUnpack('C2x/vy', '\x01\x02\x03\x04')],
    [
      ['x1', 1],
      ['x2', 2],
      ['y', 0x403],
    ],
  );
  t.strictSame(
    [...phpUnpack('C*', '\x01\xff')],
    [
      [1, 1],
      [2, 255],
    ],
  );
  t.strictSame([...phpUnpack('J', '\xff'.repeat(8))], [[1, '18446744073709551615']]);
  t.strictSame([...phpUnpack('q', '\xff'.repeat(8))], [[1, -1]]);
});

t.test('in Lua: results and failures', async (t) => {
  t.strictSame(lua('local t = mix.php_unpack("C*", "\\1\\2\\3") return #t, t[3]'), [3, 3]);
  t.strictSame(lua('return mix.php_unpack("a4raw", "\\0\\xff\\xc3a").raw'), ['\0\xff\xc3a']);
  t.strictSame(lua('return mix.php_unpack("N", "abc")'), [
    undefined,
    'decode_error: type N: not enough input, need 4 bytes but 3 are there',
  ]);
  t.strictSame(lua('return mix.php_pack("y", 1)'), [
    undefined,
    'invalid_argument: type y: unknown format code',
  ]);
  t.strictSame(lua('return mix.php_pack("C2", 1)'), [
    undefined,
    'invalid_argument: type C: too few arguments',
  ]);
  t.strictSame(lua('return mix.php_pack("a")'), [
    undefined,
    'invalid_argument: type a: not enough arguments',
  ]);
  t.strictSame(lua('return mix.php_pack("C", {})'), [undefined, 'invalid_argument: type C: number expected']);
  t.strictSame(lua('return mix.php_pack("H", "zz")'), [
    undefined,
    'invalid_argument: type H: illegal hex digit z',
  ]);
  t.strictSame(lua('return mix.php_pack("C", 2^70)'), [
    undefined,
    'invalid_argument: type C: number does not fit 64 bits',
  ]);
  t.throws(() => lua('return mix.php_pack("a2000000000", "")'), { message: /resulting string too large/ });
  t.strictSame(lua('return mix.php_unpack("C*", ("x"):rep(20000))'), [
    undefined,
    'too_large: more than 15000 values',
  ]);
  t.strictSame(lua('return mix.php_unpack("", "abc")[1]'), [undefined]);
});

/** Packs or unpacks in PHP; values of `unpack` come with their kind: s (bytes), i (integer), f (float). */
function runPhp(calls: unknown[]): unknown[] {
  const script = `
    foreach (json_decode(stream_get_contents(STDIN), true) as [$kind, $format, $args]) {
      try {
        if ($kind === 'pack') {
          $args = array_map(fn($a) => is_string($a) ? hex2bin($a) : $a, $args);
          $result = bin2hex(@pack($format, ...$args));
        } else {
          $found = @unpack($format, hex2bin($args[0]));
          $result = is_array($found) ? [] : null;
          if (is_array($found)) foreach ($found as $k => $v) $result[] =
            [(string)$k, ...(is_string($v) ? ['s', bin2hex($v)] : (is_float($v) ? ['f', bin2hex(pack('E', $v))] : ['i', (string)$v]))];
        }
      } catch (\\Throwable $e) { $result = null; }
      echo json_encode($result), "\\n";
    }`;
  const output = execFileSync('php', ['-r', script], { input: JSON.stringify(calls), encoding: 'utf8' });
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch {
    return null;
  }
}

const TEXT = 'aAZhH';
const POSITION = 'xX@';
const NUMERIC = 'cCsSnviIlLNVqJPfgGdeE';

t.test('pack agrees with PHP', { skip: missing('php', 'php-cli') }, async (t) => {
  const r = random(t);
  const numbers = () => r.pick([0, -1, 255, 65536, r.below(2 ** 32), -2147483648, 2 ** 52]);
  const calls = Array.from({ length: 1500 }, (): [string, string, (string | number)[]] => {
    let format = '';
    const args: (string | number)[] = [];
    const elements = 1 + r.below(4);
    for (let n = 1; n <= elements; n++) {
      const letter = r.pick([...TEXT, ...POSITION, ...NUMERIC]);
      const numeric = NUMERIC.includes(letter);
      // "*" takes all numbers that are left, so it comes last.
      const count = r.pick(['', '1', '3', '0', '7', ...(numeric && n < elements ? [] : ['*'])]);
      format += letter + count;
      if (TEXT.includes(letter)) {
        args.push(hex(('hH'.includes(letter) ? '12aBf0' : 'ab\0\xff zz').slice(0, r.below(8))));
      } else if (numeric) {
        const needed = count === '*' ? r.below(4) : Number(count || 1);
        for (let k = 0; k < needed; k++) args.push(numbers());
      }
    }
    // Now and then one is missing, or left over; not both, or a number would stand where PHP wants hex digits, which
    // it takes with a warning and we refuse.
    const odd = r.below(20);
    if (odd === 0) args.pop();
    else if (odd === 1) args.push(numbers());
    return ['pack', format, args];
  });
  const theirs = runPhp(calls);
  t.equal(theirs.length, calls.length);
  calls.forEach(([, format, args], i) => {
    const values = args.map((arg) => (typeof arg === 'string' ? fromHex(arg) : arg));
    const ours = attempt(() => hex(phpPack(format, values)));
    if (ours !== theirs[i])
      t.equal(ours, theirs[i], `pack(${JSON.stringify(format)}, ${JSON.stringify(args)})`);
  });
});

t.test('unpack agrees with PHP', { skip: missing('php', 'php-cli') }, async (t) => {
  const r = random(t);
  const calls = Array.from({ length: 2000 }, (): [string, string, [string]] => {
    const count = () => r.pick(['', '', '1', '2', '3', '0', '*', '7']);
    const element = () =>
      r.pick([...TEXT, ...POSITION, ...NUMERIC]) + count() + r.pick(['', 'x', 'name', '7']);
    // PHP's "H*" steps back by one instead of taking what it read, so nothing may follow it here.
    const format = Array.from({ length: 1 + r.below(3) }, element)
      .join('/')
      .replace(/([hH])\*([^/]*\/)/g, '$11$2');
    const bytes = Array.from({ length: r.below(20) }, () => r.pick([0, 32, 9, 65, 255, r.below(256)]));
    return ['unpack', format, [Buffer.from(bytes).toString('hex')]];
  });
  const theirs = runPhp(calls);
  t.equal(theirs.length, calls.length);
  calls.forEach(([, format, [data]], i) => {
    const ours = attempt(() => [...phpUnpack(format, fromHex(data))]);
    if (!sameTable(ours, theirs[i])) {
      t.strictSame(ours, theirs[i], `unpack(${JSON.stringify(format)}, ${data})`);
    }
  });
});

type Entry = [key: string | number, value: string | number];
type PhpEntry = [key: string, kind: 's' | 'i' | 'f', shown: string];

function sameTable(ours: unknown, theirs: unknown): boolean {
  if (ours === null || theirs === null) return ours === theirs;
  const mine = ours as Entry[];
  const other = theirs as PhpEntry[];
  return mine.length === other.length && mine.every((entry, i) => sameEntry(entry, other[i]!));
}

function sameEntry([key, value]: Entry, [name, kind, shown]: PhpEntry): boolean {
  if (String(key) !== name) return false;
  if (kind === 's') return typeof value === 'string' && hex(value) === shown;
  // PHP's integers are signed: its 64-bit unsigned ones wrap.
  if (kind === 'i') return BigInt.asIntN(64, BigInt(value)).toString() === shown;
  return Number.isNaN(value) ? /^[7f]ff/.test(shown) : hex(phpPack('E', [value])) === shown;
}
