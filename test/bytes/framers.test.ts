import t from 'tap';
import { sum8 } from '../../src/bytes/checksum.js';
import { crc } from '../../src/bytes/crc.js';
import type { FramerSpec } from '../../src/bytes/framer.js';
import { FRAMER_NAMES, framer } from '../../src/bytes/framers.js';
import { feed, hex, splits, unhex } from '../support/framing.js';
import { type Random, random } from '../support/random.js';
import {
  type SlowFramer,
  slowBracket,
  slowCobs,
  slowDelimiter,
  slowFrames,
  slowLength,
  slowMbus,
  slowModbus,
  slowSlip,
  slowSml,
} from '../support/slow_framing.js';

const withCrc = (name: string, body: Uint8Array) => {
  const value = Number(crc(name).compute(body));
  return Buffer.concat(
    [body, crc(name).size === 1 ? [value] : [value & 0xff, value >> 8]].map((part) => Uint8Array.from(part)),
  );
};

interface Framing {
  name: string;
  spec: FramerSpec;
  slow: SlowFramer;
  /** A good frame's wire bytes. */
  make(rng: Random): Uint8Array;
  /** Bytes that its marks and escapes are made of, for streams that are nearly right. */
  alphabet: number[];
  /** Noise before a frame does not become a part of it. */
  findsStart: boolean;
}

const modbusFrame = (rng: Random) => {
  const unit = 1 + rng.below(247);
  const n = 2 * rng.below(20);
  const pdu = rng.pick([
    [3, n, ...rng.bytes(n)],
    [6, ...rng.bytes(4)],
    [0x83, 1 + rng.below(11)],
  ]);
  return withCrc('CRC-16/MODBUS', Uint8Array.of(unit, ...pdu));
};

/** Without the single character, which cannot be told from a byte of a frame that was cut off. */
const mbusFrame = (rng: Random): Uint8Array => {
  const long = rng.below(2) === 0;
  const content = rng.bytes(long ? 3 + rng.below(20) : 2);
  const head = long ? [0x68, content.length, content.length, 0x68] : [0x10];
  const frame = Uint8Array.of(...head, ...content, sum8(content), 0x16);
  return frame.includes(0xe5) ? mbusFrame(rng) : frame;
};

const smlFrame = (rng: Random) => {
  const mark = [0x1b, 0x1b, 0x1b, 0x1b];
  const content = [...rng.bytes(4 * rng.below(8))].flatMap((byte) =>
    byte < 40 ? [...mark, ...mark] : [byte],
  );
  const padding = (4 - (content.length % 4)) % 4;
  return withCrc(
    rng.below(4) ? 'CRC-16/IBM-SDLC' : 'CRC-16/KERMIT',
    Uint8Array.of(...mark, 1, 1, 1, 1, ...content, ...Array(padding).fill(0), ...mark, 0x1a, padding),
  );
};

const FRAMINGS: Framing[] = [
  {
    name: 'delimiter',
    spec: framer('delimiter', { max: 40 }),
    slow: slowDelimiter([13, 10], 40),
    make: (rng) => Buffer.from(`${'x'.repeat(1 + rng.below(38))}\r\n`),
    alphabet: [13, 10, 13, 10, 65],
    findsStart: false,
  },
  {
    name: 'length',
    spec: framer('length', { start: 'ab', at: 3, size: 1, add: 3, max: 60, check: { name: 'CRC-8/SMBUS' } }),
    slow: slowLength([0x61, 0x62], 60),
    make: (rng) => {
      const body = rng.bytes(rng.below(30));
      return withCrc('CRC-8/SMBUS', Uint8Array.of(0x61, 0x62, body.length + 1, ...body));
    },
    alphabet: [0x61, 0x62, 0x61, 0x62, 1, 2, 3],
    findsStart: true,
  },
  {
    name: 'slip',
    spec: framer('slip', { max: 50 }),
    slow: slowSlip(50),
    make: (rng) => {
      const plain = [...rng.bytes(1 + rng.below(20))];
      return Uint8Array.from([
        ...plain.flatMap((b) => (b === 0xc0 ? [0xdb, 0xdc] : b === 0xdb ? [0xdb, 0xdd] : [b])),
        0xc0,
      ]);
    },
    alphabet: [0xc0, 0xdb, 0xdc, 0xdd, 1],
    findsStart: false,
  },
  {
    name: 'cobs',
    spec: framer('cobs', { max: 300 }),
    slow: slowCobs(300),
    make: (rng) => {
      const size = 1 + rng.below(200);
      return Uint8Array.of(size + 1, ...rng.bytes(size).map((b) => b || 1), 0);
    },
    alphabet: [0, 1, 2, 3, 4],
    findsStart: false,
  },
  {
    name: 'bracket',
    spec: framer('bracket', {
      open: '<',
      close: '>',
      max: 30,
      escape: { '\\<': '<', '\\>': '>', '\\\\': '\\' },
    }),
    slow: slowBracket(0x3c, 0x3e, 0x5c, 30),
    make: (rng) => Buffer.from(`<${['', 'abc', '\\>x', '\\\\', '\\<\\>'][rng.below(5)]}>`),
    alphabet: [0x3c, 0x3e, 0x5c, 0x5c, 0x41],
    findsStart: true,
  },
  {
    name: 'modbus_rtu',
    spec: framer('modbus_rtu', { side: 'client' }),
    slow: slowModbus,
    make: modbusFrame,
    alphabet: [3, 6, 0x83],
    findsStart: true,
  },
  {
    name: 'mbus',
    spec: framer('mbus'),
    slow: slowMbus,
    make: mbusFrame,
    alphabet: [0x68, 0x68, 0x10, 0x16, 3, 4],
    findsStart: false,
  },
  {
    name: 'sml',
    spec: framer('sml', { max: 400 }),
    slow: slowSml,
    make: smlFrame,
    alphabet: [0x1b, 0x1b, 0x1b, 0x1b, 1, 0x1a, 0],
    findsStart: true,
  },
];

