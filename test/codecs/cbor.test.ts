import { readFileSync } from 'node:fs';
import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { hex, unhex } from '../support/framing.js';
import { random } from '../support/random.js';

interface Vector {
  name: string;
  type: string;
  hex: string;
  expect: { stated: { roundtrip: boolean; decoded?: unknown; diagnostic?: string } };
}
// Integers beyond 2^53 as decimal strings, as the codec has them.
const text = readFileSync('test/vectors/cbor.json', 'utf8').replace(
  /"decoded": (-?\d{17,})/g,
  '"decoded": "$1"',
);
const { cases } = JSON.parse(text) as { cases: Vector[] };
const codecs = defaultCodecs();
const decode = (digits: string) => codecs.decode('cbor', unhex(digits));

/** The vectors that JSON cannot state, as the codec gives them. */
const DIAGNOSTIC: Record<string, unknown> = {
  '0("2013-03-21T20:04:00Z")': '2013-03-21T20:04:00Z',
  '1(1363896240.5)': 1363896240.5,
  "24(h'6449455446')": unhex('6449455446'),
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  "h''": unhex(''),
  "(_ h'0102', h'030405')": unhex('0102030405'),
};

t.test('the vectors of RFC 8949, appendix A', async (t) => {
  for (const { name, type, hex: digits, expect } of cases) {
    const { decoded, diagnostic, roundtrip } = expect.stated;
    if (diagnostic?.startsWith('simple')) {
      t.throws(() => decode(digits), {
        code: 'decode_error',
        message: /simple value (16|255) has no meaning/,
      });
      continue;
    }
    const wanted = diagnostic === undefined ? decoded : DIAGNOSTIC[diagnostic];
    const value = decode(digits);
    if (wanted instanceof Uint8Array) t.equal(hex(value as Uint8Array), hex(wanted), name);
    else t.strictSame(value, wanted, name);
    if (
      roundtrip &&
      ['unsigned', 'text string', 'array', 'map'].includes(type) &&
      typeof value !== 'string'
    ) {
      t.equal(hex(codecs.encode('cbor', value)), digits, `${name}, written`);
    }
  }
});

t.test('what is not one whole, harmless data item is refused', async (t) => {
  const deep = '81'.repeat(65);
  const refused: [string, RegExp][] = [
    ['', /offset 0: ends too early/],
    ['0000', /offset 1: bytes after the end/],
    ['19', /ends too early/],
    ['62', /ends too early/],
    ['6261', /ends too early/],
    ['61ff', /text is not UTF-8/],
    ['9b7fffffffffffffff', /more items than bytes/],
    ['bb7fffffffffffffff', /more items than bytes/],
    ['5b7fffffffffffffff', /ends too early/],
    ['8201', /ends too early|more items/],
    ['9f', /ends too early/],
    ['bf01ff', /break out of place/],
    ['ff', /break out of place/],
    ['8301ff', /more items|break out of place/],
    ['1f', /integer without a value/],
    ['1c', /reserved length/],
    ['5f6161ff', /piece of another kind/],
    ['df00', /tag without a number/],
    ['c201', /bignum without bytes/],
    [`c25841${'ff'.repeat(65)}`, /bignum of more than 64/],
    [`${'c1'.repeat(100_000)}`, /ends too early/],
    [`${deep}00`, /nested deeper than 64/],
    [`${'9f'.repeat(100_000)}`, /nested deeper than 64/],
  ];
  for (const [digits, message] of refused) {
    t.throws(() => decode(digits), { code: 'decode_error', message }, digits.slice(0, 40));
  }
  // cbor-x would make a RegExp, a record, a reference of these.
  t.strictSame(decode('d81b82665265674578706161'), ['RegExp', 'a']);
  t.strictSame(decode('d81c81d81d00'), [0]);
  t.strictSame(decode('d9d9f7c119ffff'), 65535, 'tags on tags');
  t.strictSame(decode('d9dfff8319e00081616101'), [0xe000, ['a'], 1]);
});

t.test('keys and integers', async (t) => {
  t.strictSame(decode('a10102'), new Map([[1, 2]]));
  t.strictSame(decode('a2616101616202'), { a: 1, b: 2 });
  t.equal(decode('1b0000000000000001'), 1, 'a short integer in long form is a number');
  t.equal(decode('1b0020000000000000'), 2 ** 53);
  t.equal(decode('1b0020000000000001'), '9007199254740993');
  t.equal(decode('3bffffffffffffffff'), '-18446744073709551616');
  const odd = decode('a1695f5f70726f746f5f5f01') as object;
  t.equal(Object.getPrototypeOf(odd), Object.prototype, 'no key changes the prototype');
});

t.test('values come back as they were', async (t) => {
  const value = { n: null, t: true, i: -7, f: 1.5, s: 'ü', list: [1, [2]], o: { x: 1 }, big: 2 ** 40 };
  t.strictSame(codecs.decode('cbor', codecs.encode('cbor', value)), value);
  const bytes = codecs.decode('cbor', codecs.encode('cbor', Uint8Array.of(1, 255))) as Uint8Array;
  t.equal(hex(bytes), '01ff');
  const first = codecs.encode('cbor', { a: 1 });
  const before = hex(first);
  for (let i = 0; i < 100; i++) codecs.encode('cbor', { a: 'something else', i });
  t.equal(hex(first), before, 'no memory is shared between results');
  const cycle: unknown[] = [];
  cycle.push(cycle);
  t.throws(() => codecs.encode('cbor', cycle), { code: 'invalid_argument', message: /deeper than 64/ });
  t.throws(() => codecs.encode('cbor', () => 1), { code: 'invalid_argument', message: /function/ });
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  const rng = random(t);
  const good = cases.map((vector) => unhex(vector.hex));
  let decoded = 0;
  let refused = 0;
  for (let i = 0; i < 5000; i++) {
    const bytes = i % 2 ? rng.bytes(rng.below(30)) : Uint8Array.from(rng.pick(good));
    if (bytes.length > 0) bytes[rng.below(bytes.length)]! ^= 1 << rng.below(8);
    try {
      codecs.decode('cbor', bytes);
      decoded++;
    } catch (error) {
      if ((error as { code?: string }).code !== 'decode_error') throw error;
      refused++;
    }
  }
  t.ok(decoded > 100 && refused > 100, `${decoded} decoded, ${refused} refused`);
});
