import fc from 'fast-check';
import t from 'tap';
import { cborCodec } from '../../src/codecs/cbor.js';
import { measureReport } from '../../src/store/report-check.js';

const check = (values: unknown, more: object = {}, maxBytes = 1000): number =>
  measureReport({ deviceId: 'd', values, ...more }, maxBytes);

t.test('what cannot be reported is refused, and the place is named', async (t) => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  for (const [values, message] of [
    [{ power: Number.NaN }, /^values\.power is NaN: only finite numbers/],
    [{ a: [1, { b: Number.POSITIVE_INFINITY }] }, /^values\.a\[2\]\.b is Infinity/],
    [deep(17), /^values(\.a){8} is nested deeper than 16/],
    [() => 1, /^values is a function: only plain data/],
    [{ s: 'a\ud800' }, /^values\.s has half a character/],
    [{ n: 1n }, /^values\.n is a bigint/],
  ] as const) {
    t.throws(() => check(values), { code: 'invalid_argument', message });
  }
  t.ok(check(deep(16)));
  t.throws(() => check('x'.repeat(1001)), { code: 'too_large', message: /at most 1000 bytes/ });
  t.throws(() => check(Array.from({ length: 1001 }, () => true)), { code: 'too_large' });
});

t.test('device ids, topics and qualities are short text', async (t) => {
  for (const odd of ['a\nb', '\0', '\x7f', 'a\ufffdb', '\ud800']) {
    for (const key of ['deviceId', 'topic', 'quality']) {
      t.throws(() => check(1, { [key]: odd }), { code: 'invalid_argument', message: /UTF-8 text/ });
    }
  }
  t.throws(() => check(1, { deviceId: '' }), { code: 'invalid_argument', message: /is empty/ });
  t.throws(() => check(1, { deviceId: 'x'.repeat(257) }), { code: 'invalid_argument', message: /256/ });
  t.ok(check(1, { deviceId: 'Zähler 7 🌡', topic: 'a/b', quality: 'good' }));
  for (const time of [Number.NaN, Number.NEGATIVE_INFINITY]) {
    t.throws(() => check(1, { time }), { code: 'invalid_argument', message: /Unix seconds/ });
  }
});

t.test('the measure is close to what CBOR takes, and never far below', async (t) => {
  const cbor = cborCodec();
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (values) => {
      const measured = check(values, {}, 1e6);
      const actual = cbor.encode([1, 'd', 1.5, 1.5, values, null, null]).length;
      return measured >= actual && measured <= 80 + 6 * actual;
    }),
    { numRuns: 300 },
  );
  t.pass('300 values');
});
