import t from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { framer } from '../../src/bytes/framers.js';
import { feed, hex, splits, unhex } from '../support/framing.js';
import { random } from '../support/random.js';

const text = (line: string) => Buffer.from(line, 'latin1');
const FCS = crc('CRC-16/IBM-SDLC');

function cut(kind: string, stream: Uint8Array, ...more: (Uint8Array | null)[]) {
  const { frames, discards, pending } = feed(framer(kind), [stream, ...more]);
  return { frames, lost: discards.map(({ reason, hex }) => `${reason} ${hex}`), pending };
}

/** An HDLC frame of format type 3 around an information field, not stuffed. */
function hdlc(information: Uint8Array): Buffer {
  const content = Buffer.concat([unhex('a0000221130000'), information]);
  content.writeUInt16BE(0xa000 + content.length + 2);
  content.writeUInt16LE(Number(FCS.compute(content, 0, 5)), 5);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(Number(FCS.compute(content)));
  return Buffer.concat([content, check]);
}

const flagged = (...frames: Uint8Array[]) =>
  Buffer.concat([unhex('7e'), ...frames.flatMap((frame) => [frame, unhex('7e')])]);

function stuff(content: Uint8Array): Buffer {
  return Buffer.from([...content].flatMap((b) => (b === 0x7e || b === 0x7d ? [0x7d, b ^ 0x20] : [b])));
}

t.test('frames come out the same however the stream is cut', async (t) => {
  const rng = random(t);
  const information = unhex('e6e7000f7e7da0');
  const streams = {
    dlt645: unhex('fefefefe68610100000000681104333334331416fefe6812907856341268d101358d1600'),
    dsmr_p1: text(
      'x/ISk5\\2M\r\n\r\n1-0:1.8.1(1*kWh)\r\n!\r\n/NWA-W\r\n!0000\r\n/LGF5E\r\n0-0(m3/h)\r\n!\r\n',
    ),
    iec62056_21: text(
      '\0\0/?!\r\n/ABC5x\r\n\x06050\r\n\x02(1)\r\n!\r\n\x03\x1c\x01B0\x03q\x15\x061.8.0(1)\r\n',
    ),
    dlms_hdlc: Buffer.concat([
      flagged(hdlc(information), hdlc(unhex('01'))),
      unhex('00'),
      flagged(stuff(hdlc(information))),
    ]),
  };
  for (const [kind, stream] of Object.entries(streams)) {
    const whole = feed(framer(kind), [stream]);
    t.ok(whole.frames.length >= 2, kind);
    for (const chunks of splits(stream, rng)) {
      const { frames, discards } = feed(framer(kind), chunks);
      t.strictSame(frames, whole.frames, kind);
      const sum = (list: { hex: string }[]) => list.reduce((n, item) => n + item.hex.length, 0);
      t.equal(sum(discards), sum(whole.discards), kind);
    }
  }
});

t.test('dlt645: preambles are no loss, false starts are judged as soon as they can be', async (t) => {
  const good = '68610100000000681104333334331416';
  t.strictSame(cut('dlt645', unhex(`fefefe${good}fefe`)), { frames: [good], lost: [], pending: 0 });
  t.strictSame(cut('dlt645', unhex(`68fe68${good}`)).frames, [good], 'the second 68 is missing');
  t.strictSame(cut('dlt645', unhex(good.replace(/1416$/, '1516'))).lost, [
    `checksum ${good.slice(0, -4)}1516`,
  ]);
  t.strictSame(cut('dlt645', unhex(good.replace(/16$/, '17'))).frames, []);
  t.strictSame(cut('dlt645', unhex(`fe01${good}`)).lost, ['noise fe01']);
  // A length beyond what follows waits for silence, then gives way.
  const false_ = '6861010000000068910a';
  t.strictSame(cut('dlt645', unhex(false_ + good.slice(0, 20)), unhex(good), null).frames, [good]);
});