for (const { name, spec, slow, make, alphabet, findsStart } of FRAMINGS) {
  t.test(`${name}: agrees with its twin on any stream, however it is cut`, async (t) => {
    const rng = random(t);
    for (let round = 0; round < 60; round++) {
      const parts = Array.from({ length: 12 }, () =>
        rng.below(3) === 0 ? Uint8Array.from({ length: rng.below(12) }, () => rng.pick(alphabet)) : make(rng),
      );
      if (name === 'modbus_rtu' && parts.some((part) => part.some((byte) => !alphabet.includes(byte)))) {
        // The twin knows few functions; a stream of good frames never makes it look elsewhere.
        for (let i = 0; i < parts.length; i++) parts[i] = rng.below(4) ? make(rng) : Uint8Array.of();
      }
      const stream = Buffer.concat(parts);
      const expected = slowFrames(slow, stream);
      for (const chunks of splits(stream, rng)) {
        const { frames } = feed(spec, chunks);
        if (expected.join() !== frames.join()) {
          t.strictSame(frames, expected, `${hex(stream)} in ${chunks.length} chunks`);
          return;
        }
      }
    }
    t.pass('all rounds');
  });

  t.test(`${name}: noise, truncated and merged frames`, async (t) => {
    const rng = random(t);
    // Rounds in which bytes that nobody sent as a frame have a right CRC, and may cost a good one: of Modbus frames,
    // whose CRC is all that tells them from noise, one round in 1700, and three of 40 rounds once in 400,000 runs.
    let lucky = 0;
    for (let round = 0; round < 40; round++) {
      const wires = Array.from({ length: 6 }, () => make(rng));
      const good = wires.flatMap((wire) => feed(spec, [wire]).frames);
      t.equal(good.length, wires.length);
      const merged = Buffer.concat(wires);
      for (const chunks of splits(merged, rng)) t.strictSame(feed(spec, chunks).frames, good, 'merged');

      const cut = wires[0]!.subarray(0, rng.below(wires[0]!.length));
      const truncated = feed(spec, [merged, cut, ...Array<null>(cut.length).fill(null)]);
      let chance = findsStart && truncated.frames.length > good.length;
      t.strictSame(chance ? truncated.frames.slice(0, good.length) : truncated.frames, good);
      t.equal(truncated.pending, 0, 'a truncated frame is given up');

      if (!findsStart) continue;
      const noise = () => rng.bytes(rng.below(20));
      const noisy = Buffer.concat([noise(), ...wires.flatMap((wire) => [wire, noise()])]);
      for (const chunks of splits(noisy, rng)) {
        const { frames, discards, pending } = feed(spec, [...chunks, ...Array<null>(80).fill(null)]);
        const missing = good.filter((frame) => !frames.includes(frame));
        // Where a check guards them, noise neither swallows good frames nor becomes one (but for chance).
        if (name !== 'bracket') {
          if (frames.some((frame) => !good.includes(frame))) chance = true;
          else t.strictSame(missing, [], `noise ${hex(noisy)}`);
        }
        t.equal(pending, 0);
        if (name === 'length' && chunks.length === 1) t.ok(discards.length <= 8, 'noise is told in runs');
      }
      if (chance) lucky++;
    }
    t.ok(lucky <= 2, `${lucky} rounds with a frame that nobody sent`);
  });
}

