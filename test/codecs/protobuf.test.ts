import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';

const codecs = defaultCodecs(['test/codecs/schemas', 'there/is/no/such/folder']);
const READING = { schema: 'weather.proto', type: 'weather.Reading' };
const encode = (value: unknown) => hex(codecs.encode('protobuf', value, READING));
const decode = (digits: string, options = {}) =>
  codecs.decode('protobuf', unhex(digits), { ...READING, ...options });

t.test('fields of every kind', async (t) => {
  // By hand: tag = number << 3 | wire type.
  const cases: [value: unknown, digits: string][] = [
    [{ station: 'ü' }, '0a02c3bc'],
    [{ offset: -1 }, '1001'],
    [{ counter: 300 }, '18ac02'],
    [{ counter: '18446744073709551615' }, '18ffffffffffffffffff01'],
    [{ unit: 'CELSIUS' }, '2001'],
    [{ values: [1.5] }, '2a08000000000000f83f'],
    [{ totals: { a: 1 } }, '32050a01611001'],
    [{ raw: Buffer.of(1, 255) }, '420201ff'],
    [{ nested: { station: 'a' } }, '4a030a0161'],
    [{ nested: {} }, '4a00'],
    [{ high: 1.5 }, '550000c03f'],
    [{ low: -1 }, '58ffffffffffffffffff01'],
    [{ time: { seconds: 5, nanos: 7 } }, '620408051007'],
    [{ ok: true }, '6801'],
  ];
  for (const [value, digits] of cases) {
    t.equal(encode(value), digits, JSON.stringify(value));
    const decoded = decode(digits) as { raw?: Uint8Array };
    if (decoded.raw) t.equal(hex(decoded.raw), '01ff');
    else t.strictSame(decoded, value, digits);
  }
  t.strictSame(decode(encode({ names: { '-9007199254740993': 'x', 7: 'y' } })), {
    names: { '-9007199254740993': 'x', 7: 'y' },
  });
  t.equal(encode({ names: ['a'] }), encode({ names: { 1: 'a' } }), 'a Lua table with the key 1 is a list');
  t.equal(encode({ raw: 'text' }), '420474657874');
  t.equal(encode({ unit: 1, nested: [] }), '20014a00');
  t.match(decode('207b'), { unit: 123 }, 'an enum value the schema does not know');
  t.match(decode('', { defaults: true }), { station: '', counter: 0, ok: false, values: [] });
  t.strictSame(decode('a00601'), {}, 'an unknown field is passed over');
});

t.test('what a schema does not allow is refused', async (t) => {
  const refused: [unknown, RegExp][] = [
    [{ nope: 1 }, /Reading has no field "nope"; there are station/],
    [{ toString: 1 }, /has no field "toString"/],
    [{ station: 1 }, /Reading\.station must be of type string/],
    [{ offset: 2 ** 31 }, /Reading\.offset must be of type sint32/],
    [{ counter: -1 }, /Reading\.counter must be of type uint64/],
    [{ counter: 1.5 }, /of type uint64/],
    [{ unit: 'KELVIN' }, /one of NONE, CELSIUS/],
    [{ values: 1 }, /Reading\.values must be a list/],
    [{ names: { a: 'b' } }, /needs keys of type int64/],
    [{ nested: { station: 1 } }, /Reading\.nested\.station/],
    [7, /must be a table/],
  ];
  for (const [value, message] of refused)
    t.throws(() => encode(value), { code: 'invalid_argument', message });
  const cycle: Record<string, unknown> = {};
  cycle.nested = cycle;
  t.throws(() => encode(cycle), { code: 'invalid_argument', message: /deeper than 64/ });
  t.throws(() => decode('0a05'), { code: 'decode_error' });
  t.throws(() => decode('4b'.repeat(50_000)), { code: 'decode_error' });
  let deep = '';
  for (let i = 0; i < 200; i++) {
    const length = deep.length / 2;
    deep = `4a${length < 128 ? length.toString(16).padStart(2, '0') : `${((length & 127) | 128).toString(16)}${(length >> 7).toString(16).padStart(2, '0')}`}${deep}`;
  }
  t.throws(() => decode(deep), { code: 'decode_error', message: /depth/ });
  const odd = decode('320d0a095f5f70726f746f5f5f1001') as { totals: object };
  t.equal(Object.getPrototypeOf(odd.totals), Object.prototype);
  t.strictSame(Object.keys(odd.totals), ['__proto__']);
});

t.test('schemas come from the script roots only', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-proto-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const root = join(folder, 'root');
  mkdirSync(root);
  writeFileSync(join(folder, 'outside.proto'), 'message A { optional int32 a = 1; }');
  symlinkSync(join(folder, 'outside.proto'), join(root, 'link.proto'));
  writeFileSync(join(root, 'bad.proto'), 'message {');
  writeFileSync(join(root, 'import.proto'), 'import "../outside.proto"; message B { optional int32 b = 1; }');
  writeFileSync(join(root, 'good.proto'), 'message C { required int32 c = 1; }');
  writeFileSync(join(root, 'large.proto'), `//${' '.repeat(1024 * 1024)}`);
  const own = defaultCodecs([root]);
  const use = (schema: string, type: string) => own.decode('protobuf', unhex('0801'), { schema, type });
  t.strictSame(use('good.proto', 'C'), { c: 1 });
  rmSync(join(root, 'good.proto'));
  writeFileSync(join(root, 'good.proto'), 'message C {');
  for (const path of [
    '../outside.proto',
    join(folder, 'outside.proto'),
    'link.proto',
    'none.proto',
    'x.lua',
  ]) {
    t.throws(() => use(path, 'A'), { code: 'not_found', message: /in the script roots/ }, path);
  }
  t.throws(() => use('bad.proto', 'A'), { code: 'invalid_argument', message: /bad\.proto.*line 1/ });
  t.throws(() => use('import.proto', 'B'), { code: 'invalid_argument', message: /cannot find the import/ });
  t.throws(() => use('large.proto', 'A'), { code: 'invalid_argument', message: /larger than/ });
  t.throws(() => codecs.decode('protobuf', unhex(''), { schema: 'weather.proto', type: 'weather.None' }), {
    code: 'not_found',
    message: /no message weather.None/,
  });
  t.throws(() => codecs.decode('protobuf', unhex('')), {
    code: 'invalid_argument',
    message: /schema is missing/,
  });
  t.strictSame(
    use('good.proto', 'C'),
    { c: 1 },
    'parsed once: what became of the file since does not matter',
  );
  t.throws(() => own.decode('protobuf', unhex(''), { schema: 'good.proto', type: 'C' }), {
    code: 'decode_error',
    message: /missing required/,
  });
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  const value = {
    station: 'a',
    counter: 5,
    values: [1, 2],
    totals: { a: 1 },
    names: { 1: 'x' },
    nested: { raw: 'abc', unit: 1 },
  };
  abuse(t, codecs, 'protobuf', [unhex(encode(value))], () => READING);
});
