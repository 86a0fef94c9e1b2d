import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { MuxError, type MuxStream, Session } from '../../src/mux/index.js';
import { data, fin, frame, goaway, Peer, rst, sessionAndPeer, settle, syn, textOf, wndinc } from './wire.js';

// A peer that breaks the rules, by hand. Each story ends as README.md of src/mux says, with its code.

/** Timers alive, counted from here on: what a session leaves behind would show. */
let timers = 0;
const live = new Set<number>();
createHook({
  init(id, type) {
    if (type === 'Timeout') live.add(id);
    timers = live.size;
  },
  destroy(id) {
    live.delete(id);
    timers = live.size;
  },
}).enable();

const quiet = (stream: MuxStream) => stream.on('error', () => {});

/** The session ends with `code`, tells the peer so, and leaves nothing behind. */
async function endsSession(t: Test, send: Uint8Array[], code: string, wire: number) {
  const before = timers;
  const { session, peer, transport } = sessionAndPeer({ role: 'server' });
  session.on('stream', quiet);
  const own = quiet(session.open());
  own.write('pending');
  peer.send(...send);
  const end = await session.closed;
  t.equal(end.error.code, code);
  t.equal(end.error.remote, false);
  const frames = await peer.untilEnd();
  t.match(frames.at(-1)!, new RegExp(`^GOAWAY \\d+ ${wire} "`), 'the peer is told');
  t.match(own.errored, { code: 'session_closed' });
  t.throws(() => session.open(), { code: 'session_closed' });
  await t.rejects(session.accept(), { code });
  t.equal(session.streamCount, 0);
  for (const event of ['data', 'end', 'close']) {
    // The Duplex listens for its own `end` as long as it lives.
    t.ok(transport.listenerCount(event) <= (event === 'end' ? 1 : 0), `${event} listeners`);
  }
  await settle();
  t.equal(timers, before, 'no timer is left');
}

for (const [name, send, code, wire] of [
  ['a SYN of our parity', [syn(2, 'x')], 'protocol', 1],
  ['a SYN on a live id', [syn(3, 'x'), syn(3, 'y')], 'protocol', 1],
  ['a SYN on an id of ours', [syn(2, '')], 'protocol', 1],
  ['DATA on stream 0', [data(0, 'x')], 'protocol', 1],
  ['an id with its top bit set', [data(0x80000003, 'x', 2)], 'protocol', 1],
  ['an RST of length 3', [syn(3), frame(0, 3, [0, 0, 0])], 'frame_size', 8],
  ['an RST of 16 MiB', [frame(0, 3, [], 0, 0xffffff)], 'frame_size', 8],
  ['a WNDINC of length 5', [syn(3), frame(2, 3, [0, 0, 0, 1, 0])], 'frame_size', 8],
  ['a GOAWAY of length 7', [frame(3, 0, [0, 0, 0, 0, 0, 0, 0])], 'frame_size', 8],
  ['a GOAWAY on a stream', [frame(3, 3, [0, 0, 0, 0, 0, 0, 0, 0])], 'protocol', 1],
  ['a window increment of zero', [syn(3), wndinc(3, 0)], 'protocol', 1],
] as const) {
  t.test(`${name} ends the session (${code})`, async (t) => {
    await endsSession(t, [...send], code, wire);
  });
}

t.test('a wrong SYN of the client’s parity ends a client', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  peer.send(syn(301));
  t.equal((await session.closed).error.code, 'protocol');
});

/** One stream is reset with `wire` while another goes on. */
async function resetsStream(t: Test, send: Uint8Array[], code: string, wire: number, windowBytes = 1024) {
  const { session, peer } = sessionAndPeer({ role: 'server', windowBytes });
  peer.send(syn(3, 'a'), syn(5, 'b'));
  const [bad, good] = [await session.accept(), await session.accept()];
  const failed = once(bad, 'error');
  peer.send(...send);
  t.equal(await peer.next(), `RST #3 ${wire}`);
  t.match((await failed)[0], { name: 'MuxError', code, remote: false });
  t.equal(session.streamCount, 1);
  t.equal(session.counters.resetsSent, 1);
  peer.send(data(5, 'c'));
  good.setEncoding('utf8');
  let text = '';
  for await (const piece of good) {
    text += piece;
    if (text === 'bc') break;
  }
  t.equal(text, 'bc', 'the other stream goes on');
  await session.close();
}

