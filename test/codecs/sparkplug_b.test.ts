import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  type: string;
  hex: string;
  expect: { reference: { payload: unknown } };
}
const cases = vectors<Case>('sparkplug_b').filter(({ type }) => type === 'payload');
const codecs = defaultCodecs();
const decode = (bytes: Uint8Array) =>
  codecs.decode('sparkplug_b', bytes) as { metrics: Record<string, unknown>[] };
const metric = (type: string, value: unknown) =>
  decode(codecs.encode('sparkplug_b', { metrics: [{ name: 'm', type, value }] })).metrics[0];

/** A vector's value under the specification's names, integers as the codec has them. */
function settled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settled);
  if (value instanceof Uint8Array) return { $hex: hex(value) };
  if (typeof value !== 'object' || value === null) return value;
  if ('$int' in value) {
    const number = Number(value.$int);
    return Number.isSafeInteger(number) ? number : value.$int;
  }
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key === '$hex' ? key : snake(key), settled(item)]),
  );
}

t.test('payloads are read as the reference reads them, and come back', async (t) => {
  for (const { name, hex: digits, expect } of cases) {
    const payload = decode(unhex(digits));
    t.strictSame(settled(payload), settled(expect.reference.payload), name);
    t.strictSame(
      settled(decode(codecs.encode('sparkplug_b', payload))),
      settled(payload),
      `${name}, written`,
    );
  }
  t.equal(cases.length, 10);
});

t.test('every data type', async (t) => {
  const values: [type: string, ...values: unknown[]][] = [
    ['Int8', -128, 127],
    ['Int16', -32768],
    ['Int32', -(2 ** 31)],
    ['Int64', '-9223372036854775808', -5],
    ['UInt8', 255],
    ['UInt16', 65535],
    ['UInt32', 2 ** 32 - 1],
    ['UInt64', '18446744073709551615', 0],
    ['Float', 1.25],
    ['Double', 0.1],
    ['Boolean', true, false],
    ['String', 'ü', ''],
    ['DateTime', 1486144502122],
    ['Text', 'x'],
    ['UUID', 'x'],
    ['Int8Array', [-1, 127]],
    ['Int16Array', [-300]],
    ['Int32Array', [-70_000]],
    ['Int64Array', [-5, '-9223372036854775808']],
    ['UInt8Array', [255], []],
    ['UInt16Array', [65535]],
    ['UInt32Array', [2 ** 32 - 1]],
    ['UInt64Array', ['18446744073709551615']],
    ['FloatArray', [1.25]],
    ['DoubleArray', [0.1]],
    ['BooleanArray', [true, false, false, true, false, false, false, false, true]],
    ['StringArray', ['a', '', 'ü'], []],
    ['DateTimeArray', [1486144502122]],
    ['DataSet', { num_of_columns: 2, columns: ['a', 'b'], types: ['Int8', 'String'], rows: [[-1, null]] }],
    [
      'Template',
      {
        version: '1',
        template_ref: 'r',
        is_definition: true,
        metrics: [{ name: 'x', type: 'Int8', value: -1 }],
        parameters: [{ name: 'p', type: 'Int16', value: -2 }],
      },
    ],
  ];
  for (const [type, ...list] of values) {
    for (const value of list) t.strictSame(metric(type, value), { name: 'm', type, value }, type);
  }
  t.match(metric('Bytes', 'text'), { value: Buffer.from('text') });
  t.strictSame(metric('Int8', null), { name: 'm', type: 'Int8', is_null: true });
  const properties = {
    q: { type: 'Int32', value: -192 },
    none: { type: 'String', is_null: true },
    set: { type: 'PropertySet', value: { unit: { type: 'String', value: 'C' } } },
    sets: { type: 'PropertySetList', value: [{ a: { type: 'Boolean', value: true } }] },
  };
  const bytes = codecs.encode('sparkplug_b', {
    seq: 1,
    metrics: [{ alias: 7, type: 'Int8', value: 1, properties }],
  });
  t.strictSame(decode(bytes).metrics, [{ alias: 7, type: 'Int8', value: 1, properties }]);
  // A packed array by hand: 22 is Int8Array, and 16 Boolean bits (6.4.17).
  t.match(decode(unhex('120720168201 02ff7f'.replace(' ', ''))).metrics, [
    { type: 'Int8Array', value: [-1, 127] },
  ]);
  t.match(decode(unhex('12042063' + '5805')).metrics, [{ type: 99 }]);
});

t.test('what cannot be expressed or read is refused', async (t) => {
  const refused: [type: unknown, value: unknown, RegExp][] = [
    ['Int8', 128, /no Int8/],
    ['UInt8', -1, /no UInt8/],
    ['Int64', 1.5, /no Int64/],
    ['Float', 'x', /float_value must be of type float/],
    ['String', 5, /string_value/],
    ['Nope', 5, /no type Nope/],
    [undefined, 5, /needs its type/],
    ['DataSet', { columns: ['a'], types: [], rows: [] }, /type for each column/],
    ['DataSet', { columns: ['a'], types: ['Template'], rows: [[1]] }, /cannot stand here/],
    ['Int8Array', 5, /is a list/],
    ['DoubleArray', ['x'], /no Double/],
    ['Template', 5, /must be a table/],
    ['PropertySetList', 5, /must be a list/],
  ];
  for (const [type, value, message] of refused) {
    t.throws(() => metric(type as string, value), { code: 'invalid_argument', message }, String(type));
  }
  for (const value of [7, null, [1], { metrics: 7 }, { metrics: [7] }, { nope: 1 }]) {
    t.throws(() => codecs.encode('sparkplug_b', value), { code: 'invalid_argument' }, JSON.stringify(value));
  }
  for (const digits of ['0a', '12ff', '1207201e8201020000', '12092020820104ffffffff']) {
    t.throws(() => decode(unhex(digits)), { code: 'decode_error' }, digits);
  }
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  abuse(
    t,
    codecs,
    'sparkplug_b',
    cases.map((vector) => unhex(vector.hex)),
  );
});
