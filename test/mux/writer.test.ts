import { Writable } from 'node:stream';
import t from 'tap';
import { FrameEncoder } from '../../src/mux/encoder.js';
import type { MuxStream } from '../../src/mux/index.js';
import { type FrameSource, FrameWriter } from '../../src/mux/writer.js';
import { fin, goaway, parse, rst, sessionAndPeer, settle, show, syn, wndinc } from './wire.js';

/** A transport that keeps what each write call brought, and takes the next one when told. */
class Recorder extends Writable {
  readonly calls: Buffer[][] = [];
  take: () => void = () => {};
  auto = true;

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.calls.push(chunks.map(({ chunk }) => chunk));
    if (this.auto) done();
    else this.take = done;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._writev([{ chunk }], done);
  }
}

const writerOn = (transport: Writable, gatherBytes = 128 * 1024) =>
  new FrameWriter(transport, gatherBytes, 60_000, { written() {}, stalled() {} });

/** A source with so many bytes to send. */
function source(
  id: number,
  bytes: number,
  size = Number.MAX_SAFE_INTEGER,
): FrameSource & { payload: Buffer } {
  const payload = Buffer.alloc(bytes, id);
  let sent = 0;
  return {
    payload,
    nextInLine: undefined,
    inLine: false,
    emitFrame(out, maxPayload) {
      const length = Math.min(maxPayload, size, bytes - sent);
      out.dataHeader(id, 0, length);
      out.payload(payload.subarray(sent, sent + length));
      sent += length;
      return sent < bytes;
    },
  };
}

const frames = (calls: Buffer[][]) => parse(Buffer.concat(calls.flat())).frames;

t.test('output lays frames out in order and copies only what is small', async (t) => {
  const out = new FrameEncoder();
  const large = Buffer.alloc(1000, 1);
  out.rst(3, 5);
  out.dataHeader(5, 1, 1002);
  out.payload(Buffer.from('ab'));
  out.payload(large);
  out.windowIncrement(7, 99);
  out.goAway(9, 10, Buffer.from('why'));
  const expected = Buffer.concat([
    rst(3, 5),
    fin(5, Buffer.concat([Buffer.from('ab'), large])),
    wndinc(7, 99),
    goaway(9, 10, 'why'),
  ]);
  t.equal(out.bytes, expected.length);
  const parts = out.take();
  t.same(Buffer.concat(parts), expected);
  t.ok(parts.includes(large), 'the large payload is passed on as it is');
  t.equal(parts.length, 3, 'between what came before and after it');
  t.equal(out.bytes, 0);
  t.same(out.take(), []);
});

t.test('what was taken stays as it was when more is gathered', async (t) => {
  const out = new FrameEncoder();
  const taken: { parts: Uint8Array[]; copy: Buffer }[] = [];
  for (let i = 0; i < 5000; i++) {
    out.rst(i + 1, i);
    if (i % 7 === 0) {
      const parts = out.take();
      taken.push({ parts, copy: Buffer.concat(parts) });
    }
  }
  t.ok(taken.every(({ parts, copy }) => Buffer.concat(parts).equals(copy)));
});

t.test('everything of one turn leaves in one write', async (t) => {
  const transport = new Recorder();
  const writer = writerOn(transport);
  writer.enqueue(source(1, 5));
  await Promise.resolve();
  process.nextTick(() => writer.enqueue(source(2, 1000)));
  writer.out.rst(9, 1);
  writer.wake();
  await settle(2);
  t.equal(transport.calls.length, 1);
  t.same(
    frames(transport.calls).map((f) => `${f.type} #${f.id}`),
    ['0 #9', '1 #1', '1 #2'],
    'control first',
  );
});

t.test('streams take turns, so a small one does not wait for a large one', async (t) => {
  const transport = new Recorder();
  const writer = writerOn(transport);
  writer.enqueue(source(1, 1_000_000));
  writer.enqueue(source(3, 1_000_000));
  writer.enqueue(source(5, 10));
  await settle(1);
  const first = frames(transport.calls);
  t.same(
    first.slice(0, 4).map((f) => [f.id, f.body.length]),
    [
      [1, 16_384],
      [3, 16_384],
      [5, 10],
      [1, 16_384],
    ],
  );
  const total = first.reduce((sum, f) => sum + f.body.length, 0);
  t.ok(total <= 128 * 1024 + 16_384, `${total} bytes in the first write`);
});

