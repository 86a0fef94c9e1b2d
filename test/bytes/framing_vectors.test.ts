import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { FramerSpec } from '../../src/bytes/framer.js';
import { framer } from '../../src/bytes/framers.js';
import { feed, hex, splits, unhex } from '../support/framing.js';
import { random } from '../support/random.js';

interface Vector {
  name: string;
  type: string;
  payload_hex?: string;
  encoded_hex?: string;
  body_hex_without_end?: string;
  stream_hex?: string;
  chunks_hex?: string[];
  options?: Record<string, never>;
  expect: {
    stated?: {
      body_hex_without_end?: string;
      encoded_hex?: string;
      payloads_hex?: (string | null)[];
      payloads_hex_or_error?: string[];
      frames_hex?: string[];
    };
    reference?: { frame_hex: string; unstuffed_hex: string };
  };
}

const { cases } = JSON.parse(readFileSync('test/vectors/framing.json', 'utf8')) as { cases: Vector[] };
const done = new Set<string>();

/** Runs the vectors of one type; each stream is fed whole, byte by byte and cut at random. */
function vectors(type: string, run: (t: Test, vector: Vector, frames: Frames) => void): void {
  done.add(type);
  t.test(type, async (t) => {
    const rng = random(t);
    const of = cases.filter((vector) => vector.type === type);
    t.not(of.length, 0);
    for (const vector of of) {
      run(t, vector, (spec, stream, expected, pending = 0) => {
        for (const chunks of splits(stream, rng)) {
          const outcome = feed(spec, chunks);
          t.strictSame(outcome.frames, expected, `${vector.name}, ${chunks.length} chunks`);
          t.equal(outcome.pending, pending, 'held at the end');
        }
      });
    }
  });
}
type Frames = (spec: FramerSpec, stream: Uint8Array, expected: string[], pending?: number) => void;

vectors('slip', (_, { payload_hex, expect }, frames) => {
  const body = expect.stated!.body_hex_without_end!;
  frames(framer('slip'), unhex(`${body}c0`), payload_hex === '' ? [] : [payload_hex!]);
});

vectors('slip invalid', (t, { body_hex_without_end: body }, frames) => {
  if (!body!.includes('c0')) {
    frames(framer('slip'), unhex(`${body}c0616263c0`), ['616263']);
    t.match(feed(framer('slip'), [unhex(`${body}c0`)]).discards, [{ reason: 'malformed', hex: `${body}c0` }]);
  } else {
    // An END inside a packet is the end of one in a stream.
    frames(
      framer('slip'),
      unhex(`${body}c0`),
      body!.split('c0').filter((packet) => packet !== ''),
    );
  }
});

vectors('slip stream', (t, { stream_hex, chunks_hex, expect }, frames) => {
  const stated = expect.stated!;
  const expected = stated.payloads_hex ?? stated.payloads_hex_or_error ?? stated.frames_hex!;
  const good = expected.filter((payload) => payload !== 'error') as string[];
  const stream = unhex(stream_hex ?? chunks_hex!.join(''));
  frames(framer('slip'), stream, good);
  const { discards } = feed(framer('slip'), [stream]);
  t.equal(discards.length, expected.length - good.length, 'each bad packet is told');
});

for (const type of ['cobs', 'cobsr']) {
  const spec = framer('cobs', { reduced: type === 'cobsr' });
  vectors(type, (_, { payload_hex, expect }, frames) => {
    frames(spec, unhex(`${expect.stated!.encoded_hex!}00`), [payload_hex!]);
  });
  vectors(`${type} invalid`, (_, { encoded_hex }, frames) => {
    // Both are bad for their zero, which in a stream ends a packet.
    frames(spec, unhex(`${encoded_hex}00`), encoded_hex === '00' ? [] : ['31323334']);
  });
}

vectors('ahdlc', (t, { expect }, frames) => {
  const { frame_hex, unstuffed_hex } = expect.reference!;
  const spec = framer('hdlc', { crc: 'CRC-16/X-25' });
  frames(spec, unhex(frame_hex), [unstuffed_hex.slice(0, -4)]);
  frames(framer('hdlc'), unhex(frame_hex), [unstuffed_hex]);
  // A flag shared by two frames.
  frames(spec, unhex(frame_hex + frame_hex.slice(2)), [
    unstuffed_hex.slice(0, -4),
    unstuffed_hex.slice(0, -4),
  ]);
  const damaged = unhex(frame_hex);
  damaged[1]! ^= 1;
  t.match(feed(spec, [damaged]), { frames: [], discards: [{ reason: 'checksum', hex: hex(damaged) }] });
});

vectors('hdlc', (t, { stream_hex, expect }) => {
  // ISO/IEC 13239 frame format 3 of meters that do not stuff: the length field rules. Address and control bytes
  // and the header's check precede the information field, which the vectors state.
  const spec = framer('length', {
    start: '\x7e\xa0',
    at: 2,
    size: 2,
    mask: 0x7ff,
    add: 1,
    check: { name: 'CRC-16/X-25', from: 2, endian: 'little' },
  });
  const { frames } = feed(spec, [unhex(stream_hex!), null]);
  const information = frames.map((frame) => (frame.length <= 20 ? null : frame.slice(18, -4)));
  t.strictSame(information, expect.stated!.payloads_hex);
});

vectors('length prefixed', (_, { options, chunks_hex, expect }, frames) => {
  const { delimiter_hex, length_offset, packet_overhead, length_bytes, length_order } = options!;
  const spec = framer('length', {
    start: unhex(delimiter_hex),
    at: length_offset + 1,
    size: length_bytes,
    endian: length_order,
    add: packet_overhead,
  });
  const stream = chunks_hex!.join('');
  const last = expect.stated!.frames_hex!.at(-1)!;
  const rest = (stream.length - stream.indexOf(last) - last.length) / 2;
  frames(spec, unhex(stream), expect.stated!.frames_hex!, rest);
});

vectors('delimiter', (_, { options, chunks_hex, expect, name }, frames) => {
  const stream = chunks_hex!.join('');
  const expected = name.includes('flush') ? [] : expect.stated!.frames_hex!;
  const ends = options!.delimiter_hex as string;
  // What has no terminator is not flushed but waits for one.
  const rest = stream.length / 2 - (stream.lastIndexOf(ends) + ends.length) / 2;
  const pending = stream.includes(ends) ? rest : stream.length / 2;
  frames(framer('delimiter', { ends: unhex(ends) }), unhex(stream), expected, pending);
});

vectors('fixed length', (_, { options, chunks_hex, expect }, frames) => {
  const stream = unhex(chunks_hex!.join(''));
  const size = options!.length as number;
  frames(framer('fixed', { size }), stream, expect.stated!.frames_hex!, stream.length % size);
});

vectors('cctalk', (_, { chunks_hex, expect }, frames) => {
  frames(
    framer('length', { at: 2, size: 1, add: 5 }),
    unhex(chunks_hex!.join('')),
    expect.stated!.frames_hex!,
  );
});

t.test('no vector is left out', async (t) => {
  t.strictSame([...done].sort(), [...new Set(cases.map((vector) => vector.type))].sort());
});