t.test('a frame beyond the window resets its stream, its payload is dropped', (t) =>
  resetsStream(t, [data(3, 'x'.repeat(1024))], 'flow_control', 3),
);

t.test('a frame of 16 MiB resets its stream before its payload has come', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'a'));
  quiet(await session.accept());
  peer.send(frame(1, 3, 'x', 0, 0xffffff));
  t.equal(await peer.next(), 'RST #3 3');
  for (let i = 0; i < 16; i++) peer.send(Buffer.alloc(1024 * 1024 - (i === 15 ? 2 : 0)));
  peer.send(rst(9, 1), syn(5, 'after'));
  t.equal(String((await session.accept()).read() ?? 'after'), 'after');
  t.equal(session.counters.droppedBytes, 0xffffff);
  await session.close();
});

t.test('increments beyond 2^31-1 reset their stream', (t) =>
  resetsStream(t, [wndinc(3, 0x7fffffff)], 'flow_control', 3),
);

t.test('data after FIN resets the stream', (t) =>
  resetsStream(t, [fin(3, 'x'), data(3, 'y')], 'stream_closed', 4),
);

t.test('empty frames after FIN are ignored', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'a'), fin(3), fin(3), data(3));
  const stream = await session.accept();
  t.equal(await textOf(stream), 'a');
  stream.end();
  t.equal(await peer.next(), 'DATA #3 FIN ""', 'its end followed by ours');
  await session.close();
});

t.test('frames for unknown streams: data is answered, the rest counted', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(data(9, 'lost'), fin(9), data(11), fin(11, 'x'), rst(9, 1), wndinc(9, 5), data(2, 'own parity'));
  t.equal(await peer.next(), 'RST #9 4');
  t.equal(await peer.next(), 'RST #11 4');
  t.equal(await peer.next(), 'RST #11 4');
  t.equal(await peer.next(), 'RST #2 4');
  t.match(session.counters, { strayData: 4, strayControl: 2, droppedBytes: 4 + 1 + 10 });
  t.equal(session.endedBy, undefined);
  await session.close();
});

t.test('endless SYN: a backlog, then refusals, and memory stays flat', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', acceptBacklog: 128 });
  const answers = { refused: 0 };
  peer.transport.on('frames', () => {
    for (const { type } of peer.frames.splice(0)) if (type === 0) answers.refused++;
  });
  const total = 50_000;
  for (let i = 0; i < total; ) {
    const burst = Array.from({ length: 1000 }, () => syn(3 + 2 * i++, 'hello'));
    if (!peer.transport.write(Buffer.concat(burst))) await once(peer.transport, 'drain');
    await settle(1);
  }
  while (answers.refused < total - 128) await once(peer.transport, 'frames');
  t.equal(session.streamCount, 128);
  t.match(session.counters, { accepted: 128, backlogFull: total - 128 });
  await session.close();
  t.equal(session.streamCount, 0);
});

t.test('more streams than allowed are refused; room appears when some close', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', maxStreams: 2 });
  session.on('stream', quiet);
  peer.send(syn(3), syn(5), syn(7, 'x'));
  t.equal(await peer.next(), 'RST #7 5');
  peer.send(rst(3, 6), syn(9));
  await settle();
  t.equal(session.streamCount, 2);
  t.match(session.counters, { accepted: 3, refused: 1 });
  await session.close();
});

t.test('endless SYN and RST leave nothing in the backlog', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  for (let i = 0; i < 20_000; i += 1000) {
    peer.send(
      ...Array.from({ length: 1000 }, (_, k) =>
        Buffer.concat([syn(3 + 2 * (i + k), 'x'), rst(3 + 2 * (i + k), 6)]),
      ),
    );
    await settle(2);
  }
  t.equal(session.streamCount, 0);
  t.match(session.counters, { accepted: 20_000, resetsReceived: 20_000, backlogFull: 0 });
  peer.send(syn(50_001, 'live'));
  t.equal((await session.accept()).id, 50_001);
  await session.close();
});

