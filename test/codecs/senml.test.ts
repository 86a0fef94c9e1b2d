import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';
import { vectors } from '../support/vectors.js';

type SenmlRecord = Record<string, unknown>;
interface Case {
  name: string;
  pack: SenmlRecord[];
  cbor_hex?: string;
  expect: { stated: { resolved?: SenmlRecord[] } };
}
const cases = vectors<Case>('senml');
const codecs = defaultCodecs();
const json = (pack: unknown) => Buffer.from(JSON.stringify(pack));
/** Decoded, with data as plain Uint8Arrays. */
const decode = (bytes: Uint8Array, options?: unknown) =>
  (codecs.decode('senml', bytes, options) as SenmlRecord[]).map((record) =>
    record.vd instanceof Uint8Array ? { ...record, vd: new Uint8Array(record.vd) } : record,
  );

/** Times as the sums of floating-point numbers they are. */
const rounded = (records: SenmlRecord[]) =>
  records.map((record) => ({ ...record, t: Math.round((record.t as number) * 1e4) / 1e4 }));

t.test('packs are read, resolved and written as stated', async (t) => {
  for (const { name, pack, cbor_hex, expect } of cases) {
    // Base64url in the vectors' JSON is bytes here.
    const wanted = pack.map((record) =>
      typeof record.vd === 'string'
        ? { ...record, vd: new Uint8Array(Buffer.from(record.vd, 'base64url')) }
        : record,
    );
    t.strictSame(decode(json(pack)), wanted, name);
    t.strictSame(
      JSON.parse(Buffer.from(codecs.encode('senml', wanted)).toString()),
      pack,
      `${name}, written`,
    );
    const cbor = codecs.encode('senml', wanted, { format: 'cbor' });
    t.strictSame(decode(cbor), wanted, `${name}, as CBOR`);
    if (cbor_hex) {
      // It states the times of 0 that the JSON leaves out.
      const given = decode(unhex(cbor_hex)).map(({ t: time, ...record }) =>
        time ? { ...record, t: time } : record,
      );
      t.strictSame(given, wanted, `${name}, the CBOR given`);
    }
    const { resolved } = expect.stated;
    if (!resolved) continue;
    const now = resolved[0]!.t as number;
    const own = decode(json(pack), { resolved: true, now });
    // The source leaves out records whose value is data.
    t.strictSame(rounded(own.filter(({ vd }) => vd === undefined)), rounded(resolved), `${name}, resolved`);
  }
});

t.test('CBOR uses the numbers of the labels', async (t) => {
  t.equal(hex(codecs.encode('senml', [{ bn: 'a', v: 1 }], { format: 'cbor' })), '81a22161610201');
  t.strictSame(decode(unhex('81a20061610841ff')), [{ n: 'a', vd: Uint8Array.of(255) }]);
});

t.test('base values', async (t) => {
  const resolve = (pack: SenmlRecord[]) => decode(json(pack), { resolved: true, now: 2e9 });
  t.strictSame(
    resolve([{ bn: 'd:', bv: 10, bs: 100 }, { n: 'a', v: 1, s: 2 }, { n: 'b' }, { n: 'c', vs: 'x' }]),
    [
      { v: 11, s: 102, n: 'd:a', t: 2e9 },
      { v: 10, s: 100, n: 'd:b', t: 2e9 },
      { vs: 'x', s: 100, n: 'd:c', t: 2e9 },
    ],
  );
  t.strictSame(
    resolve([
      { bn: 'x', bt: 1e9, v: 1, t: 5 },
      { bn: 'y', v: 2 },
    ]).map(({ n, t }) => [n, t]),
    [
      ['x', 1e9 + 5],
      ['y', 1e9],
    ],
    'a base value holds until another takes its place',
  );
  t.strictSame(resolve([{ n: 'a', v: 1, t: -60, ut: 5, other: 'x' }]), [
    { v: 1, ut: 5, other: 'x', n: 'a', t: 2e9 - 60 },
  ]);
});

t.test('what is no pack is refused', async (t) => {
  const refused: [unknown, RegExp][] = [
    [{}, /a list of records/],
    [[7], /record 1 is no map/],
    [[{ n: 'a', v: '1' }], /record 1: v has a value of a wrong type/],
    [[{ n: 5, v: 1 }], /n has a value/],
    [[{ n: 'a', vb: 1 }], /vb has a value/],
    [[{ n: 'a', vd: '!' }], /vd has a value/],
    [[{ n: 'a', v: 1, x_: 1 }], /x_, which must be understood/],
    [Array(10_001).fill({}), /more than 10000/],
  ];
  for (const [pack, message] of refused) {
    t.throws(() => decode(json(pack)), { code: 'decode_error', message });
    t.throws(() => codecs.encode('senml', pack), { code: 'invalid_argument', message });
  }
  const resolved = { resolved: true };
  t.throws(() => decode(json([{ v: 1 }]), resolved), { code: 'decode_error', message: /no valid name/ });
  t.throws(() => decode(json([{ n: '-a', v: 1 }]), resolved), { message: /no valid name/ });
  t.throws(() => decode(json([{ n: 'a', v: 1, vs: '' }]), resolved), { message: /has 2 values/ });
  t.throws(() => decode(json([]), { resolved: 1 }), { code: 'invalid_argument' });
  t.throws(() => decode(Buffer.from('[{"n":"a","__proto__":{"v":1}}]')), { code: 'decode_error' });
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  const good = cases.flatMap(({ pack, cbor_hex }) => [json(pack), ...(cbor_hex ? [unhex(cbor_hex)] : [])]);
  let n = 0;
  abuse(t, codecs, 'senml', good, () => ({ resolved: n++ % 2 === 0 }));
});
