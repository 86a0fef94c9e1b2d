import t from 'tap';
import { FrameDecoder } from '../../src/mux/decoder.js';
import { MuxError } from '../../src/mux/errors.js';
import { splits } from '../support/framing.js';
import { random } from '../support/random.js';
import { data, frame, goaway, parse, rst, show, type WireFrame, wndinc } from './wire.js';

const MAX_DEBUG = 32;

/** All frames the decoder finds, DATA pieces joined; ends with the error's code if it threw. */
function decodeAll(chunks: readonly Uint8Array[]): { seen: string[]; skipped: number; midFrame: boolean } {
  const decoder = new FrameDecoder(MAX_DEBUG);
  const seen: string[] = [];
  let pieces: Uint8Array[] = [];
  const u32 = (value: number) => frame(0, 0, [value >>> 24, value >>> 16, value >>> 8, value]).subarray(8);
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      while (decoder.next()) {
        const { type, flags, streamId: id } = decoder.header;
        if (type === 1) {
          if (decoder.first !== (pieces.length === 0)) throw new Error('a first piece is not first');
          pieces.push(decoder.payload);
          if (!decoder.last) continue;
          const body = Buffer.concat(pieces);
          pieces = [];
          if (body.length !== decoder.header.length) throw new Error('the pieces do not make the frame');
          seen.push(show({ type, flags, id, body }));
        } else {
          const body =
            type === 3
              ? Buffer.concat([u32(decoder.lastStreamId), u32(decoder.value), decoder.payload])
              : u32(decoder.value);
          seen.push(show({ type, flags, id, body }));
        }
      }
    }
  } catch (error) {
    if (!(error instanceof MuxError)) throw error;
    seen.push(error.code);
  }
  return { seen, skipped: decoder.skippedFrames, midFrame: decoder.midFrame };
}

/** The same by the rules of README §1, over bytes that are all there. */
function slowly(bytes: Buffer): { seen: string[]; skipped: number; midFrame: boolean } {
  const seen: string[] = [];
  let skipped = 0;
  const { frames, rest } = parse(bytes);
  for (const f of frames) {
    const error =
      fault(f, f.body.length) ??
      (f.type === 2 && (f.body.readUInt32BE() & 0x7fffffff) === 0 ? 'protocol' : undefined);
    if (error) return { seen: [...seen, error], skipped, midFrame: true };
    if (f.type > 3) skipped++;
    else {
      const body = Buffer.from(f.type === 3 ? f.body.subarray(0, 8 + MAX_DEBUG) : f.body);
      if (f.type >= 2) body[0]! &= 0x7f;
      seen.push(show({ ...f, body }));
    }
  }
  if (rest.length >= 8) {
    const [head] = parse(Buffer.concat([Buffer.alloc(3), rest.subarray(3, 8)])).frames;
    const error = fault(head!, rest.readUIntBE(0, 3));
    if (error) seen.push(error);
  }
  return { seen, skipped, midFrame: rest.length > 0 };
}

function fault({ type, id }: WireFrame, length: number): string | undefined {
  if (type > 3) return undefined;
  if ((type === 0 || type === 2) && length !== 4) return 'frame_size';
  if (type === 3 && length < 8) return 'frame_size';
  if (id >= 0x80000000) return 'protocol';
  if ((id === 0) !== (type === 3)) return 'protocol';
  return undefined;
}

t.test('what ends a session is told from the header alone', async (t) => {
  for (const [name, bytes, code] of [
    ['RST of length 3', frame(0, 3, [], 0, 3), 'frame_size'],
    ['RST of length 16 MiB', frame(0, 3, [], 0, 0xffffff), 'frame_size'],
    ['WNDINC of length 5', frame(2, 3, [], 0, 5), 'frame_size'],
    ['GOAWAY of length 7', frame(3, 0, [], 0, 7), 'frame_size'],
    ['RST on stream 0', frame(0, 0, [], 0, 4), 'protocol'],
    ['DATA on stream 0', frame(1, 0, [], 0, 100), 'protocol'],
    ['WNDINC on stream 0', frame(2, 0, [], 0, 4), 'protocol'],
    ['GOAWAY on a stream', frame(3, 3, [], 0, 8), 'protocol'],
    ['an id with its top bit', frame(1, 0x80000003, [], 0, 100), 'protocol'],
    ['an increment of zero', wndinc(3, 0), 'protocol'],
    ['an increment of the reserved bit alone', wndinc(3, 0x80000000), 'protocol'],
  ] as const) {
    t.same(decodeAll([bytes]).seen, [code], name);
  }
});

