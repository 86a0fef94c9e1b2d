import t from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { type Decoded, Struct } from '../../src/codecs/struct.js';
import { MoonwireError } from '../../src/errors.js';
import { hex, unhex } from '../support/framing.js';
import { type Random, random } from '../support/random.js';
import { type SlowField, slowDecode } from '../support/slow_struct.js';

/** Plain data of a result, byte strings as hex. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([key, item]) => [key, plain(item)]);
};
const decoded = (struct: Struct, digits: string) => struct.decode(unhex(digits)) as Decoded;
const problem = (result: unknown) =>
  result instanceof MoonwireError ? `${result.code} ${result.message}` : 'no error';

const NUMBERS = [
  'u8',
  'u16',
  'u24',
  'u32',
  'u40',
  'u48',
  'u56',
  'u64',
  'i8',
  'i16',
  'i24',
  'i32',
  'i40',
  'i48',
  'i56',
  'i64',
  'f32',
  'f64',
];

/** A random layout, for the compiler and for its twin. */
function layout(rng: Random, depth: number): { spec: unknown[]; slow: SlowField[] } {
  const spec: unknown[] = [
    { 1: 'u8', 2: 'n' },
    { 1: 'u8', 2: 'flags', bits: { on: 1, level: { 1: 2, 2: 4 } } },
  ];
  const slow: SlowField[] = [
    { type: 'u8', name: 'n' },
    { type: 'flags', name: 'flags' },
  ];
  for (let i = rng.below(6); i >= 0; i--) {
    const name =
      rng.pick(['a', '__proto__', 'constructor', 'x"y', "z'\\", '\u2028', '$\u007bp}', 'length']) + i;
    const kind = rng.below(10);
    if (kind === 0) {
      const size = rng.below(2) ? 3 : 'n';
      spec.push({ 1: 'bytes', 2: name, size });
      slow.push({ type: 'bytes', name, size });
    } else if (kind === 1 && depth > 0) {
      const of = layout(rng, depth - 1);
      spec.push({ 1: 'array', 2: name, of: of.spec, count: 'n' });
      slow.push({ type: 'array', name, of: of.slow, count: 'n' });
    } else if (kind === 2) {
      spec.push({ 1: 'if', 2: 'flags.on', 3: [['u16', name]] });
      slow.push({ type: 'if', test: 'flags', bit: 0, fields: [{ type: 'u16', name }] });
    } else {
      const type = rng.pick(NUMBERS);
      const little = rng.below(2) === 1;
      const scale = rng.below(4) === 0 ? 0.25 : undefined;
      spec.push({ 1: type, 2: name, endian: little ? 'little' : 'big', ...(scale ? { scale } : {}) });
      slow.push({ type, name, little, scale });
    }
  }
  return { spec, slow };
}

t.test('compiled structures read what the slow twin reads, and write it again', async (t) => {
  const rng = random(t);
  let complete = 0;
  for (let round = 0; round < 300; round++) {
    const { spec, slow } = layout(rng, 2);
    const struct = new Struct(spec);
    const bytes = rng.bytes(rng.below(400));
    if (bytes.length > 0) bytes[0]! &= 3;
    const wanted = slowDecode(slow, bytes);
    const found = struct.decode(bytes);
    if (!wanted) {
      if (!(found instanceof MoonwireError)) t.fail(`missing bytes not noticed: ${JSON.stringify(spec)}`);
      continue;
    }
    complete++;
    if (found instanceof MoonwireError) {
      t.fail(`${found.message}: ${JSON.stringify(spec)}`);
      continue;
    }
    t.equal(found.next, wanted.next);
    t.strictSame(plain(found.value), plain(wanted.value));
    // Floats that are not numbers keep no payload, unused bits no value, and scaled 64-bit integers are rounded.
    const again = struct.encode(found.value);
    if (again instanceof MoonwireError) {
      if (!/scale|NaN|number from/.test(again.message)) t.fail(`${again.message}: ${JSON.stringify(spec)}`);
      continue;
    }
    t.strictSame(plain((struct.decode(again) as Decoded).value), plain(found.value));
  }
  t.ok(complete > 50, `${complete} of 300 were complete`);
});

