import t from 'tap';
import type { LuaValue } from '../../../src/script/executor.js';
import { MAX_STRING } from '../../../src/script/executor.js';
import { stringLibrary } from '../../../src/script/stdlib/string.js';
import { FakeExecutor } from '../../support/executor.js';
import { random } from '../../support/random.js';

const library = stringLibrary();

function call(name: string, ...args: LuaValue[]): LuaValue[] {
  return new FakeExecutor().run(library[name], ...args);
}

function hex(results: LuaValue[]): string {
  return Buffer.from(String(results[0]), 'latin1').toString('hex');
}

t.test('positions and bytes', async (t) => {
  t.strictSame(call('sub', 'hello', 2, -2), ['ell']);
  t.strictSame(call('sub', 'hello', -100, 2), ['he']);
  t.strictSame(call('sub', 'hello', 4, 2), ['']);
  t.strictSame(call('byte', 'abc', 1, -1), [97, 98, 99]);
  t.strictSame(call('byte', ''), []);
  t.strictSame(call('char', 0, 255), ['\0\xff']);
  t.strictSame(call('reverse', 'a\0\xff'), ['\xff\0a']);
  t.strictSame(call('upper', 'aß\xe9z'), ['Aß\xe9Z'], 'only ASCII letters have cases');
  t.strictSame(call('rep', 'ab', 3, '-'), ['ab-ab-ab']);
  t.strictSame(call('len', 12.0), [2], 'a number is its text');
});

t.test('sizes are bounded', async (t) => {
  t.throws(() => call('rep', 'ab', MAX_STRING), { message: 'resulting string too large' });
  t.throws(() => call('rep', '', 2 ** 40, 'x'), { message: 'resulting string too large' });
  t.strictSame(call('rep', '', 2 ** 40), ['']);
  t.throws(() => call('byte', 'x'.repeat(20_000), 1, -1), { message: 'string slice too long' });
  t.throws(() => call('char', ...new Array(20_000).fill(65)), { message: 'too many arguments' });
  t.throws(() => call('char', 256), { message: "bad argument #1 to 'char' (value out of range)" });
  t.throws(() => call('format', '%99d'.repeat(20_000), ...new Array(20_000).fill(1)), {
    message: 'resulting string too large',
  });
});

t.test('format: whole numbers to 2^53', async (t) => {
  t.strictSame(call('format', '%d', 13800138000), ['13800138000']);
  t.strictSame(call('format', '%d', 2 ** 53), ['9007199254740992']);
  t.strictSame(call('format', '%x', 2 ** 53 - 1), ['1fffffffffffff']);
  t.strictSame(call('format', '%d', '10'), ['10']);
  t.strictSame(call('format', '%x %X %o', -1, -1, -1), [
    'ffffffffffffffff FFFFFFFFFFFFFFFF 1777777777777777777777',
  ]);
  t.strictSame(call('format', '%u', -1), ['18446744073709551615']);
  for (const n of [1.5, 2 ** 60, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => call('format', '%d', n), {
      message: "bad argument #2 to 'format' (number has no integer representation)",
    });
  }
});

t.test('format: floats as C prints them', async (t) => {
  const cases: [format: string, n: number, text: string][] = [
    ['%.14g', 0.1, '0.1'],
    ['%.3f', 2.0005, '2.001'],
    ['%.0f', 2.5, '2'],
    ['%.0f', 3.5, '4'],
    ['%.0e', 25, '2e+01'],
    ['%.2f', 0.125, '0.12'],
    ['%5.1f|', -0.05, ' -0.1|'],
    ['%g', 1e100, '1e+100'],
    ['%g', 1e-5, '1e-05'],
    ['%#g', 1, '1.00000'],
    ['%f', 1e22, '10000000000000000000000.000000'],
    ['%.99g', 2 ** -10, '0.0009765625'],
    ['%a', 1, '0x1p+0'],
    ['%.1a', 1.97, '0x2.0p+0'],
    ['%A', -0.5, '-0X1P-1'],
    ['%e', Number.POSITIVE_INFINITY, 'inf'],
    ['%05.1f', Number.NEGATIVE_INFINITY, ' -inf'],
  ];
  for (const [format, n, text] of cases) t.strictSame(call('format', format, n), [text], format);
});

t.test('format: strings, characters, literals', async (t) => {
  t.strictSame(call('format', '[%5s][%-5s][%.2s]', 'ab', 'ab', 'abc'), ['[   ab][ab   ][ab]']);
  t.strictSame(call('format', '%5s', 'a\0b'), ['  a\0b'], 'zeros are bytes like others');
  t.strictSame(call('format', '%c%c', 0, 255), ['\0\xff']);
  t.strictSame(call('format', '%s %s', undefined, true), ['nil true']);
  t.strictSame(call('format', '100%%'), ['100%']);
  t.strictSame(call('format', '%q', 'a"\\\n\r\x001\xff'), ['"a\\"\\\\\\\n\\13\\0001\xff"']);
  t.strictSame(call('format', '%q %q', 0.1, 7), ['0x1.999999999999ap-4 7']);
  t.strictSame(call('format', '%q %q', Number.NEGATIVE_INFINITY, Number.NaN), ['-1e9999 (0/0)']);
  t.throws(() => call('format', '%q', () => undefined), { message: /value has no literal form/ });
  t.throws(() => call('format', '%d'), { message: "bad argument #2 to 'format' (no value)" });
  t.throws(() => call('format', '%y', 1), { message: "invalid option '%y' to 'format'" });
});

