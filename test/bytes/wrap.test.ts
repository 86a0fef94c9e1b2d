import t from 'tap';
import { framer } from '../../src/bytes/framers.js';
import { Options } from '../../src/bytes/options.js';
import { WRAPS } from '../../src/bytes/wrap.js';
import { feed, hex, splits, unhex } from '../support/framing.js';
import { random } from '../support/random.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  type: string;
  payload_hex?: string;
  expect: { stated?: { encoded_hex?: string; body_hex_without_end?: string } };
}
const cases = vectors<Case>('framing');
const wrap = (name: string, payload: Uint8Array, options: object = {}) =>
  hex(WRAPS.get(name)!(payload, new Options(name, options)));

t.test('vectors', async (t) => {
  for (const { name, type, payload_hex, expect } of cases) {
    const { encoded_hex, body_hex_without_end } = expect.stated ?? {};
    if (type === 'slip') t.equal(wrap('slip', unhex(payload_hex!)), `c0${body_hex_without_end}c0`, name);
    if (type !== 'cobs' && type !== 'cobsr') continue;
    t.equal(wrap('cobs', unhex(payload_hex!), { reduced: type === 'cobsr' }), `${encoded_hex}00`, name);
  }
});

t.test('what is wrapped is unwrapped by the framing of that name', async (t) => {
  const rng = random(t);
  const kinds: [string, object][] = [
    ['slip', {}],
    ['cobs', {}],
    ['cobs', { reduced: true }],
    ['hdlc', {}],
    ['hdlc', { crc: 'CRC-16/IBM-SDLC' }],
    ['hdlc', { crc: 'CRC-32/ISO-HDLC' }],
  ];
  for (const [name, options] of kinds) {
    for (let i = 0; i < 60; i++) {
      const length = rng.pick([1, 2, 10, 253, 254, 255, 256, 508, 600]);
      const alphabet = rng.pick([[0, 1, 255], [0xc0, 0xdb, 0xdc], [0x7e, 0x7d, 0x5e], undefined]);
      const payload = alphabet ? Uint8Array.from({ length }, () => rng.pick(alphabet)) : rng.bytes(length);
      const wire = unhex(wrap(name, payload, options).repeat(2));
      const chunks = rng.pick(splits(wire, rng));
      t.strictSame(feed(framer(name, options), chunks).frames, [hex(payload), hex(payload)], name);
    }
  }
  t.throws(() => wrap('slip', unhex(''), { crc: 'x' }), { message: /unknown option "crc"/ });
});

t.test('varint', async (t) => {
  const rng = random(t);
  const frames = ['c000', `3005${'61'.repeat(5)}`, `30c801${'62'.repeat(200)}`];
  for (const chunks of splits(unhex(frames.join('')), rng)) {
    t.strictSame(feed(framer('varint', { at: 2 }), chunks).frames, frames);
  }
  const bad = feed(framer('varint', { at: 2, max: 100, start: '\x30' }), [
    unhex('30ffffffff0130c80130023132'),
  ]);
  t.strictSame(bad.frames, ['30023132']);
  t.strictSame(
    bad.discards.map(({ reason }) => reason),
    ['malformed', 'oversize'],
  );
  t.strictSame(feed(framer('varint'), [unhex('0100')]).frames, ['0100']);
});