t.test('a stream alone sends long frames, until another comes', async (t) => {
  const transport = new Recorder();
  const writer = writerOn(transport);
  transport.auto = false;
  writer.enqueue(source(1, 1_000_000));
  await settle(3);
  t.same(
    frames(transport.calls).map((f) => f.body.length),
    [65_536, 65_536],
  );
  writer.enqueue(source(3, 10));
  await settle(3);
  t.equal(transport.calls.length, 1, 'the next write waits for this one');
  transport.take();
  await settle(2);
  const [, second] = transport.calls;
  t.same(
    frames([second!])
      .slice(0, 2)
      .map((f) => f.id),
    [1, 3],
    'in the very next write',
  );
});

t.test('a transport without writev gets one buffer', async (t) => {
  const calls: Buffer[] = [];
  const transport = new Writable({
    write(chunk, _encoding, done) {
      calls.push(chunk);
      done();
    },
  });
  const writer = writerOn(transport);
  for (const id of [1, 3, 5]) writer.enqueue(source(id, 2000));
  await settle(2);
  t.equal(calls.length, 1);
  t.equal(parse(calls[0]!).frames.length, 3);
});

t.test('a session’s streams: one write a turn, SYN with the first bytes, FIN never with SYN', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  const [a, b, c, d] = [session.open(), session.open(), session.open(), session.open()] as MuxStream[];
  a!.write('one ');
  a!.write('two');
  b!.end('whole');
  c!.end();
  d!.destroy();
  await settle();
  t.same(
    peer.frames.map(show),
    ['DATA #3 SYN "one two"', 'DATA #5 SYN "whole"', 'DATA #7 SYN ""', 'DATA #5 FIN ""', 'DATA #7 FIN ""'],
    'and nothing of a stream that was gone before it began',
  );
  peer.frames.length = 0;
  a!.end('last');
  await settle();
  t.same(peer.frames.map(show), ['DATA #3 FIN "last"']);
  await session.close();
});

t.test('bulk in the send window and no more; small messages pass it', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client', windowBytes: 40_000 });
  const bulk = session.open();
  for (let i = 0; i < 100; i++) bulk.write(Buffer.alloc(1000));
  session.open().write('quick');
  await settle();
  const sizes = peer.frames.filter((f) => f.id === 3).map((f) => f.body.length);
  t.equal(
    sizes.reduce((a, b) => a + b),
    40_000,
  );
  t.equal(
    peer.frames.findIndex((f) => f.id === 5),
    1,
    'after one turn of the other',
  );
  peer.frames.length = 0;
  peer.send(wndinc(3, 1));
  await settle();
  t.same(
    peer.frames.map(({ id, body }) => [id, body.length]),
    [[3, 1]],
    'any increment is used',
  );
  peer.send(...Array.from({ length: 50 }, () => wndinc(3, 1000)));
  await settle();
  t.equal(
    peer.frames.reduce((sum, f) => sum + f.body.length, 0),
    50_001,
  );
  await session.close();
});

t.test('windows are given back in halves, and not after FIN', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', windowBytes: 10_000 });
  session.on('stream', (stream) => stream.on('error', () => {}).resume());
  peer.send(syn(3, 'x'.repeat(4999)));
  await settle();
  t.equal(peer.frames.length, 0);
  peer.send(fin(5), syn(7, 'y'.repeat(10_000)));
  await settle();
  t.same(peer.frames.map(show), ['WNDINC #7 10000']);
  peer.frames.length = 0;
  peer.send(Buffer.concat([rst(7, 6), fin(3, 'z'.repeat(5001))]));
  await settle();
  t.same(
    peer.frames.map(show).filter((line) => line.startsWith('WNDINC')),
    ['WNDINC #3 10000'],
    'payload came before its FIN',
  );
  await session.close();
});
