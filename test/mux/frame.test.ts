import { readFileSync } from 'node:fs';
import t from 'tap';
import { FrameDecoder } from '../../src/mux/decoder.js';
import { FrameEncoder } from '../../src/mux/encoder.js';
import { describeFrame, FIN, readHeader, SYN, writeHeader } from '../../src/mux/frame.js';
import { frame } from './wire.js';

interface Vector {
  name: string;
  type: string;
  hex?: string;
  fields?: { frame_type: number; length: number; stream_id: number; flags: number };
  expect: { stated?: Record<string, unknown>; reference?: Record<string, unknown> };
}

const { cases } = JSON.parse(readFileSync('test/vectors/muxado.json', 'utf8')) as { cases: Vector[] };
const decoder = () => new FrameDecoder(1024);

/** What the decoder makes of one frame, in the vectors' words. */
function decode(bytes: Buffer): Record<string, unknown> {
  const d = decoder();
  d.push(bytes);
  if (!d.next()) return { rejected: 'unexpected end' };
  const { type, flags, streamId } = d.header;
  const payload = Buffer.from(d.payload).toString('hex');
  return {
    frame_type: type,
    stream_id: streamId,
    flags,
    payload_hex: payload,
    debug_hex: payload,
    fin: (flags & FIN) !== 0,
    syn: (flags & SYN) !== 0,
    error_code: d.value,
    increment: d.value,
    last_stream_id: d.lastStreamId,
    leaves_unread: bytes.length - 8 - d.header.length,
  };
}

for (const { name, type, hex = '', fields, expect } of cases) {
  t.test(`vector: ${name}`, async (t) => {
    const wanted = { ...expect.stated, ...expect.reference };
    const bytes = Buffer.from(hex, 'hex');
    if (fields) {
      t.throws(
        () =>
          writeHeader(Buffer.alloc(8), 0, fields.frame_type, fields.flags, fields.stream_id, fields.length),
        RangeError,
      );
    } else if (type === 'header') {
      const header = readHeader(bytes, 0);
      t.match({ ...header, frame_type: header.type, stream_id: header.streamId }, wanted);
      const again = Buffer.alloc(8);
      writeHeader(again, 0, header.type, header.flags, header.streamId, header.length);
      t.equal(again.toString('hex'), hex);
    } else if (wanted.rejected === 'frame size') {
      t.throws(() => decode(bytes), { code: 'frame_size' });
    } else {
      t.match(decode(bytes), wanted);
    }
  });
}

t.test('encoding gives the bytes of the vectors', async (t) => {
  const encoded = (add: (encoder: FrameEncoder) => void) => {
    const encoder = new FrameEncoder();
    add(encoder);
    return Buffer.concat(encoder.take()).toString('hex');
  };
  const data = (encoder: FrameEncoder, id: number, flags: number, payload: Buffer) => {
    encoder.dataHeader(id, flags, payload.length);
    encoder.payload(payload);
  };
  const long = Buffer.from('ffeeddccbbaa99887766554433221100', 'hex');
  const wanted: Record<string, (encoder: FrameEncoder) => void> = {
    'rst #1': (e) => e.rst(1235335936, 5),
    wndinc: (e) => e.windowIncrement(1, 1229976),
    goaway: (e) => e.goAway(0, 0, Buffer.alloc(0)),
    'goaway with debug text': (e) => e.goAway(5, 1, Buffer.from('bad frame')),
    'data with syn': (e) => data(e, 3, SYN, Buffer.from('hi')),
    'data with fin': (e) => data(e, 0x7fffffff, FIN, long),
  };
  for (const [name, add] of Object.entries(wanted)) {
    t.equal(encoded(add), cases.find((c) => c.name === `muxado ${name}`)!.hex, name);
  }
});

t.test('headers at the edges of their fields', async (t) => {
  for (const [type, flags, id, length] of [
    [15, 15, 0x7fffffff, 0xffffff],
    [0, 0, 0, 0],
    [1, 3, 3, 65536],
  ] as const) {
    const bytes = Buffer.alloc(8);
    writeHeader(bytes, 0, type, flags, id, length);
    t.same(bytes, frame(type, id, [], flags, length));
    t.same(readHeader(bytes, 0), { type, flags, streamId: id, length });
  }
  for (const [id, length] of [
    [-1, 0],
    [0x80000000, 0],
    [Number.NaN, 0],
    [1, -1],
    [1, 0x1000000],
  ] as const) {
    t.throws(() => writeHeader(Buffer.alloc(8), 0, 1, 0, id, length), RangeError, `${id} ${length}`);
  }
});

t.test('frames have a one-line form', async (t) => {
  const line = (type: number, flags: number) => describeFrame({ type, flags, streamId: 3, length: 5 });
  t.equal(line(1, SYN | FIN), 'DATA #3 SYN+FIN 5 bytes');
  t.equal(line(1, 0), 'DATA #3 5 bytes');
  t.equal(line(0, 1), 'RST #3 5 bytes');
  t.equal(line(9, 0), 'type 9 #3 5 bytes');
});
