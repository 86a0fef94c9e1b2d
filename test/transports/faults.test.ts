import t from 'tap';
import type { Connection } from '../../src/transports/connection.js';
import {
  type Fault,
  type FaultOptions,
  NO_FAULTS,
  seededRandom,
  withFaults,
} from '../../src/transports/faults.js';
import { memoryPair } from '../../src/transports/memory.js';
import { random } from '../support/random.js';
import { contract } from './contract.js';
import { Recorder } from './recorder.js';

const traits = { peerSeesEnd: true, lossless: true };

function wrapped(options: Partial<FaultOptions>): () => Promise<[Connection, Connection]> {
  return async () => {
    const [a, b] = memoryPair();
    const faulty = (connection: Connection) =>
      withFaults(connection, { ...NO_FAULTS, ...options }, seededRandom(1));
    return [faulty(a), faulty(b)];
  };
}

// A connection with faults that lose nothing keeps every promise of a connection.
contract(t, 'memory, no faults', wrapped({}), traits);
contract(t, 'memory, delayed', wrapped({ delayMs: 3 }), traits);
contract(t, 'memory, cut', wrapped({ split: 65_536 }), traits);

/** Sends `writes` through faults; returns what the peer got and which faults were told. */
async function play(options: Partial<FaultOptions>, writes: Uint8Array[], seed = 1) {
  const [a, b] = memoryPair();
  const faults: Fault[] = [];
  const sent: Uint8Array[] = [];
  let byOwner: boolean | undefined;
  const faulty = withFaults(a, { ...NO_FAULTS, ...options }, seededRandom(seed), {
    fault: (kind) => faults.push(kind),
    sent: (bytes) => sent.push(bytes),
    closed: (own) => {
      byOwner = own;
    },
  });
  const owner = new Recorder(faulty);
  const peer = new Recorder(b);
  for (const bytes of writes) faulty.write(bytes);
  faulty.end();
  await peer.closed();
  await owner.closed();
  return { chunks: peer.chunks, received: peer.received, faults, sent, byOwner };
}

const words = Array.from({ length: 50 }, (_, i) => Buffer.from(`word ${i};`));
const all = Buffer.concat(words);

t.test('cut writes arrive in pieces, whole and in order', async (t) => {
  const { chunks, received, faults } = await play({ split: 3 }, words.slice(0, 5));
  t.equal(received.toString(), Buffer.concat(words.slice(0, 5)).toString());
  t.ok(chunks.every((chunk) => chunk.length <= 3));
  t.strictSame(faults, Array(5).fill('split'));
});

t.test('merged writes arrive as one; the rest leaves at the end', async (t) => {
  const { chunks, received, faults } = await play({ merge: 20 }, words);
  t.equal(received.toString(), all.toString());
  t.strictSame(
    chunks.map((chunk) => chunk.toString()),
    [words.slice(0, 20), words.slice(20, 40), words.slice(40)].map((part) => Buffer.concat(part).toString()),
  );
  t.strictSame(faults, ['merge', 'merge', 'merge']);
});

t.test('merging stays within a datagram', async (t) => {
  const blocks = Array.from({ length: 5 }, () => Buffer.alloc(20_000, 'x'));
  const { chunks } = await play({ merge: 100 }, blocks);
  t.strictSame(
    chunks.map((chunk) => chunk.length),
    [60_000, 40_000],
  );
});

t.test('a lone held write leaves by itself', async (t) => {
  const [a, b] = memoryPair();
  const faulty = withFaults(a, { ...NO_FAULTS, merge: 10 }, seededRandom(1));
  new Recorder(faulty);
  const peer = new Recorder(b);
  faulty.write(Buffer.from('alone'));
  t.equal(faulty.pendingBytes, 5);
  t.equal(await peer.text(5), 'alone');
  faulty.destroy();
  await peer.closed();
});

t.test('corrupting changes exactly one byte of a write', async (t) => {
  const { chunks, faults } = await play({ corrupt: 1 }, words);
  t.equal(faults.length, words.length);
  for (const [i, word] of words.entries()) {
    const chunk = chunks[i]!;
    t.equal(chunk.length, word.length);
    t.equal(word.filter((byte, at) => byte !== chunk[at]).length, 1);
  }
});

t.test('dropping loses whole writes, and tells which', async (t) => {
  const { chunks, faults } = await play({ drop: 0.5 }, words);
  t.equal(chunks.length + faults.length, words.length);
  t.ok(faults.length > 5 && faults.length < 45);
  const known = new Set(words.map(String));
  t.ok(chunks.every((chunk) => known.has(Buffer.from(chunk).toString())));
});

t.test('the same seed gives the same faults, another one others', async (t) => {
  const { bytes, below } = random(t);
  const writes = Array.from({ length: 30 }, () => Buffer.from(bytes(1 + below(40))));
  const options = { drop: 0.2, corrupt: 0.3, split: 10 };
  const seed = below(2 ** 31);
  const first = await play(options, writes, seed);
  const second = await play(options, writes, seed);
  const other = await play(options, writes, seed + 1);
  t.strictSame(first.chunks, second.chunks);
  t.strictSame(first.faults, second.faults);
  t.notSame(first.chunks, other.chunks);
  t.equal(Buffer.concat(first.sent).compare(first.received), 0, 'what is told as sent is what arrived');
});

t.test('tells who ended the connection', async (t) => {
  t.equal((await play({}, [])).byOwner, true);
  const [a, b] = memoryPair();
  const told: boolean[] = [];
  const owner = new Recorder(
    withFaults(a, NO_FAULTS, seededRandom(1), { closed: (own) => void told.push(own) }),
  );
  new Recorder(b);
  b.end();
  await owner.closed();
  t.strictSame(told, [false]);
});

t.test('random numbers lie from 0 to below 1 and spread', async (t) => {
  const next = seededRandom(42);
  const numbers = Array.from({ length: 10_000 }, next);
  t.ok(numbers.every((n) => n >= 0 && n < 1));
  const mean = numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
  t.ok(Math.abs(mean - 0.5) < 0.02);
});