t.test('a peer that asks for answers and reads none is read no further', async (t) => {
  const { session, peer, transport } = sessionAndPeer({ role: 'server', writeTimeoutMs: 60_000 });
  peer.transport.pause();
  const strays = Buffer.concat(Array.from({ length: 8000 }, () => data(9)));
  for (let i = 0; i < 20; i++) peer.transport.write(strays);
  await settle(50);
  t.ok(transport.isPaused(), 'we have stopped reading');
  t.ok(transport.writableLength < 400_000, `${transport.writableLength} bytes wait, far from 20 × 8000 × 12`);
  t.ok(session.counters.strayData < 40_000, `${session.counters.strayData} handled of 160,000`);
  peer.transport.resume();
  while (session.counters.strayData < 160_000) await settle();
  t.equal(session.endedBy, undefined, 'and all is handled once it reads');
  await session.close();
});

t.test('a peer that reads nothing at all ends the session (write timeout)', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client', writeTimeoutMs: 50, closeTimeoutMs: 50 });
  peer.transport.pause();
  // A memory pair keeps no process alive, and a session's timers do not either.
  const awake = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(awake));
  const stream = quiet(session.open());
  const failed = once(stream, 'error');
  while (stream.write(Buffer.alloc(65_536)));
  t.equal((await session.closed).error.code, 'write_timeout');
  t.match((await failed)[0], { code: 'session_closed', cause: { code: 'write_timeout' } });
});

t.test('a stream nobody reads stops only itself, and its bytes are bounded', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', maxUnreadBytes: 200_000, windowBytes: 100_000 });
  session.on('stream', quiet);
  peer.send(syn(3), syn(5), syn(7));
  peer.send(data(3, Buffer.alloc(100_000)), data(5, Buffer.alloc(100_000)));
  await settle();
  t.equal(session.endedBy, undefined);
  t.equal(session.streamCount, 3);
  peer.send(data(7, 'x'));
  t.equal(await peer.next(), 'RST #7 10', 'enhance your calm');
  t.equal(session.streamCount, 2);
  await session.close();
});

t.test('garbage ends the session', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  // An unknown frame type of 16 MiB: skipped until the peer gives up.
  peer.send(Buffer.alloc(1_000_000, 0xff));
  peer.transport.end();
  t.match((await session.closed).error, { code: 'peer_eof', message: /middle of a frame/ });
  for (const noise of [Buffer.alloc(64), Buffer.from('GET / HTTP/1.1\r\nHost: example\r\n\r\n')]) {
    const other = sessionAndPeer({ role: 'server' });
    other.peer.send(noise);
    t.equal((await other.session.closed).error.code, 'frame_size');
  }
});

t.test('a cut in the middle of a frame', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'hello').subarray(0, 11));
  const stream = await session.accept();
  const failed = once(stream, 'error');
  peer.transport.end();
  const end = await session.closed;
  t.match(end.error, { code: 'peer_eof', message: /middle of a frame/ });
  t.match((await failed)[0], { code: 'session_closed', cause: end.error });
});

t.test('a transport that fails', async (t) => {
  const { session, transport } = sessionAndPeer({ role: 'server' });
  transport.destroy(new Error('cable torn'));
  t.match((await session.closed).error, { code: 'peer_eof', message: /cable torn|closed/ });
  const late = new Session(transport, { role: 'server' });
  t.equal((await late.closed).error.code, 'peer_eof', 'one that was closed before');
});

t.test('a reset that arrives with its SYN does not end the process', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  const accepted = session.accept();
  peer.send(syn(3, 'x'), rst(3, 4_000_000_000), syn(5, 'y'), rst(5, 7));
  const stream = await accepted;
  t.match(stream.errored, { code: 'unknown', wireCode: 4_000_000_000, remote: true });
  await settle();
  t.equal(session.streamCount, 0);
  await session.close();
});

t.test('an answer that came whole stays readable when the peer resets or leaves', async (t) => {
  // Go closes a stream with FIN and forgets it: what we send then is answered by RST, and its session may end at once.
  for (const leaves of [false, true]) {
    const { session, peer } = sessionAndPeer({ role: 'client' });
    const stream = session.open();
    stream.write('question');
    await peer.next();
    peer.send(data(3, 'the whole '), fin(3, 'answer'), leaves ? goaway(3, 0) : rst(3, 4));
    if (leaves) peer.transport.end();
    await settle();
    t.equal(session.endedBy?.code, leaves ? 'peer_eof' : undefined);
    t.equal(session.streamCount, 0);
    t.equal(await textOf(stream), 'the whole answer');
    t.ok(stream.destroyed, 'then it is gone');
    t.equal(stream.errored, null);
    await session.close();
  }
});

