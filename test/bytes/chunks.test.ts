import t from 'tap';
import { ChunkQueue } from '../../src/bytes/chunks.js';
import { random } from '../support/random.js';

t.test('behaves as one flat array of bytes would', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 12; round++) {
    const queue = new ChunkQueue();
    let flat = Buffer.alloc(0);
    const sizes = rng.pick([[1], [1, 2, 3], [1, 600, 2000], [64, 511, 512, 513]]);
    for (let step = 0; step < 60; step++) {
      switch (rng.below(8)) {
        case 0:
        case 1: {
          for (let n = rng.below(80); n >= 0; n--) {
            // Few different bytes, so that patterns occur.
            const bytes = rng.bytes(rng.pick(sizes)).map((byte) => byte & 3);
            queue.push(bytes);
            flat = Buffer.concat([flat, bytes]);
          }
          break;
        }
        case 2: {
          const n = rng.below(flat.length + 1);
          t.ok(flat.subarray(0, n).equals(queue.shift(n)), 'shift');
          flat = flat.subarray(n);
          break;
        }
        case 3: {
          const n = rng.below(Math.min(flat.length, 20) + 1);
          queue.skip(n);
          flat = flat.subarray(n);
          break;
        }
        case 4: {
          const from = rng.below(flat.length + 1);
          const to = from + rng.below(flat.length - from + 1);
          t.ok(flat.subarray(from, to).equals(queue.peek(from, to)), 'peek');
          break;
        }
        case 5: {
          const pattern = rng.bytes(1 + rng.below(8)).map((byte) => byte & 3);
          const from = rng.below(flat.length + 1);
          t.equal(queue.indexOf(pattern, from), flat.indexOf(pattern, from), 'indexOf');
          t.equal(queue.indexOfByte(pattern[0]!, from), flat.indexOf(pattern[0]!, from), 'indexOfByte');
          break;
        }
        case 6:
          t.ok(flat.equals(queue.whole()), 'whole');
          break;
        default:
          queue.settle();
      }
      if (queue.length !== flat.length) t.equal(queue.length, flat.length, 'length');
      for (let n = 0; n < 20 && flat.length > 0; n++) {
        const position = rng.below(flat.length);
        if (queue.at(position) !== flat[position]) t.equal(queue.at(position), flat[position], 'at');
      }
    }
    queue.clear();
    t.equal(queue.length, 0);
  }
});

t.test('what was handed out does not change when more arrives', async (t) => {
  const queue = new ChunkQueue();
  for (const byte of [1, 2, 3, 4]) queue.push(Uint8Array.of(byte));
  const held = queue.peek(1, 3);
  const taken = queue.shift(3);
  for (let i = 0; i < 200; i++) queue.push(Uint8Array.of(9));
  t.strictSame([...taken], [1, 2, 3]);
  t.strictSame([...held], [2, 3]);
});

t.test('asking for all of it after each byte does not copy all of it each time', async (t) => {
  const queue = new ChunkQueue();
  const memory = new Set<ArrayBufferLike>();
  for (let i = 0; i < 10_000; i++) {
    queue.push(Uint8Array.of(i));
    memory.add(queue.whole().buffer);
  }
  t.equal(queue.whole().length, 10_000);
  t.ok(memory.size < 20, `${memory.size} pieces of memory`);
});

t.test('a cut inside one chunk copies nothing', async (t) => {
  const chunk = new Uint8Array(1000);
  const queue = new ChunkQueue();
  queue.push(chunk);
  t.equal(queue.shift(10).buffer, chunk.buffer);
  t.equal(queue.peek(5, 500).buffer, chunk.buffer);
});

t.test('a few bytes do not keep a large chunk in memory', async (t) => {
  const chunk = Buffer.alloc(65536, 7);
  const queue = new ChunkQueue();
  queue.push(chunk);
  queue.skip(65533);
  queue.settle();
  const rest = queue.peek(0, 3);
  t.strictSame([...rest], [7, 7, 7]);
  t.not(rest.buffer, chunk.buffer);
  t.ok(rest.buffer.byteLength <= 64);
  queue.settle();
  t.equal(queue.peek(0, 3).buffer, rest.buffer, 'copied once');
});

t.test('bytes that come one by one are held in few chunks', async (t) => {
  const queue = new ChunkQueue();
  for (let i = 0; i < 100_000; i++) queue.push(Uint8Array.of(i & 0xff));
  const chunks = (queue as unknown as { rest: Uint8Array[] }).rest;
  t.ok(chunks.length < 30, `${chunks.length} chunks`);
  t.equal(queue.at(99_999), 99_999 & 0xff);
});
