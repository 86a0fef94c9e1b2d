import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';

const codecs = defaultCodecs();
const decode = (digits: string) => codecs.decode('msgpack', unhex(digits));
const encode = (value: unknown) => hex(codecs.encode('msgpack', value));

/** Each format of the specification. */
const FORMATS: [digits: string, value: unknown][] = [
  ['00', 0],
  ['7f', 127],
  ['ff', -1],
  ['e0', -32],
  ['c0', null],
  ['c2', false],
  ['c3', true],
  ['cc80', 128],
  ['cd0100', 256],
  ['ce00010000', 65536],
  ['cf0000000100000000', 2 ** 32],
  ['cfffffffffffffffff', '18446744073709551615'],
  ['d080', -128],
  ['d18000', -32768],
  ['d280000000', -(2 ** 31)],
  ['d38000000000000000', '-9223372036854775808'],
  ['ca3fc00000', 1.5],
  ['cb3ff8000000000000', 1.5],
  ['a0', ''],
  ['a3616263', 'abc'],
  ['d903616263', 'abc'],
  ['da0003616263', 'abc'],
  ['db00000003616263', 'abc'],
  ['c4020102', Buffer.of(1, 2)],
  ['c500020102', Buffer.of(1, 2)],
  ['c6000000020102', Buffer.of(1, 2)],
  ['90', []],
  ['920102', [1, 2]],
  ['dc00020102', [1, 2]],
  ['dd000000020102', [1, 2]],
  ['80', {}],
  ['81a16101', { a: 1 }],
  ['de0001a16101', { a: 1 }],
  ['df00000001a16101', { a: 1 }],
  ['810102', new Map([[1, 2]])],
  ['d6ff5a4af6a5', 0x5a4af6a5],
  ['d7ff7735940000000001', 1.5],
  ['c70cff1dcd65000000000000000001', 1.5],
];

t.test('every format', async (t) => {
  for (const [digits, value] of FORMATS) {
    const decoded = decode(digits);
    if (value instanceof Uint8Array) t.equal(hex(decoded as Uint8Array), hex(value), digits);
    else t.strictSame(decoded, value, digits);
  }
});

t.test('what is written is read again, in the shortest form', async (t) => {
  const value = { n: null, t: true, i: -7, f: 1.25, s: 'ü', list: [1, [2]], o: { x: 1 }, big: 2 ** 40 };
  t.strictSame(decode(encode(value)), value);
  t.equal(encode([1, 200, -5, 'a']), '9401cc c8fba161'.replaceAll(' ', ''));
  t.equal(encode(Buffer.of(1, 255)), 'c40201ff');
  t.equal(encode({ a: undefined }), '81a161c0');
  t.equal(encode(2n ** 64n - 1n), 'cfffffffffffffffff');
  const first = codecs.encode('msgpack', { a: 1 });
  const before = hex(first);
  for (let i = 0; i < 100; i++) codecs.encode('msgpack', { a: 'something else', i });
  t.equal(hex(first), before, 'no memory is shared between results');
  const cycle: unknown[] = [];
  cycle.push(cycle);
  t.throws(() => encode(cycle), { code: 'invalid_argument', message: /deeper than 64/ });
  t.throws(() => encode(2n ** 64n), { code: 'invalid_argument' });
  t.throws(() => encode(() => 1), { code: 'invalid_argument' });
});

t.test('what is not one whole, harmless value is refused', async (t) => {
  const refused: [string, RegExp][] = [
    ['', /offset 0: ends too early/],
    ['0000', /offset 1: bytes after the end/],
    ['c1', /begins no value/],
    ['a261', /ends too early/],
    ['a1ff', /not UTF-8/],
    ['ddffffffff', /more items than bytes/],
    ['dfffffffff', /more items than bytes/],
    ['c6ffffffff', /ends too early/],
    [`${'91'.repeat(65)}00`, /nested deeper than 64/],
    ['91'.repeat(100_000), /nested deeper than 64/],
    ['d40000', /extension type 0 /],
    ['c70278a16100', /extension type 120/],
    ['d47f00', /extension type 127/],
    ['c703ff010203', /timestamp of another size/],
    ['c70cff000000007fffffffffffffff', /beyond any date/],
  ];
  for (const [digits, message] of refused) {
    t.throws(() => decode(digits), { code: 'decode_error', message }, digits.slice(0, 40));
  }
  const odd = decode('81a95f5f70726f746f5f5f81a16101') as object;
  t.equal(Object.getPrototypeOf(odd), Object.prototype, 'no key changes the prototype');
  t.strictSame(Object.keys(odd), ['__proto__']);
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  abuse(
    t,
    codecs,
    'msgpack',
    FORMATS.map(([digits]) => unhex(digits)),
  );
});