t.test('memory is bounded and noise never accumulates', async (t) => {
  const rng = random(t);
  const specs = [
    ...FRAMINGS.map((framing) => framing.spec),
    framer('hdlc', { max: 100 }),
    framer('length', { at: 1, size: 2, max: 100 }),
    framer('delimiter', { start: '$', max: 100 }),
    framer('bracket', { open: '\x10\x02', close: '\x10\x03', escape: { '\x10\x10': '\x10' }, max: 100 }),
    framer('modbus_rtu', { side: 'server' }),
    framer('any', [framer('bracket', { open: '(', close: ')', max: 50 }), framer('delimiter', { max: 80 })]),
    framer('gap', { ms: 5, max: 100 }),
  ];
  for (const spec of specs) {
    for (const fill of [undefined, 0x24, 0x3c, 0x7e, 0x00, 0x41, 0x10, 0x61]) {
      const chunks = Array.from({ length: 100 }, () =>
        fill === undefined ? rng.bytes(97) : new Uint8Array(97).fill(fill),
      );
      // feed() fails when more than max is held after a push.
      const { pending } = feed(spec, chunks);
      t.ok(pending <= spec.max, `${spec.kind} of ${fill}`);
    }
  }
});

t.test('a false length header does not withhold the good frames behind it beyond one expiry', async (t) => {
  const frame = (n: number) => {
    const body = Uint8Array.of(0xfe, 4, n, 1, 2);
    return Uint8Array.of(...body, sum8(body));
  };
  const spec = framer('length', { start: '\xfe', at: 2, size: 1, add: 2, check: { name: 'sum8' } });
  const good = Array.from({ length: 31 }, (_, i) => frame(i));
  const expected = good.map(hex);
  // Three false headers in a row, each claiming more than is there.
  const stream = Buffer.concat([Uint8Array.of(0xfe, 250, 0xfe, 251, 0xfe, 252), ...good]);
  const before = feed(spec, [stream]);
  t.strictSame(before.frames, []);
  t.equal(before.pending, stream.length);
  const after = feed(spec, [stream, null]);
  t.strictSame(after.frames, expected);
  t.strictSame(after.discards, [{ reason: 'timeout', hex: 'fefafefbfefc' }]);

  // The same on a Modbus line: the byte count 0xf0 asks for 245 bytes.
  const rtu = framer('modbus_rtu', { side: 'client' });
  const replies = Array.from({ length: 10 }, (_, i) =>
    withCrc('CRC-16/MODBUS', Uint8Array.of(1, 3, 2, 0, i)),
  );
  const line = feed(rtu, [Buffer.concat([Uint8Array.of(1, 3, 0xf0), ...replies]), null]);
  t.strictSame(line.frames, replies.map(hex));

  // When the claim comes true but the check fails, the good frames inside are found at once.
  const claimed = Buffer.concat([Uint8Array.of(0xfe, 16), frame(1), frame(2), frame(3)]);
  t.strictSame(feed(spec, [claimed]).frames, [frame(1), frame(2), frame(3)].map(hex));
});

t.test('what is dropped is told in runs, with its reason', async (t) => {
  const spec = framer('length', { start: '\xfe', at: 2, size: 1, add: 2, max: 20, check: { name: 'xor' } });
  const good = 'fe0201fd';
  const runs = (stream: string) =>
    feed(spec, [unhex(stream)]).discards.map(({ reason, hex }) => `${reason} ${hex}`);
  t.strictSame(feed(spec, [unhex(good)]).frames, [good]);
  t.strictSame(runs(`010203${good}0405${good}`), ['noise 010203', 'noise 0405']);
  t.strictSame(runs(`fe020105${good}`), ['checksum fe020105'], 'a bad frame is one run');
  t.strictSame(runs(`fe020105fe020106${good}`), ['checksum fe020105', 'checksum fe020106'], 'two are two');
  t.strictSame(runs(`feff0102${good}`), ['oversize feff0102'], 'what follows a bad start goes with it');
  const short = framer('length', { start: '\xfe', at: 2, size: 1 });
  t.strictSame(feed(short, [unhex('fe01fe02')]).discards, [{ reason: 'malformed', hex: 'fe01' }]);
  const line = framer('delimiter', { max: 5, ends: '\n' });
  const long = feed(
    line,
    ['abc\nabcdefg', 'hij', 'k\nxy\n'].map((text) => Buffer.from(text)),
  );
  t.strictSame(
    long.frames,
    ['abc', 'xy'].map((text) => hex(Buffer.from(text))),
  );
  t.equal(
    long.discards.map((discard) => Buffer.from(discard.hex, 'hex').toString()).join(''),
    'abcdefghijk\n',
  );
  t.ok(long.discards.every((discard) => discard.reason === 'oversize'));
});

