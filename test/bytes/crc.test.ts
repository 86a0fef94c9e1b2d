import { readFileSync } from 'node:fs';
import t from 'tap';
import { adler32, CHECKSUMS, findCheck, fletcher16, lrc, sum8, xor } from '../../src/bytes/checksum.js';
import { crc } from '../../src/bytes/crc.js';
import { CRC_CATALOGUE } from '../../src/bytes/crc_catalogue.js';
import { random } from '../support/random.js';
import { slowCrc } from '../support/slow_crc.js';

interface Vector {
  name: string;
  type: string;
  input_ascii?: string;
  input_hex?: string;
  expect: Record<string, { check_hex: string }>;
}
const vectors = JSON.parse(readFileSync('test/vectors/crc.json', 'utf8')) as { cases: Vector[] };
const digits = Buffer.from('123456789');

t.test('every row of the catalogue gives its check value, under each of its names', async (t) => {
  for (const [name, width, , , , , , check, ...aliases] of CRC_CATALOGUE) {
    for (const alias of [name, ...aliases, name.toLowerCase()]) {
      t.equal(crc(alias).compute(digits).toString(16), BigInt(`0x${check}`).toString(16), alias);
      t.equal(crc(alias).width, width);
      t.equal(crc(alias).name, name);
    }
  }
  const names = CRC_CATALOGUE.flatMap(([name, , , , , , , , ...aliases]) => [name, ...aliases]);
  t.equal(new Set(names).size, names.length, 'no name stands for two rows');
});

t.test('the published vectors', async (t) => {
  for (const { name, type, expect, ...input } of vectors.cases) {
    if (!type.startsWith('crc')) continue;
    const bytes = Buffer.from(input.input_ascii!);
    t.equal(
      findCheck(name).compute(bytes).toString(16),
      BigInt(`0x${expect.stated!.check_hex}`).toString(16),
      name,
    );
  }
});

t.test('any range of any bytes agrees with the bitwise twin', async (t) => {
  const rng = random(t);
  for (const row of CRC_CATALOGUE) {
    const bytes = rng.bytes(rng.below(70));
    const from = rng.below(bytes.length + 1);
    const to = from + rng.below(bytes.length - from + 1);
    t.equal(BigInt(crc(row[0]).compute(bytes, from, to)), slowCrc(row, bytes.subarray(from, to)), row[0]);
  }
});

t.test('the simple checksums', async (t) => {
  const stated = (name: string) => vectors.cases.find((vector) => vector.name === name)!.expect;
  t.equal(adler32(digits).toString(16), stated('adler-32').computed!.check_hex.replace(/^0/, ''));
  t.equal(sum8(digits).toString(16), stated('sum8 (mod 256)').computed!.check_hex);
  t.match(stated('fletcher test vector #2').stated, {
    fletcher16_hex: fletcher16(Buffer.from('abcdef')).toString(16),
  });
  t.equal(lrc(Buffer.from('0183028601', 'hex'), 0, 3), 0x7a, 'a range');
  t.equal((sum8(digits) + lrc(digits)) & 0xff, 0, 'the sum with its LRC is zero');
  t.equal(xor(digits), 0x31);
});

t.test('long sums do not overflow', async (t) => {
  const bytes = new Uint8Array(1 << 20).fill(0xff);
  let a = 1n;
  let b = 0n;
  for (const byte of bytes) {
    a += BigInt(byte);
    b += a;
  }
  t.equal(BigInt(adler32(bytes)), ((b % 65521n) << 16n) | (a % 65521n));
});

t.test('an unknown name says what is known', async (t) => {
  t.throws(() => crc('CRC-99'), { code: 'invalid_argument', message: /CRC-99/ });
  t.throws(() => findCheck('crc99'), { code: 'invalid_argument', message: /crc99.*lrc, xor.*RevEng/ });
  t.equal(findCheck('xor'), CHECKSUMS[1]);
});