t.test('the structure of the design', async (t) => {
  const spec = new Map<unknown, unknown>([
    ['endian', 'big'],
    [1, ['u16', 'len']],
    [2, { 1: 'bcd', 2: 'imei', size: 8 }],
    [3, { 1: 'i32', 2: 'lat', scale: 1 / 1.8e6 }],
    [4, { 1: 'u8', 2: 'flags', bits: { gps: 1, dir: [2, 4] } }],
    [5, { 1: 'string', 2: 'name', size: 10, trim: '\0' }],
    [6, { 1: 'bytes', 2: 'body', size: 'len' }],
    [7, ['u8', 'n']],
    [
      8,
      {
        1: 'array',
        2: 'items',
        of: new Struct([
          ['u8', 'k'],
          ['i8', 'v'],
        ]),
        count: 'n',
      },
    ],
    [9, ['if', 'flags.gps', [['u64', 'odometer']]]],
    [10, ['pad', 2]],
    [11, { 1: 'check', 2: 'CRC-16/IBM-SDLC', from: 3, to: -5 }],
    [12, { 1: 'bytes', 2: 'tail', size: 2 }],
  ]);
  const struct = new Struct(spec);
  const value = {
    imei: '0123456789012345',
    lat: -22.5,
    flags: { gps: true, dir: 5 },
    name: 'ab',
    body: Uint8Array.of(1, 2, 3),
    items: [
      { k: 1, v: -1 },
      { k: 2, v: 2 },
    ],
    odometer: '18446744073709551615',
    tail: Uint8Array.of(13, 10),
  };
  const bytes = struct.encode(value) as Uint8Array;
  t.equal(hex(bytes.subarray(0, 15)), '00030123456789012345fd9604e00b', 'the sizes are filled in');
  const checked = Number(crc('X-25').compute(bytes, 2, bytes.length - 4));
  t.equal(hex(bytes.subarray(-4)), `${checked.toString(16).padStart(4, '0')}0d0a`);
  const { value: back, next } = struct.decode(bytes) as Decoded;
  t.equal(next, bytes.length);
  t.strictSame(plain(Object.entries(back).sort()), plain(Object.entries({ len: 3, n: 2, ...value }).sort()));
  const shifted = struct.decode(Buffer.concat([Uint8Array.of(9, 9), bytes]), 2) as Decoded;
  t.strictSame(plain(shifted.value), plain(back), 'positions count from where it begins');

  bytes[5]! ^= 1;
  t.match(problem(struct.decode(bytes)), /decode_error CRC-16\/IBM-SDLC: is 0x.*, should be 0x/);
  t.match(problem(struct.decode(bytes.subarray(0, 20))), /decode_error name: needs 10 bytes, 5 left/);
  t.match(
    problem(struct.encode({ ...value, lat: 2000 })),
    /invalid_argument lat: must be a number from -1193.*, not 2000/,
  );
  t.match(problem(struct.encode({ ...value, len: 4 })), /body: must have exactly 4 bytes, not 3/);
  t.match(problem(struct.encode({ ...value, imei: 'x' })), /imei: must be 1 to 16 decimal digits, not "x"/);
  t.match(
    problem(struct.encode({ ...value, flags: { dir: 8 } })),
    /flags.dir: must be a whole number from 0 to 7, not 8/,
  );
  t.match(
    problem(struct.encode({ ...value, items: [{ k: 1, v: 200 }] })),
    /items\[1\].v: must be a whole number from -128 to 127/,
  );
  t.match(
    problem(struct.encode({ ...value, odometer: '18446744073709551616' })),
    /odometer: must be a whole number from 0 to 18446744073709551615/,
  );
  t.match(
    problem(struct.encode({ ...value, name: 'x'.repeat(11) })),
    /name: must have up to 10 bytes, not 11/,
  );
});

t.test('names mean nothing to JavaScript', async (t) => {
  const names = [
    '__proto__',
    'constructor',
    'toString',
    '"];process.exit(1);//',
    '\u2028\u2029\n',
    '`$\u007bb}`',
    'b',
    'p',
    'r',
  ];
  const struct = new Struct(names.map((name) => ['u8', name]));
  const bytes = Uint8Array.from(names.keys());
  const { value } = struct.decode(bytes) as Decoded;
  t.strictSame(Object.keys(value), names);
  t.strictSame(Object.values(value), [...bytes]);
  t.equal(Object.getPrototypeOf(value), Object.prototype);
  t.equal(hex(struct.encode(value) as Uint8Array), hex(bytes));
  t.match(
    problem(struct.encode({})),
    /__proto__: must be a whole number from 0 to 255, not nothing/,
    'nothing is inherited',
  );
  const bits = new Struct([{ 1: 'u8', 2: 'f', bits: new Map<string, unknown>([['__proto__', 1]]) }]);
  t.strictSame(Object.entries((bits.decode(Uint8Array.of(1)) as Decoded).value.f as object), [
    ['__proto__', true],
  ]);
});