t.test('a checksum over nothing is not right', async (t) => {
  const spec = framer('length', { start: '\0\0', at: 3, size: 1, add: 4, check: { name: 'xor', from: 4 } });
  for (const zeros of ['', '0000', '00000000000000']) {
    t.strictSame(feed(spec, [unhex(`${zeros}00000307080906`)]).frames, ['00000307080906'], zeros);
  }
});

t.test('JT/T 808: the same mark opens and closes', async (t) => {
  const spec = framer('bracket', {
    open: '~',
    close: '~',
    escape: new Map([
      ['\x7d\x01', '\x7d'],
      ['\x7d\x02', '~'],
    ]),
    check: { name: 'xor' },
  });
  const frame = (...content: number[]) => {
    const checked = [...content, content.reduce((a, b) => a ^ b, 0)];
    return Uint8Array.of(
      0x7e,
      ...checked.flatMap((b) => (b === 0x7e ? [0x7d, 2] : b === 0x7d ? [0x7d, 1] : [b])),
      0x7e,
    );
  };
  const a = frame(1, 2, 0x7e, 0x7d, 3);
  const b = frame(9, 8);
  t.strictSame(feed(spec, [Buffer.concat([a, b])]).frames, [
    `01027e7d03${hex(Uint8Array.of(1 ^ 2 ^ 0x7e ^ 0x7d ^ 3))}`,
    '090801',
  ]);
  // Begun in the middle of a frame: its end looks like a beginning.
  t.strictSame(feed(spec, [Buffer.concat([a.subarray(3), b, a])]).frames.length, 2);
  // A lost end: the frame behind it is found.
  t.strictSame(feed(spec, [Buffer.concat([b.subarray(0, -1), a, b])]).frames.slice(-1), ['090801']);
});

t.test('DLE stuffing: the closing mark within an escape is none', async (t) => {
  const spec = framer('bracket', { open: '\x10\x02', close: '\x10\x03', escape: { '\x10\x10': '\x10' } });
  const stream = unhex('ff1002411010034210031002431003');
  for (const chunks of splits(stream, random(t))) t.strictSame(feed(spec, chunks).frames, ['41100342', '43']);
});

t.test('mbus: a byte of a damaged frame is no acknowledgement', async (t) => {
  const spec = framer('mbus');
  const long = '6804046808e570015e16';
  const run = (...hexes: string[]) => feed(spec, hexes.map(unhex));
  t.strictSame(run(long), { frames: [long], discards: [], pending: 0 });
  t.strictSame(run('e5', 'e5e51040014116e5').frames, ['e5', 'e5', 'e5', '1040014116', 'e5']);
  t.strictSame(run('6804046808e570015f16e5'), {
    frames: ['e5'],
    discards: [{ reason: 'checksum', hex: '6804046808e570015f16' }],
    pending: 0,
  });
  t.strictSame(run('6804056808e570015e161040014116').frames, ['1040014116'], 'two different lengths');
  t.strictSame(run('6804046808e570011040014116', '00').frames, ['1040014116'], 'bytes were lost');
  t.strictSame(run('6802026808e500').frames, [], 'a length that no frame has');
  t.strictSame(run('1040014216').discards.length, 1, 'a wrong checksum');
});

t.test('any: the first framing whose start matches', async (t) => {
  const spec = framer('any', {
    1: framer('length', { start: '\x78\x78', at: 3, size: 1, add: 5 }),
    2: framer('length', { start: '\x79\x79', at: 3, size: 2, add: 6 }),
    3: framer('delimiter', { start: '*', ends: '#', keep: true }),
    partial: 7,
  });
  t.equal(spec.partial, 7);
  const frames = ['7878010a0b0c', '797900020a0b0102', hex(Buffer.from('*HQ,1#'))];
  const stream = unhex(frames.join('00'));
  for (const chunks of splits(stream, random(t))) {
    const outcome = feed(spec, chunks);
    t.strictSame(outcome.frames, frames);
    t.strictSame([...new Set(outcome.discards.map((discard) => discard.reason))], ['noise']);
  }
});

