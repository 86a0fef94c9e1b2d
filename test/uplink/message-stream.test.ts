import t, { type Test } from 'tap';
import { cborCodec } from '../../src/codecs/cbor.js';
import { CborLengths } from '../../src/codecs/cbor_length.js';
import type { MuxStream } from '../../src/mux/index.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { MAX_MESSAGE_BYTES, type Message } from '../../src/uplink/messages.js';
import { random } from '../support/random.js';
import { streamPair, until } from './support.js';

const cbor = cborCodec();
const bytesOf = (...values: unknown[]) => Buffer.concat(values.map((value) => cbor.encode(value)));

const SAMPLE: Message[] = [
  { t: 'send', id: 1, c: 5 * 2 ** 33 + 7, d: 'grüß', y: 'text' },
  { t: 'pub', id: 2, ch: 'room:1', d: { a: [1, null, new Uint8Array([1, 2, 3])] }, except: [1, 2] },
  { t: 'done', id: 3, s: 2 ** 40, f: 0 },
  { t: 'call', id: 4, c: 9, f: 'subscribe', a: ['x', {}, []] },
  {
    t: 'reg',
    n: 0,
    full: true,
    clients: { add: [1, 2 ** 33], del: [] },
    devices: { add: [['d', 1]], del: [] },
  },
  { t: 'resend' },
];

/** What one end writes as it likes, and what the other makes of it. */
async function receiver(t: Test): Promise<{
  raw: MuxStream;
  stream: MessageStream;
  messages: Message[];
  ends: (Error | undefined)[];
}> {
  const [raw, far] = await streamPair(t);
  raw.on('error', () => {});
  const stream = new MessageStream(far);
  const messages: Message[] = [];
  const ends: (Error | undefined)[] = [];
  stream.onmessage = (message) => messages.push(message);
  stream.onclose = (error) => ends.push(error);
  return { raw, stream, messages, ends };
}

t.test('messages arrive as they were sent, both ways, and the end is told', async (t) => {
  const [a, b] = await streamPair(t);
  const [near, far] = [new MessageStream(a), new MessageStream(b)];
  const got: Message[] = [];
  far.onmessage = (message) => {
    got.push(message);
    far.send({ t: 'done', id: got.length, s: 1, f: 0 });
  };
  const answers: Message[] = [];
  near.onmessage = (message) => answers.push(message);
  const ended = new Promise((resolve) => {
    far.onclose = resolve;
  });
  for (const message of SAMPLE) t.equal(near.send(message), undefined);
  await until(() => answers.length === SAMPLE.length, 'answers');
  t.same(got, SAMPLE);
  near.close();
  t.equal(await ended, undefined);
  t.match(near.send(SAMPLE[0]!), { code: 'closed' });
  t.equal(near.counters.sent, SAMPLE.length);
});

t.test('however the bytes are split', async (t) => {
  const rng = random(t);
  const { raw, messages } = await receiver(t);
  const bytes = bytesOf(...SAMPLE, ...SAMPLE, ...SAMPLE);
  for (let round = 0; round < 12; round++) {
    messages.length = 0;
    for (let at = 0; at < bytes.length; ) {
      const length = round === 0 ? 1 : 1 + rng.below(round * 8);
      raw.write(bytes.subarray(at, at + length));
      at += length;
      if (rng.below(4) === 0) await new Promise(setImmediate);
    }
    await until(() => messages.length === 3 * SAMPLE.length, 'messages');
    t.same(messages, [...SAMPLE, ...SAMPLE, ...SAMPLE]);
  }
});

t.test('a megabyte byte by byte', async (t) => {
  const message = bytesOf({ t: 'send', id: 1, c: 1, d: new Uint8Array(MAX_MESSAGE_BYTES - 40) });
  const lengths = new CborLengths({ maxBytes: MAX_MESSAGE_BYTES });
  let ends = 0;
  for (let at = 0; at < message.length; at++) {
    if (lengths.next(message.subarray(at, at + 1), 0) > 0) ends = at + 1;
  }
  t.equal(ends, message.length);
  t.ok(lengths.idle);
});

t.test('the length of an item is that of the codec, for any value and split', async (t) => {
  const rng = random(t);
  const value = (depth: number): unknown => {
    switch (rng.below(depth > 4 ? 6 : 9)) {
      case 0:
        return rng.below(2 ** 31) * rng.below(2 ** 20);
      case 1:
        return -rng.below(70_000);
      case 2:
        return rng.bytes(rng.below(400));
      case 3:
        return 'é'.repeat(rng.below(50));
      case 4:
        return rng.pick([true, false, null]);
      case 5:
        return rng.below(1000) / 7;
      case 6:
        return Object.fromEntries(
          Array.from({ length: rng.below(5) }, (_, i) => [`k${i}`, value(depth + 1)]),
        );
      default:
        return Array.from({ length: rng.below(30) }, () => value(depth + 1));
    }
  };
  for (let round = 0; round < 200; round++) {
    const items = Array.from({ length: 5 }, () => cbor.encode(value(0)));
    const bytes = Buffer.concat(items);
    const lengths = new CborLengths({ maxBytes: bytes.length });
    const found: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + 1 + rng.below(60));
      let from = 0;
      for (
        let to = lengths.next(chunk, 0);
        to > 0;
        to = from < chunk.length ? lengths.next(chunk, from) : -1
      ) {
        found.push(at + to);
        from = to;
      }
      at += chunk.length;
    }
    let sum = 0;
    t.same(
      found,
      items.map((item) => {
        sum += item.length;
        return sum;
      }),
    );
  }
});