t.test('pack: integers of all sizes', async (t) => {
  t.equal(hex(call('pack', '>I4', 4294967295)), 'ffffffff');
  t.strictSame(call('unpack', '>I4', '\xff\xff\xff\xff'), [4294967295, 5]);
  t.equal(hex(call('pack', '<i2 >i2', -2, -2)), 'fefffffe');
  t.equal(hex(call('pack', '>i3', -5)), 'fffffb');
  t.equal(hex(call('pack', '>i16', -1)), 'ff'.repeat(16));
  t.equal(hex(call('pack', '!4 b i4', 1, 2)), '0100000002000000');
  t.throws(() => call('pack', 'I4', 2 ** 32), { message: "bad argument #2 to 'pack' (unsigned overflow)" });
  t.throws(() => call('pack', 'i1', 128), { message: "bad argument #2 to 'pack' (integer overflow)" });
  t.throws(() => call('pack', 'i1', 1.5), { message: /no integer representation/ });
});

t.test('pack: 64-bit integers are exact, as decimal strings beyond 2^53', async (t) => {
  const cases: [format: string, value: LuaValue, bytes: string][] = [
    ['>I8', 2 ** 53, '0020000000000000'],
    ['>I8', '9007199254740993', '0020000000000001'],
    ['>I8', '18446744073709551615', 'ffffffffffffffff'],
    ['>i8', -(2 ** 53), 'ffe0000000000000'],
    ['>i8', '-9007199254740993', 'ffdfffffffffffff'],
    ['>i8', '-9223372036854775808', '8000000000000000'],
    ['>i8', '9223372036854775807', '7fffffffffffffff'],
    ['>i7', '-36028797018963968', '80000000000000'],
    ['>i8', -1, 'ffffffffffffffff'],
  ];
  for (const [format, value, bytes] of cases) {
    t.equal(hex(call('pack', format, value)), bytes, `${format} ${String(value)}`);
    const data = Buffer.from(bytes, 'hex').toString('latin1');
    t.strictSame(call('unpack', format, data), [value, data.length + 1]);
  }
  t.throws(() => call('pack', 'i8', '9223372036854775808'), { message: /integer overflow/ });
  t.throws(() => call('pack', 'I8', '18446744073709551616'), { message: /unsigned overflow/ });
  t.throws(() => call('pack', 'I8', '12a'), { message: /number expected/ });
});

t.test('pack: a random 64-bit integer comes back as it went', async (t) => {
  const r = random(t);
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.from(r.bytes(8));
    const signed = r.below(2) === 0;
    const big = signed ? bytes.readBigInt64BE() : bytes.readBigUInt64BE();
    // Small magnitudes meet the border between numbers and strings more often.
    const value = BigInt.asIntN(64, big) >> BigInt(signed ? r.below(64) : 0);
    const exact = signed ? value : big;
    const expected = exact >= -(2n ** 53n) && exact <= 2n ** 53n ? Number(exact) : exact.toString();
    const [packed] = call('pack', signed ? '>i8' : '>I8', expected);
    t.strictSame(call('unpack', signed ? '>i8' : '>I8', packed), [expected, 9]);
  }
});

t.test('unpack: strings, floats, bad data', async (t) => {
  t.strictSame(call('unpack', '>s2 z c2', '\0\x03abcdef\0gh'), ['abc', 'def', 'gh', 12]);
  t.strictSame(call('unpack', '>d', '\x3f\xf8\0\0\0\0\0\0'), [1.5, 9]);
  t.strictSame(call('unpack', '<f', '\0\0\xc0\x3f'), [1.5, 5]);
  t.strictSame(call('unpack', 'B', 'abc', -1), [99, 4]);
  t.throws(() => call('unpack', '>s8', '\xff'.repeat(8)), { message: /data string too short/ });
  t.throws(() => call('unpack', 'z', 'abc'), { message: /unfinished string for format 'z'/ });
  t.throws(() => call('unpack', 'i4', 'abc'), { message: /data string too short/ });
  t.throws(() => call('unpack', 'b'.repeat(20_000), 'x'.repeat(20_000)), { message: 'too many results' });
  t.throws(() => call('pack', 'c2000000000', ''), { message: 'resulting string too large' });
  t.strictSame(call('packsize', '!8 b Xd d'), [16]);
});