t.test('sizes: what remains, text, arrays of numbers, checks in items', async (t) => {
  const rest = new Struct([{ 1: 'string', 2: 'text', size: -2 }, ['u16', 'end']]);
  t.strictSame(plain(decoded(rest, '414243ff01').value), plain({ text: 'ABC', end: 0xff01 }));
  t.strictSame(
    plain(decoded(rest, 'ff0001').value),
    plain({ text: Uint8Array.of(0xff), end: 1 }),
    'not UTF-8: bytes',
  );
  t.match(problem(rest.decode(unhex('41'))), /text: needs 2 bytes, 1 left/);
  const list = new Struct([{ 1: 'array', 2: 'values', of: 'i16' }]);
  t.strictSame(decoded(list, '0001ffff').value, { values: [1, -1] });
  t.match(problem(list.decode(unhex('000102'))), /values\[2\]: needs 2 bytes, 1 left/);
  t.equal(hex(list.encode({ values: [1, -1] }) as Uint8Array), '0001ffff');
  const counted = new Struct([['u32', 'n'], { 1: 'array', 2: 'list', of: [['u8', 'a']], count: 'n' }]);
  t.match(problem(counted.decode(unhex('ffffffff01'))), /list: needs 4294967295 bytes, 1 left/);
  const item = [{ 1: 'u8', 2: 'f', bits: { c: 1 } }, ['u8', 'v'], ['if', 'f.c', [['check', 'xor']]]];
  const checks = new Struct([{ 1: 'array', 2: 'list', of: item }]);
  const bytes = checks.encode({
    list: [
      { f: { c: true }, v: 6 },
      { f: {}, v: 7 },
      { f: { c: 1 }, v: 9 },
    ],
  }) as Uint8Array;
  t.equal(hex(bytes), '0106070007010908');
  t.strictSame((checks.decode(bytes) as Decoded).value, {
    list: [
      { f: { c: true }, v: 6 },
      { f: { c: false }, v: 7 },
      { f: { c: true }, v: 9 },
    ],
  });
  t.match(problem(checks.decode(unhex('010608'))), /list\[1\].xor: is 0x8, should be 0x7/);
  t.match(
    problem(decoded(new Struct([{ 1: 'bcd', 2: 'd', size: 1 }]), 'a0')),
    /d: has a half byte that is no decimal digit/,
  );
});

t.test('a wrong description is refused with the place', async (t) => {
  const refused: [unknown, RegExp][] = [
    [[], /needs at least one field/],
    ['x', /needs a table of options/],
    [{ 1: ['u8', 'a'], endien: 'big' }, /unknown option "endien"/],
    [[['u9', 'a']], /field 1 \(u9 a\): unknown type "u9"; known are u8…u64/],
    [[['u8']], /field 1 \(u8\): needs 1 values after its type/],
    [[['u8', 'a'], {}], /field 2: must be a table \{type, …\}/],
    [[{ 1: 'u8', 2: 'a', scael: 1 }], /unknown option "scael"; known are endian, scale, bits/],
    [[{ 1: 'u8', 2: 'a', bits: { x: 9 } }], /bits.x must be a whole number from 1 to 8/],
    [[{ 1: 'u8', 2: 'a', bits: { x: [1, 3], y: 3 } }], /bits.y overlaps/],
    [[{ 1: 'bytes', 2: 'a', size: 'n' }], /"n" is no earlier field/],
    [[['i8', 'n'], { 1: 'bytes', 2: 'a', size: 'n' }], /size must name an unsigned integer/],
    [[['if', 'x.y', [['u8', 'a']]]], /"x.y" is no earlier field/],
    [[{ 1: 'array', 2: 'a', of: [{ 1: 'bytes', 2: 'b' }] }], /an item must take at least one byte/],
    [[['check', 'CRC-99']], /no check named "CRC-99"/],
    [[['pad', 0]], /size must be a whole number from 1/],
  ];
  for (const [spec, message] of refused) {
    t.throws(() => new Struct(spec), { code: 'invalid_argument', message }, String(message));
  }
  let deep: unknown = [['u8', 'a']];
  for (let i = 0; i < 20; i++) deep = [{ 1: 'array', 2: 'a', of: deep }];
  t.throws(() => new Struct(deep), { message: /nested deeper than 16/ });
  t.throws(() => new Struct(Array.from({ length: 1001 }, (_, i) => ['u8', `f${i}`])), {
    message: /more than 1000 fields/,
  });
});
