import t from 'tap';
import { framer } from '../../src/bytes/framers.js';
import { feed, hex, splits } from '../support/framing.js';
import { random } from '../support/random.js';

const text = (digits: string) => Buffer.from(digits, 'hex').toString('latin1');

function cut(kind: string, options: object, chunks: (string | Uint8Array | null)[]) {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk));
  const { frames, discards, pending } = feed(framer(kind, options), bytes);
  return { frames: frames.map(text), lost: discards.map((d) => `${d.reason} ${text(d.hex)}`), pending };
}

t.test('delimiter: the first of several ends, however the stream is cut', async (t) => {
  const rng = random(t);
  const options = { ends: [';', '*', '\r\n', '\n'] };
  for (const chunks of splits(Buffer.from('a;b*c\r\n\r\nd\ne;;\r;f'), rng)) {
    t.strictSame(cut('delimiter', options, chunks), {
      frames: ['a', 'b', 'c', 'd', 'e', '\r'],
      lost: [],
      pending: 1,
    });
  }
  t.strictSame(cut('delimiter', { ...options, keep: true }, ['a;b\r\n']).frames, ['a;', 'b\r\n']);
  t.strictSame(cut('delimiter', { ...options, max: 4 }, ['12345', '6*78*']), {
    frames: ['78'],
    lost: ['oversize 12345', 'oversize 6*'],
    pending: 0,
  });
});

t.test('delimiter: a terminator between quotes is none', async (t) => {
  const rng = random(t);
  const options = { start: '(', ends: ')', quote: '$', keep: true, max: 20 };
  for (const chunks of splits(Buffer.from('x(a$)b)$)(c)($$)'), rng)) {
    t.strictSame(cut('delimiter', options, chunks).frames, ['(a$)b)$)', '(c)', '($$)']);
  }
  t.strictSame(cut('delimiter', options, ['(a$)(b)', null]).frames, ['(b)'], 'a quote that is never closed');
  t.strictSame(cut('delimiter', options, ['(a$)xxxxxxxxxxxxxxx(b)']).frames, ['(b)'], 'or beyond max');
  t.throws(() => framer('delimiter', { quote: '""' }), /quote must be one byte/);
});

t.test('length: decimal digits in text', async (t) => {
  const rng = random(t);
  const options = { start: '$$', at: 4, size: 'decimal', add: -2, max: 40 };
  for (const chunks of splits(Buffer.from('$$A6,abc\r\n$$B10,abcdefg\r\n'), rng)) {
    t.strictSame(cut('length', options, chunks).frames, ['$$A6,abc', '$$B10,abcdefg']);
  }
  for (const [wrong, reason] of [
    ['$$Ax,a', 'malformed'],
    ['$$A1,a', 'malformed'],
    ['$$A123456789,', 'malformed'],
    ['$$A99,', 'oversize'],
  ]) {
    const { frames, lost } = cut('length', options, [`${wrong}$$A6,abc`]);
    t.strictSame([frames, lost], [['$$A6,abc'], [`${reason} ${wrong}`]]);
  }
  t.equal(cut('length', options, ['$$A12345678']).pending, 11, 'more digits may come');
});

t.test('length: what is shorter than it says, when its check holds', async (t) => {
  const options = { start: '$', at: 2, size: 1, rest: true, check: { name: 'xor' } };
  // 0x24 ^ 0x09 ^ 0x61 = 0x4c
  t.strictSame(cut('length', options, ['$\taL', null]).frames, ['$\taL']);
  t.strictSame(cut('length', options, ['$\ta', null, 'L']).frames, [], 'not what is no frame yet');
  t.strictSame(cut('length', options, ['$\ta$\x04aA', null]), {
    frames: ['$\x04aA'],
    lost: ['checksum $\ta'],
    pending: 0,
  });
});

t.test('check: a sum in hexadecimal digits', async (t) => {
  const check = { name: 'sum8', from: 1, to: -3, hex: true };
  const options = { ends: '\n', check };
  // 0x61 + 0x62 + 0x2a = 0xed
  t.strictSame(cut('delimiter', options, ['ab*ED\nab*ed\nab*EC\nab*E\nab*E \nE\n']), {
    frames: ['ab*ED', 'ab*ed'],
    lost: ['checksum ab*EC\n', 'checksum ab*E\n', 'checksum ab*E \n', 'checksum E\n'],
    pending: 0,
  });
  t.strictSame(
    cut('delimiter', { ends: '\n', check: { ...check, mark: '*' } }, ['ab*ED\nab\x2bEE\n\nE\n']).frames,
    ['ab*ED'],
  );
  const wide = { ends: '\n', check: { name: 'CRC-16/MODBUS', endian: 'little', hex: true } };
  t.strictSame(cut('delimiter', wide, ['123456789374B\n']).frames, ['123456789374B']);
});

t.test('check: packed decimals', async (t) => {
  const options = { size: 4, start: '$', check: { name: 'bcd', from: 2, to: 3 } };
  t.strictSame(cut('fixed', options, ['$\x12\x99\xff$\x12\x9aa$\xa0\x00a$$\x000']), {
    frames: ['$\x12\x99\xff', '$$\x000'],
    lost: ['checksum $\x12\x9aa', 'checksum $\xa0\x00a'],
    pending: 0,
  });
  const whole = { ends: '\n', check: { name: 'bcd' } };
  t.strictSame(cut('delimiter', whole, ['\x12\x34\n\x1a\n\x5a\n']).frames, ['\x12\x34']);
  t.throws(() => framer('fixed', { size: 4, check: { name: 'bcd', at: 3 } }), /unknown option "at"/);
});

t.test('fixed: frames of a few sizes', async (t) => {
  const options = { start: '$', size: [6, 4] };
  t.strictSame(cut('fixed', options, ['$abc']).frames, ['$abc'], 'ends with what was received');
  t.strictSame(cut('fixed', options, ['$abcde']).frames, ['$abcde']);
  t.strictSame(
    cut('fixed', options, ['$abcde$fgh$ijklm']).frames,
    ['$abcde', '$fgh', '$ijklm'],
    'another begins',
  );
  t.strictSame(cut('fixed', options, ['$abcd']), { frames: ['$abc'], lost: ['noise d'], pending: 0 });
  t.strictSame(cut('fixed', options, ['$ab', 'c']).frames, ['$abc']);
  t.throws(() => framer('fixed', { size: [] }), /size must be a whole number from 1 to .*, or a list/);
  t.throws(() => framer('fixed', { size: [4, 0] }), /size must be/);
  t.throws(() => framer('fixed', { size: [4, 60], max: 50 }), /size 60 is above max 50/);
});

t.test('hostile quotes cost no more than their length', async (t) => {
  const spec = framer('delimiter', { start: '(', ends: ')', quote: '$', max: 2048 });
  const stream = Buffer.from('($'.repeat(20_000));
  const { frames, pending } = feed(spec, [stream]);
  t.strictSame([frames, pending <= 2048], [[], true], hex(stream.subarray(0, 4)));
});