t.test('dsmr_p1: CRC where there is one, line ends that do not come, headers within telegrams', async (t) => {
  const body = '/LGF5E360\r\n\r\n1-0:1.8.0(1*kWh)\r\n!';
  const sum = Number(crc('CRC-16/ARC').compute(text(body)))
    .toString(16)
    .toUpperCase();
  const good = text(`${body}${sum}\r\n`);
  t.strictSame(cut('dsmr_p1', good).frames, [hex(good)]);
  t.strictSame(cut('dsmr_p1', text(`${body}${sum.toLowerCase()}\n`)).frames.length, 1);
  t.strictSame(cut('dsmr_p1', text(body + sum), null).frames, [hex(text(body + sum))]);
  t.strictSame(cut('dsmr_p1', text(`${body.replace('1*', '2*')}${sum}\r\n`)).lost.length, 1);
  t.strictSame(cut('dsmr_p1', text(body.slice(0, 30)), good).frames, [hex(good)], 'cut short');
  t.strictSame(cut('dsmr_p1', Buffer.concat([text('/a!b!'), good])).frames, [hex(good)]);
  t.strictSame(cut('dsmr_p1', text(body.slice(0, 30)), null).frames, []);
  t.ok(cut('dsmr_p1', text(body.slice(0, 30)), null).lost.length > 0);
});

t.test('iec62056_21: content of a bad block is not taken for lines', async (t) => {
  const block = text('\x023:171.0(0)\x03\x12');
  t.strictSame(cut('iec62056_21', block).frames, [hex(block)]);
  const bad = text('\x023:171.0(0)\r\n1(2)\r\n\x03\x11');
  t.strictSame(cut('iec62056_21', bad).lost, [`checksum ${hex(bad)}`]);
  t.strictSame(cut('iec62056_21', bad.subarray(0, -2), null), {
    frames: [],
    lost: [`timeout ${hex(bad.subarray(0, -2))}`],
    pending: 0,
  });
  t.strictSame(cut('iec62056_21', Buffer.concat([bad.subarray(0, -4), block])).frames, [hex(block)]);
  const command = text('\x01R1\x021.8.0(1)\x03k');
  t.strictSame(cut('iec62056_21', Buffer.concat([bad.subarray(0, 3), command])).frames, [hex(command)]);
  t.strictSame(cut('iec62056_21', text('\x02(1)/ABC5x\r\n')).frames, [hex(text('/ABC5x\r\n'))]);
  t.strictSame(cut('iec62056_21', text('\x06'), null).frames, ['06']);
  t.strictSame(cut('iec62056_21', text('1.8.0(1)'), null).frames, [hex(text('1.8.0(1)'))]);
  t.strictSame(cut('iec62056_21', unhex('80ff0c41'), text('(1)\r\n')).frames, [hex(text('A(1)\r\n'))]);
});

t.test('dlms_hdlc: the length is trusted, stuffed frames are unstuffed, flags are shared', async (t) => {
  const frame = hdlc(unhex('e6e7000f7e7e7d01'));
  const content = hex(frame.subarray(0, -2));
  t.strictSame(cut('dlms_hdlc', flagged(frame, frame)), { frames: [content, content], lost: [], pending: 0 });
  t.strictSame(cut('dlms_hdlc', Buffer.concat([flagged(frame), flagged(frame)])).frames, [content, content]);
  t.strictSame(cut('dlms_hdlc', flagged(stuff(frame), frame)).frames, [content, content]);
  const bad = Buffer.from(frame);
  bad[10]! ^= 1;
  const both = cut('dlms_hdlc', Buffer.concat([flagged(bad), flagged(frame)]));
  t.strictSame([both.frames, both.lost.length > 0], [[content], true]);
  t.strictSame(cut('dlms_hdlc', unhex('e6e7000f0000'), null).frames, ['e6e7000f0000'], 'without HDLC');
  t.strictSame(cut('dlms_hdlc', Buffer.concat([unhex('e6e70001'), flagged(frame)])).frames, [content]);
});

t.test('noise is bounded and does not stay', async (t) => {
  const rng = random(t);
  for (const kind of ['dlt645', 'dsmr_p1', 'iec62056_21', 'dlms_hdlc']) {
    const spec = framer(kind, { max: kind === 'dlt645' ? 267 : 4096 });
    const chunks: (Uint8Array | null)[] = [];
    for (let i = 0; i < 60; i++) {
      const alphabet = [0x7e, 0xa0, 0x7d, 0x68, 0xfe, 0x2f, 0x21, 2, 3, 1, 0x41, 10, 0xe6, 0xe7, 0];
      chunks.push(rng.bytes(500).map((byte) => (byte & 1 ? byte : alphabet[byte % alphabet.length]!)));
    }
    t.ok(feed(spec, [...chunks, ...Array(5000).fill(null)]).pending === 0, kind);
  }
});