t.test('gap: silence ends a frame', async (t) => {
  const spec = framer('gap', { ms: 20, max: 4, start: '\x01' });
  t.equal(spec.partial, 0.02);
  const outcome = feed(spec, [
    Uint8Array.of(1, 2),
    Uint8Array.of(3),
    null,
    Uint8Array.of(9),
    null,
    Uint8Array.of(1, 2, 3),
    Uint8Array.of(4, 5),
    Uint8Array.of(6),
    null,
    Uint8Array.of(1),
    null,
  ]);
  t.strictSame(outcome.frames, ['010203', '01']);
  t.strictSame(
    outcome.discards.map(({ reason, hex }) => `${reason} ${hex}`),
    ['noise 09', 'oversize 0102030405', 'oversize 06'],
  );
  const late = spec.create();
  late.push(Uint8Array.of(1));
  late.expire();
  late.push(Uint8Array.of(1, 2));
  t.equal(hex(late.next()!), '01', 'frames not pulled yet stay apart');
  t.equal(late.next(), undefined);
  t.equal(late.clear(), 2);
  t.equal(late.position, 3);
});

t.test('expire leaves complete frames alone', async (t) => {
  const framer1 = framer('delimiter', {}).create();
  framer1.push(Buffer.from('a\r\nb'));
  framer1.expire();
  t.equal(hex(framer1.next()!), '61');
  t.equal(framer1.next(), undefined);
  framer1.expire();
  t.equal(framer1.pending, 0);
  t.equal(framer1.position, 4);
  framer1.expire();
  t.equal(framer1.clear(), 0);
});

t.test('bad frames within bad frames cost bounded work', async (t) => {
  // Every position claims the rest of the stream, and no check is ever right.
  const spec = framer('length', { at: 1, size: 2, check: { name: 'CRC-32/ISO-HDLC' }, max: 65536 });
  const stream = new Uint8Array(3 * 65536).fill(0x7f);
  const { frames, pending } = feed(spec, [stream.subarray(0, 65536), stream.subarray(65536)]);
  t.strictSame(frames, []);
  t.ok(pending < 65536);
});

t.test('wrong options are refused with their name and range', async (t) => {
  const refused: [string, unknown, RegExp][] = [
    ['delimeter', {}, /no framer named "delimeter": there are delimiter, length/],
    ['delimiter', 'x', /needs a table of options, not "x"/],
    [
      'delimiter',
      { end: '\n' },
      /unknown option "end"; known are ends, keep, rest, quote, max, start, check, partial/,
    ],
    ['delimiter', { ends: '' }, /ends must be a string of 1 to 64 bytes/],
    ['delimiter', { ends: 'ü€' }, /ends must be a string of 1 to 64 bytes/],
    ['delimiter', { max: 0 }, /max must be a whole number from 3 to 16777216, not 0/],
    ['delimiter', { keep: 1 }, /keep must be true or false/],
    ['delimiter', { partial: -1 }, /partial must be a number above 0/],
    ['delimiter', ['\n'], /takes named options only/],
    ['length', {}, /at is missing: a whole number from 1/],
    ['length', { at: 1, size: 5 }, /size must be one of 1, 2, 3, 4, decimal, not 5/],
    ['length', { at: 1, size: 1, endian: 'middle' }, /endian must be one of big, little, not "middle"/],
    ['length', { at: 1, size: 1, start: [] }, /start must be a string of 1 to 64 bytes, or a list/],
    ['length', { at: 1, size: 1, check: { name: 'md5' } }, /no check named "md5"/],
    ['length', { at: 1, size: 1, check: { name: 'xor', at: 0 } }, /check: at must be a position/],
    ['fixed', { size: 100, max: 50 }, /size 100 is above max 50/],
    ['bracket', { open: '<' }, /close is missing/],
    ['bracket', { open: '<', close: '>', start: '<' }, /unknown option "start"/],
    ['bracket', { open: '<', close: '>', escape: { a: 'bcd' } }, /escape must be a table/],
    ['hdlc', { crc: 'CRC-17' }, /no CRC named "CRC-17"/],
    ['modbus_rtu', {}, /side is missing: one of client, server, both/],
    ['gap', {}, /ms is missing/],
    ['any', {}, /needs 1 to 32 alternatives/],
    ['any', [framer('fixed', { size: 1 }), framer('slip')], /alternative 1 needs a start/],
    ['any', [framer('gap', { ms: 1 })], /alternative 1 must be a framer other than gap/],
  ];
  for (const [kind, options, message] of refused) {
    t.throws(() => framer(kind, options), { code: 'invalid_argument', message }, String(message));
  }
  t.equal(framer('delimiter', {}, { max: 1000 }).max, 1000, 'the owner sets the default');
  for (const name of ['delimiter', 'length', 'any', 'modbus_rtu']) t.ok(FRAMER_NAMES.includes(name), name);
});
