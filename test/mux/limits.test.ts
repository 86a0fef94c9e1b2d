import { Duplex, duplexPair } from 'node:stream';
import t from 'tap';
import { sessionConfig } from '../../src/mux/config.js';
import { MUX_CODES, MuxError, Session, type SessionOptions, TypedSession } from '../../src/mux/index.js';
import { UnreadQueue } from '../../src/mux/unread.js';
import { random } from '../support/random.js';

t.test('settings have defaults and ranges, and a refusal names both', async (t) => {
  t.match(sessionConfig({ role: 'client' }), {
    windowBytes: 262_144,
    acceptBacklog: 128,
    gatherBytes: 131_072,
  });
  t.equal(sessionConfig({ role: 'server', acceptBacklog: 65_535 }).acceptBacklog, 65_535);
  for (const [options, where] of [
    [{ role: 'peer' }, 'role'],
    [{ role: 'client', windowBytes: 1023 }, 'windowBytes'],
    [{ role: 'client', windowBytes: 2 ** 31 }, 'windowBytes'],
    [{ role: 'client', acceptBacklog: 0 }, 'acceptBacklog'],
    [{ role: 'client', gatherBytes: 1.5 }, 'gatherBytes'],
    [{ role: 'client', writeTimeoutMs: Number.NaN }, 'writeTimeoutMs'],
  ] as const) {
    const wanted = { code: 'invalid_argument', where, message: new RegExp(where) };
    t.throws(() => new Session(duplexPair()[0], options as SessionOptions), wanted);
  }
});

t.test('codes and types out of range are refused', async (t) => {
  const session = new Session(duplexPair()[0], { role: 'client' });
  const stream = session.open();
  for (const value of [-1, 2 ** 32, 1.5, Number.NaN]) {
    t.throws(() => stream.reset(value), { code: 'invalid_argument', where: 'code' });
    t.throws(() => session.goAway(value), { code: 'invalid_argument', where: 'code' });
    t.throws(() => new TypedSession(session).open(value), { code: 'invalid_argument', where: 'type' });
  }
  t.notOk(stream.destroyed);
  session.close();
});

t.test(
  'a transport that never says it has closed is destroyed, and keeps the process until then',
  async (t) => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const silent = new Duplex({ autoDestroy: false, read() {}, write: (_chunk, _encoding, done) => done() });
    const session = new Session(silent, { role: 'client', closeTimeoutMs: 50 });
    const before = timers();
    const closed = session.close();
    t.equal(timers(), before + 1, 'else a process without other work would end before it has stopped');
    await closed;
    t.ok(silent.destroyed);
    t.equal(timers(), before);
  },
);

t.test('error codes', async (t) => {
  t.equal(new MuxError('protocol', 'x').wireCode, 1);
  for (const [name, number] of Object.entries(MUX_CODES)) {
    t.match(MuxError.received(number, 'x'), { code: name, wireCode: number, remote: true });
  }
  t.match(MuxError.received(200, 'x'), { code: 'unknown', wireCode: 200 });
});

t.test('unread bytes come out as they went in, and hold little memory', async (t) => {
  const rng = random(t);
  const queue = new UnreadQueue();
  const source = Buffer.from(rng.bytes(65_536));
  const expected: Buffer[] = [];
  const got: Uint8Array[] = [];
  let held = 0;
  for (let i = 0; i < 3000; i++) {
    const start = rng.below(60_000);
    const length = rng.below(50) === 0 ? 20_000 : 1 + rng.below(20);
    const chunk = source.subarray(start, start + length);
    queue.push(chunk);
    expected.push(chunk);
    if (rng.below(100) === 0) for (let bytes = queue.shift(); bytes; bytes = queue.shift()) got.push(bytes);
  }
  t.equal(
    queue.bytes + got.reduce((sum, { length }) => sum + length, 0),
    expected.reduce((sum, { length }) => sum + length, 0),
  );
  const before = got.length;
  for (let bytes = queue.shift(); bytes; bytes = queue.shift()) got.push(bytes);
  t.ok(Buffer.concat(got).equals(Buffer.concat(expected)));
  t.equal(queue.bytes, 0);
  // A small piece of a large read buffer is copied: 1000 of them do not hold 64 MB.
  for (let i = 0; i < 1000; i++) queue.push(Buffer.alloc(65_536).subarray(i, i + 1));
  const buffers = new Set<ArrayBufferLike>();
  for (let bytes = queue.shift(); bytes; bytes = queue.shift()) buffers.add(bytes.buffer);
  for (const buffer of buffers) held += buffer.byteLength;
  t.ok(held < 100_000, `${held} bytes hold 1000`);
  t.ok(before > 0);
});
