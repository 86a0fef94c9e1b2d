import { duplexPair } from 'node:stream';
import t, { type Test } from 'tap';
import { Heartbeat, type HeartbeatOptions, Session, TypedSession } from '../../src/mux/index.js';
import { data, fin, sessionAndPeer, settle, syn } from './wire.js';

const TYPE = Buffer.alloc(4, 0xff);

/** A session with a heartbeat, and the hand-made peer that answers it or does not. */
function heartbeat(t: Test, options: HeartbeatOptions) {
  // A memory pair keeps no process alive, and a session's timers do not either.
  const awake = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(awake));
  const { session, peer } = sessionAndPeer({ role: 'client' });
  return { session, peer, beats: new Heartbeat(new TypedSession(session), options) };
}

/** The bytes of the next DATA frame, type stripped. */
async function nextBeat({ peer }: Pick<ReturnType<typeof sessionAndPeer>, 'peer'>): Promise<Buffer> {
  for (;;) {
    while (peer.frames.length === 0) await settle(1);
    const { body, flags } = peer.frames.shift()!;
    const bytes = flags & 2 ? body.subarray(4) : body;
    if (bytes.length > 0) return bytes;
  }
}

t.test('four random bytes on a stream of type 0xffffffff, echoed', async (t) => {
  const trips: number[] = [];
  const { session, peer, beats } = heartbeat(t, { intervalMs: 10, onBeat: (ms) => trips.push(ms) });
  beats.start();
  beats.start();
  const first = peer.frames;
  while (first.length === 0) await settle(1);
  t.same(first[0]!.body.subarray(0, 4), TYPE);
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const bytes = await nextBeat({ peer });
    t.equal(bytes.length, 4);
    seen.add(bytes.toString('hex'));
    // In two frames: the echo is a stream of bytes, not of frames.
    peer.send(data(3, bytes.subarray(0, 1)), data(3, bytes.subarray(1)));
  }
  while (trips.length < 3) await settle(1);
  t.ok(seen.size > 1, 'they differ');
  t.equal(beats.roundTripMs, trips.at(-1));
  t.equal(session.streamCount, 1, 'one stream for all');
  await session.close();
});

t.test('the peer’s beats are echoed, without start', async (t) => {
  const { session, peer } = heartbeat(t, {});
  peer.send(syn(2, TYPE), data(2, 'beat'), data(2, 'BE'), data(2, 'AT'));
  let echoed = '';
  while (echoed.length < 8) echoed += await nextBeat({ peer });
  t.equal(echoed, 'beatBEAT');
  peer.send(fin(2));
  while (session.streamCount > 0) await settle(1);
  await session.close();
});

t.test('silence ends the session', async (t) => {
  const { session, beats } = heartbeat(t, { intervalMs: 20, toleranceMs: 30 });
  beats.start();
  const waiting = t.rejects(beats.beat(), { code: 'write_timeout' });
  t.match((await session.closed).error, {
    code: 'write_timeout',
    message: /no heartbeat was answered for 50 ms/,
  });
  await waiting;
  await t.rejects(beats.beat(), { code: 'write_timeout' });
});

t.test('durations can be changed while it runs', async (t) => {
  const { session, beats } = heartbeat(t, {});
  beats.start();
  t.same([beats.intervalMs, beats.toleranceMs], [10_000, 15_000]);
  beats.intervalMs = 10;
  beats.toleranceMs = 10;
  t.equal((await session.closed).error.code, 'write_timeout', 'in force at once');
  for (const value of [0, 9, 1.5, Number.NaN, 2 ** 31]) {
    t.throws(() => Object.assign(beats, { intervalMs: value }), {
      code: 'invalid_argument',
      where: 'intervalMs',
    });
  }
});

t.test('a changed echo ends the session', async (t) => {
  const { session, peer, beats } = heartbeat(t, {});
  const beat = t.rejects(beats.beat(), { code: 'protocol' });
  const bytes = await nextBeat({ peer });
  bytes[0]! ^= 1;
  peer.send(data(3, bytes));
  t.equal((await session.closed).error.code, 'protocol');
  await beat;
});

t.test('bytes nobody asked for end the session', async (t) => {
  const { session, peer, beats } = heartbeat(t, {});
  beats.start();
  peer.send(data(3, 'what'));
  t.equal((await session.closed).error.code, 'protocol');
});

t.test('beats at once share one echo; a stop rejects them and leaves the session', async (t) => {
  const { session, peer, beats } = heartbeat(t, {});
  const both = Promise.all([beats.beat(), beats.beat()]);
  peer.send(data(3, await nextBeat({ peer })));
  const [a, b] = await both;
  t.equal(a, b);
  const late = t.rejects(beats.beat(), { code: 'stream_cancelled' });
  beats.stop();
  await late;
  t.equal(session.endedBy, undefined);
  await session.close();
  beats.start();
});

t.test('a peer that ends the heartbeat stream is silent from then on', async (t) => {
  const { session, peer, beats } = heartbeat(t, { intervalMs: 30, toleranceMs: 30 });
  beats.start();
  const beat = t.rejects(beats.beat(), { code: 'stream_closed' });
  await nextBeat({ peer });
  peer.send(fin(3));
  await beat;
  t.equal(session.endedBy, undefined);
  t.match((await session.closed).error, { code: 'write_timeout' });
});

t.test('two sessions measure each other', async (t) => {
  const awake = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(awake));
  const [near, far] = duplexPair();
  const [client, server] = [new Session(near, { role: 'client' }), new Session(far, { role: 'server' })];
  const beats = [client, server].map(
    (session) => new Heartbeat(new TypedSession(session), { intervalMs: 10 }),
  );
  for (const one of beats) one.start();
  for (const one of beats) t.ok((await one.beat()) >= 0);
  await client.close();
  await server.closed;
});