t.test('items of indefinite length, tags and floats', async (t) => {
  for (const hex of [
    '9f0102ff',
    'bf616101ff',
    '5f41014102ff',
    'c11a514b67b0',
    'f90000',
    'fb3ff0000000000000',
    '9f9fff9fffff',
  ]) {
    const bytes = Buffer.from(hex, 'hex');
    t.equal(new CborLengths({ maxBytes: 100 }).next(Buffer.concat([bytes, bytes]), 0), bytes.length, hex);
  }
});

t.test('what is no message ends the stream, with a reason', async (t) => {
  const bad: [what: string, bytes: Buffer, reason: RegExp][] = [
    ['an array', bytesOf([1]), /must be a map/],
    ['a number', bytesOf(1), /must be a map/],
    ['number keys', Buffer.from('a10102', 'hex'), /keys of a message must be text/],
    ['no type', bytesOf({ id: 1 }), /needs its type/],
    ['a wrong field', bytesOf({ t: 'send', id: 1, c: -1, d: 1 }), /message send: c must be a whole number/],
    ['a missing field', bytesOf({ t: 'done', id: 1, s: 1 }), /message done: f must be/],
    ['a wrong list', bytesOf({ t: 'pub', id: 1, ch: 'x', d: 1, except: [0] }), /message pub: except must be/],
    ['a reserved length', Buffer.from('1c', 'hex'), /reserved length/],
    ['a break', Buffer.from('ff', 'hex'), /break out of place/],
    ['a giant string', Buffer.from('5b0000ffffffffffff', 'hex'), /at most 1048576 bytes/],
    ['a giant array', Buffer.from('9b0000ffffffffffff', 'hex'), /at most 1048576 bytes/],
    ['deep nesting', Buffer.alloc(500, 0x81), /nested deeper/],
    ['not UTF-8', Buffer.from('a1617462c328', 'hex'), /UTF-8/],
  ];
  for (const [what, bytes, reason] of bad) {
    const { raw, stream, ends, messages } = await receiver(t);
    const reset = new Promise((resolve) => raw.once('error', resolve));
    raw.write(bytesOf(SAMPLE[0]));
    raw.write(bytes);
    raw.write(bytesOf(SAMPLE[0]));
    await until(() => ends.length > 0, what);
    t.match(ends, [{ message: reason }], what);
    t.equal(messages.length, 1, 'what came before was taken, what comes after is not');
    t.equal(stream.counters.malformed, 1);
    t.match(await reset, { code: 'protocol', remote: true });
  }
});

t.test('an end in the middle of a message', async (t) => {
  const { raw, ends } = await receiver(t);
  raw.end(bytesOf(SAMPLE[0]).subarray(0, 5));
  await until(() => ends.length > 0, 'the end');
  t.match(ends, [{ message: /in the middle of a message/ }]);
});

t.test('an unknown type is answered, an error is not, unknown keys are ignored', async (t) => {
  const { raw, stream, messages } = await receiver(t);
  const answers: unknown[] = [];
  raw.on('data', (bytes: Buffer) => answers.push(cbor.decode(bytes)));
  raw.write(bytesOf({ t: 'of the future', x: 1 }, { t: 'resend', y: 1 }));
  await until(() => answers.length > 0, 'an answer');
  t.same(answers, [{ t: 'error', code: 'unknown' }]);
  t.match(messages, [{ t: 'resend' }]);
  stream.refuse({ t: 'error', code: 'unknown' });
  stream.refuse({ t: 'resend' });
  await until(() => answers.length > 1, 'a second answer');
  t.equal(answers.length, 2);
});

t.test('noise never raises, and ends the stream or is taken', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 150; round++) {
    const { raw, stream } = await receiver(t);
    const good = bytesOf(rng.pick(SAMPLE));
    for (let n = 1 + rng.below(4); n > 0; n--) good[rng.below(good.length)] = rng.below(256);
    raw.resume().end(rng.below(3) === 0 ? rng.bytes(1 + rng.below(300)) : good);
    await until(() => !stream.open, 'the end');
  }
  t.pass('all ended');
});

t.test('what cannot be sent is told, what is not read is bounded', async (t) => {
  const [a, b] = await streamPair(t);
  const near = new MessageStream(a, { maxPendingBytes: 2 ** 20 });
  b.on('error', () => {});
  t.match(near.send({ t: 'send', id: 1, c: 1, d: new Uint8Array(MAX_MESSAGE_BYTES) }), { code: 'too_large' });
  t.match(near.send({ t: 'send', id: 1, c: 1, d: () => {} }), { code: 'invalid_argument' });
  t.equal(near.counters.unsendable, 2);
  const ended = new Promise((resolve) => {
    near.onclose = resolve;
  });
  let sent = 0;
  while (near.open && sent < 1000) {
    near.send({ t: 'send', id: ++sent, c: 1, d: new Uint8Array(50_000) });
    await new Promise(setImmediate);
  }
  t.match(await ended, { code: 'enhance_your_calm' });
  t.equal(near.counters.overflowed, 1);
  t.ok(sent < 100, `${sent} messages were taken`);
});
