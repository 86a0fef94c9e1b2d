import { once } from 'node:events';
import t from 'tap';
import { type MuxStream, TypedSession } from '../../src/mux/index.js';
import { data, fin, goaway, rst, sessionAndPeer, settle, syn, textOf } from './wire.js';

const TYPE_4 = Buffer.from([0, 0, 0, 4]);
const typed = (type: Buffer, text: string) => Buffer.concat([type, Buffer.from(text)]);

t.test('the type leaves whole in the first DATA frame', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  const stream = new TypedSession(session).open(0xfffffffe);
  stream.write('payload');
  t.match(await peer.next(), /^DATA #3 SYN/);
  t.equal(stream.streamType, 0xfffffffe);
  await session.close();
  const other = sessionAndPeer({ role: 'client' });
  new TypedSession(other.session).open(0x01020304);
  t.equal(await other.peer.next(), 'DATA #3 SYN "\\u0001\\u0002\\u0003\\u0004"');
  await other.session.close();
});

t.test('the type is stripped, however it was cut', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  const streams = new TypedSession(session);
  peer.send(syn(3, typed(TYPE_4, 'one frame')), fin(3));
  peer.send(syn(5), data(5, TYPE_4.subarray(0, 1)), data(5, typed(TYPE_4.subarray(1), 'split')), fin(5));
  peer.send(syn(7, TYPE_4), data(7, 'alone'), fin(7));
  const texts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const stream = await streams.accept();
    t.equal(stream.streamType, 4);
    texts.push(await textOf(stream));
  }
  t.same(texts.sort(), ['alone', 'one frame', 'split']);
  await session.close();
});

t.test('handlers take their type, `stream` listeners the others', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  const streams = new TypedSession(session);
  const handled: number[] = [];
  streams.handle(4, (stream) => handled.push(stream.id));
  peer.send(syn(3, TYPE_4), syn(5, Buffer.from([0, 0, 0, 9])));
  const [stream] = (await once(streams, 'stream')) as [MuxStream];
  t.same([stream.id, stream.streamType], [5, 9]);
  t.same(handled, [3]);
  await session.close();
});

t.test('a listener added late gets what waits', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server' });
  peer.send(syn(3, 'a'), syn(5, 'b'));
  await settle();
  const ids: number[] = [];
  session.on('stream', (stream) => ids.push(stream.id));
  await settle();
  t.same(ids, [3, 5]);
  await session.close();
});

t.test('streams whose type does not come', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', acceptBacklog: 2, typeTimeoutMs: 30 });
  const streams = new TypedSession(session);
  peer.send(syn(3, 'abc'), fin(3));
  t.equal(await peer.next(), 'RST #3 1', 'too short');
  peer.send(syn(5), fin(5));
  t.equal(await peer.next(), 'RST #5 1', 'empty');
  const awake = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(awake));
  peer.send(syn(7), syn(9), syn(11));
  t.equal(await peer.next(), 'RST #11 9', 'as many as may wait do');
  peer.send(rst(7, 6));
  t.equal(await peer.next(), 'RST #9 6', 'too late');
  peer.send(syn(13, TYPE_4));
  t.equal((await streams.accept()).id, 13, 'none of them holds a place');
  await session.close();
  await t.rejects(streams.accept(), { code: 'session_closed' });
});

t.test('typed streams nobody accepts are bounded, and leave when they close', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'server', acceptBacklog: 2 });
  const streams = new TypedSession(session);
  peer.send(syn(3, TYPE_4), syn(5, TYPE_4));
  await settle();
  peer.send(syn(7, TYPE_4));
  t.equal(await peer.next(), 'RST #7 9');
  peer.send(rst(3, 6));
  await settle();
  peer.send(syn(9, TYPE_4));
  await settle();
  t.same([(await streams.accept()).id, (await streams.accept()).id], [5, 9]);
  await session.close();
});

t.test('the peer going away is passed on', async (t) => {
  const { session, peer } = sessionAndPeer({ role: 'client' });
  const heard = once(new TypedSession(session), 'goaway');
  peer.send(goaway(0, 5, 'full'));
  const [error, debug] = await heard;
  t.match(error, { code: 'stream_refused' });
  t.equal(String(debug), 'full');
  await session.close();
});