t.test('a declared length reserves nothing, and payload is not copied', async (t) => {
  const decoder = new FrameDecoder(MAX_DEBUG);
  decoder.push(frame(1, 3, [], 0, 0xffffff));
  t.notOk(decoder.next(), 'no payload, no piece');
  t.ok(decoder.midFrame);
  const chunk = Buffer.alloc(100, 1);
  decoder.push(chunk);
  t.ok(decoder.next());
  t.equal(decoder.payload, chunk);
  t.match({ first: decoder.first, last: decoder.last }, { first: true, last: false });
  decoder.push(chunk);
  t.ok(decoder.next());
  t.match({ first: decoder.first, last: decoder.last }, { first: false, last: false });
});

t.test('unknown types are skipped and counted, however long', async (t) => {
  const stream = Buffer.concat([frame(4, 0x80000001, 'x'.repeat(70_000), 15), frame(15, 0), data(3, 'on')]);
  t.same(decodeAll([stream]), { seen: ['DATA #3 "on"'], skipped: 2, midFrame: false });
});

t.test('the debug bytes beyond the limit are skipped', async (t) => {
  const stream = Buffer.concat([goaway(5, 1, 'd'.repeat(MAX_DEBUG + 1000)), rst(3, 5)]);
  t.same(decodeAll([stream]).seen, [`GOAWAY 5 1 "${'d'.repeat(MAX_DEBUG)}"`, 'RST #3 5']);
});

t.test('frames, broken frames and noise, cut anywhere, decode as the slow twin says', async (t) => {
  const rng = random(t);
  const below = (limit: number) => rng.below(limit);
  const text = (limit: number) => Buffer.alloc(below(limit), 97 + below(26));
  const makers = [
    () => data(1 + below(9), text(200), below(16)),
    () => data(0x7fffffff, text(3)),
    () => rst(1 + below(9), below(2 ** 31)),
    () => wndinc(1 + below(9), 1 + below(2 ** 31 - 1)),
    () => goaway(below(9), below(20), text(80).toString()),
    () => frame(4 + below(12), below(2 ** 31), text(100), below(16)),
  ];
  const broken = () => {
    const bytes = makers[below(makers.length)]!();
    bytes[below(8)] = below(256);
    return bytes;
  };
  for (let run = 0; run < 300; run++) {
    const frames = Array.from({ length: 1 + below(8) }, () =>
      below(12) === 0 ? broken() : makers[below(makers.length)]!(),
    );
    const stream = below(10) === 0 ? rng.bytes(below(300)) : Buffer.concat(frames);
    const cut = stream.subarray(0, below(3) === 0 ? below(stream.length + 1) : stream.length);
    const wanted = slowly(Buffer.from(cut));
    for (const chunks of splits(cut, rng)) {
      const got = decodeAll(chunks);
      const ended = wanted.seen.at(-1) === 'protocol' || wanted.seen.at(-1) === 'frame_size';
      // After an error the decoder is spent, and where it stood does not matter.
      const same = ended
        ? JSON.stringify(got.seen) === JSON.stringify(wanted.seen)
        : JSON.stringify(got) === JSON.stringify(wanted);
      if (!same) {
        t.same(got, wanted, `run ${run}, ${chunks.length} chunks, ${cut.toString('hex')}`);
        return;
      }
    }
  }
  t.pass('300 streams, each cut four ways');
});