t.test('writing to such a stream before it is read to its end fails with the cause', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  const [writing, ending] = [session.open(), session.open()];
  peer.send(fin(3, 'x'), fin(5, 'y'), rst(3, 4), rst(5, 4));
  await settle();
  const failed = once(writing, 'error');
  writing.write('more');
  t.match((await failed)[0], { code: 'stream_closed', remote: true });
  ending.end();
  t.equal(await textOf(ending), 'y', 'ending it is no error');
  t.ok(ending.destroyed && !ending.errored);
  await session.close();
});

t.test('half of an answer is an error', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  const stream = session.open();
  peer.send(data(3, 'half of '), rst(3, 6));
  await t.rejects(textOf(stream), { code: 'stream_cancelled' });
  await session.close();
});

// ---- GOAWAY races ---------------------------------------------------------------------------------------------

t.test(
  'GOAWAY received: streams above its last id are closed, the others go on, none is opened',
  async (t) => {
    const { session, peer } = sessionAndPeer({ role: 'client' });
    const [kept, lost] = [quiet(session.open()), quiet(session.open())];
    peer.send(data(3, 'k'));
    peer.send(goaway(3, 10, 'busy'));
    const [error, debug] = await once(session, 'goaway');
    t.match(error, { code: 'enhance_your_calm', remote: true });
    t.equal(String(debug), 'busy');
    t.match(lost.errored, { code: 'remote_gone_away' });
    t.notOk(kept.destroyed);
    t.throws(() => session.open(), { code: 'remote_gone_away' });
    peer.send(syn(2, 'new one of yours'), goaway(3, 0, 'bye'));
    t.equal((await session.accept()).id, 2, 'the peer may still open');
    const end = await session.close();
    t.match(end, { error: { code: 'session_closed' }, remote: { code: 'none', wireCode: 0 } });
    t.equal(String(end.debug), 'bye', 'the last one counts');
  },
);

t.test('GOAWAY sent: a SYN that crossed it is refused, open streams go on', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'a'));
  const stream = await session.accept();
  session.goAway('none', 'restart');
  peer.send(syn(5, 'crossed'), data(3, 'b'), fin(3));
  t.equal(await peer.next(), 'GOAWAY 3 0 "restart"');
  t.equal(await peer.next(), 'RST #5 5');
  stream.end('answer');
  t.equal(await textOf(stream), 'ab');
  await once(stream, 'close');
  await session.close();
  t.same(await peer.untilEnd(), ['DATA #3 FIN "answer"', 'GOAWAY 3 0 "no error"']);
});

t.test('both go away and close at once', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  quiet(session.open());
  peer.send(goaway(0, 0, 'no error'));
  peer.transport.end();
  const end = await session.close();
  t.equal(end.error.code, 'session_closed');
  t.equal(await session.close(new MuxError('internal', 'later')), end, 'the first cause is kept');
});

t.test('drain waits for open streams and refuses new ones', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'work'));
  const stream = await session.accept();
  let drained = false;
  const done = session.drain('upgrade').then((end) => {
    drained = true;
    return end;
  });
  t.equal(await peer.next(), 'GOAWAY 3 0 "upgrade"');
  await settle();
  t.notOk(drained);
  stream.end('done').resume();
  peer.send(fin(3));
  t.equal((await done).error.code, 'session_closed');
  t.same(await peer.untilEnd(), ['DATA #3 FIN "done"', 'GOAWAY 3 0 "no error"']);
});

t.test('closing while the peer keeps sending delivers the GOAWAY', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'x'));
  quiet(await session.accept());
  const end = session.close(new MuxError('enhance_your_calm', 'enough'));
  peer.send(data(3, Buffer.alloc(100_000)), data(3, Buffer.alloc(100_000)));
  t.same(await peer.untilEnd(), ['GOAWAY 3 10 "enough"']);
  t.equal((await end).error.code, 'enhance_your_calm');
});

t.test('ids run out', async (t) => {
  const { session } = sessionAndPeer({ role: 'client' });
  Reflect.set(session, 'nextId', 0x7fffffff);
  t.equal(quiet(session.open()).id, 0x7fffffff);
  t.throws(() => session.open(), { code: 'streams_exhausted' });
  await session.close();
});

t.test('a hand-made peer over the same memory pair sees its own end', async (t) => {
  const { peer, session } = sessionAndPeer({ role: 'client' });
  t.ok(peer instanceof Peer);
  await session.close();
  t.same(await peer.untilEnd(), ['GOAWAY 0 0 "no error"']);
});
