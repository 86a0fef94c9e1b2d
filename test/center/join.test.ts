import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Center } from '../../src/center/center.js';
import { Session, TypedSession } from '../../src/mux/index.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { dial } from '../../src/uplink/dial.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import { type HelloMessage, type Message, type ProveMessage, STREAM } from '../../src/uplink/messages.js';
import { type Exchange, newNonce, type ProofContext, proveToken, sign } from '../../src/uplink/proof.js';
import { until } from '../uplink/support.js';
import { addressOf, newIdentity, openCenter, TestEngine } from './support.js';

/** An engine written out by hand, so that it can do everything wrong. */
class HandMade {
  readonly received: Message[] = [];
  readonly identity = newIdentity();
  readonly nonce = newNonce();
  private constructor(
    readonly session: TypedSession,
    readonly control: MessageStream,
  ) {
    control.onmessage = (message) => this.received.push(message);
  }

  static async connect(t: Test, center: Center): Promise<HandMade> {
    const transport = await dial(addressOf(center));
    const session = new TypedSession(new Session(transport, { role: 'client' }));
    t.teardown(async () => {
      await session.session.close();
    });
    return new HandMade(session, new MessageStream(session.open(STREAM.control)));
  }

  hello(changes: Partial<HelloMessage> = {}): HelloMessage {
    const { publicKey: key } = this.identity;
    return {
      ...{ t: 'hello', v: 1, name: 'barn-1', key, nonce: this.nonce, version: '', labels: {} },
      ...changes,
    } as HelloMessage;
  }

  async next(count = this.received.length + 1): Promise<Message> {
    await until(() => this.received.length >= count, `message ${count}`);
    return this.received[count - 1]!;
  }

  /** The exchange of a hello once the challenge has come. */
  async exchange(hello = this.hello(), context: ProofContext = 'moonwire join v1'): Promise<Exchange> {
    this.control.send(hello);
    const challenge = await this.next(1);
    if (challenge.t !== 'challenge') throw new Error(`got ${challenge.t}`);
    return { context, name: hello.name, key: hello.key, nonce: hello.nonce, challenge: challenge.nonce };
  }

  prove(exchange: Exchange, token?: string): ProveMessage {
    const sig = sign(exchange, 'dialer', this.identity.privateKey);
    return { t: 'prove', sig, ...(token !== undefined && { token: proveToken(exchange, token) }) };
  }
}

const FAR_OFF = { minSeconds: 60, maxSeconds: 60, stableSeconds: 5 };

t.test('a proof must be for this join, by this key', async (t) => {
  const center = await openCenter(t, { joinToken: 'secret' });
  const attempts: [what: string, code: string, attempt: (peer: HandMade) => Promise<ProveMessage>][] = [
    [
      'a signature by another key',
      'bad_proof',
      async (peer) => {
        const exchange = await peer.exchange();
        return { t: 'prove', sig: sign(exchange, 'dialer', newIdentity().privateKey) };
      },
    ],
    [
      'a proof of a mesh session',
      'bad_proof',
      async (peer) => peer.prove(await peer.exchange(undefined, 'moonwire mesh v1'), 'secret'),
    ],
    [
      'a proof for another name',
      'bad_proof',
      async (peer) => peer.prove({ ...(await peer.exchange()), name: 'barn-2' }, 'secret'),
    ],
    ['no token', 'bad_token', async (peer) => peer.prove(await peer.exchange())],
    ['a wrong token', 'bad_token', async (peer) => peer.prove(await peer.exchange(), 'Secret')],
    [
      'a token proof for another challenge',
      'bad_token',
      async (peer) => {
        const exchange = await peer.exchange();
        return {
          ...peer.prove(exchange),
          token: proveToken({ ...exchange, challenge: newNonce() }, 'secret'),
        };
      },
    ],
  ];
  for (const [what, code, attempt] of attempts) {
    const peer = await HandMade.connect(t, center);
    peer.control.send(await attempt(peer));
    t.match(await peer.next(2), { t: 'refused', code }, what);
    await peer.session.session.closed;
  }
  t.match(center.counters.refused, { bad_proof: 3, bad_token: 3 });
  t.equal(center.registry.size, 0);
  t.equal(center.pins.size, 0);

  const good = await HandMade.connect(t, center);
  good.control.send(good.prove(await good.exchange(), 'secret'));
  t.match(await good.next(2), { t: 'welcome', node: 1, peers: [] });
});

t.test('a recorded join cannot be played again', async (t) => {
  const center = await openCenter(t, { joinToken: 'secret' });
  const first = await HandMade.connect(t, center);
  const hello = first.hello();
  const proof = first.prove(await first.exchange(hello), 'secret');
  first.control.send(proof);
  t.match(await first.next(2), { t: 'welcome' });

  const replay = await HandMade.connect(t, center);
  replay.control.send(hello);
  t.match(await replay.next(1), { t: 'challenge' });
  replay.control.send(proof);
  t.match(await replay.next(2), { t: 'refused', code: 'bad_proof' });
  t.equal(center.registry.size, 1, 'the engine that was recorded stays');
  t.equal(center.counters.replaced, 0);
});

t.test('what is out of place, and a version of the future, is refused', async (t) => {
  const center = await openCenter(t);
  for (const message of [
    { t: 'hello', v: 2 },
    { t: 'req', id: 1, m: 'x' },
    { t: 'reg', n: 0, full: true },
  ]) {
    const peer = await HandMade.connect(t, center);
    peer.control.send((message.t === 'hello' ? peer.hello({ v: 2 }) : message) as Message);
    t.match(await peer.next(1), { t: 'refused', code: 'bad_hello' });
  }
  const twice = await HandMade.connect(t, center);
  twice.control.send(twice.hello());
  twice.control.send(twice.hello());
  t.match(await twice.next(2), { t: 'refused', code: 'bad_hello' });
  t.equal(center.counters.refused.bad_hello, 4);

  const malformed = await HandMade.connect(t, center);
  malformed.control.send(malformed.hello({ name: 'no name', key: randomBytes(3) }));
  const { remote, debug } = await malformed.session.session.closed;
  t.match([remote?.code, Buffer.from(debug).toString()], ['protocol', /message hello: name must be a name/]);
});

t.test('before the join nothing but control is taken', async (t) => {
  const center = await openCenter(t);
  const peer = await HandMade.connect(t, center);
  const route = peer.session.open(STREAM.route);
  const refused = new Promise((resolve) => route.once('error', resolve));
  const second = peer.session.open(STREAM.control);
  const refusedToo = new Promise((resolve) => second.once('error', resolve));
  peer.control.send(peer.hello());
  t.match(await refused, { code: 'stream_refused', remote: true });
  t.match(await refusedToo, { code: 'stream_refused', remote: true });
  t.match(await peer.next(1), { t: 'challenge' });
});

t.test('a name belongs to one key, until its pin is removed', async (t) => {
  const values = new MemoryKeyValue();
  const center = await openCenter(t, {}, values);
  await new TestEngine(t, [addressOf(center)]).joined();
  const second = new TestEngine(t, [addressOf(center)]);
  await until(() => second.uplink.counters.refused > 0, 'refused');
  t.match(second.uplink.state, { connected: false, lastError: /refused \(name_taken\): another engine/ });
  t.match(second.log[0], { message: 'the centre refuses this engine', fields: { reason: /name_taken/ } });
  t.equal(center.registry.size, 1);

  t.ok(await center.pins.remove('barn-1'));
  await second.joined();
  t.equal(second.identity.node, 2, 'the first number is not given again');
});

t.test('the same key replaces its older session at once', async (t) => {
  const center = await openCenter(t);
  const events: string[] = [];
  center.observers.add({
    engineUp: ({ node }) => events.push(`up ${node}`),
    engineDown: ({ node }, reason) => events.push(`down ${node}: ${reason}`),
  });
  const identity = newIdentity();
  const first = await new TestEngine(t, [addressOf(center)], { retry: FAR_OFF }, identity).joined();
  first.connect(2 ** 33 + 1);
  await until(() => center.registry.counts().clients === 1, 'the client');
  const second = await new TestEngine(t, [addressOf(center)], {}, identity).joined();
  t.equal(second.identity.node, 1);
  t.match(events, ['up 1', /down 1: replaced by a newer session/, 'up 1']);
  t.equal(center.registry.size, 1);
  t.equal(center.counters.replaced, 1);
  await until(() => first.downs.length > 0, 'the older end is told');
  t.match(first.downs, [/replaced by a newer session/]);
  t.match(center.registry.counts(), { clients: 0 }, 'what the older session registered is gone');
});

t.test('numbers and names stay over restarts of engine and centre', async (t) => {
  const values = new MemoryKeyValue();
  const center = await openCenter(t, {}, values);
  const identities = ['a', 'b', 'c'].map((name) => ({ name, identity: newIdentity() }));
  for (const { name, identity } of identities) {
    await new TestEngine(t, [addressOf(center)], { name }, identity).joined();
  }
  t.same(
    identities.map(({ identity }) => identity.node),
    [1, 2, 3],
  );
  await center.stop();

  const again = await openCenter(t, {}, values);
  const returned: TestEngine[] = [];
  for (const { name, identity } of [...identities].reverse()) {
    const engine = await new TestEngine(t, [addressOf(again)], { name }, { ...identity, node: 0 }).joined();
    t.equal(engine.identity.node, identity.node, name);
    returned.push(engine);
  }
  const taken = new TestEngine(t, [addressOf(again)], { name: 'a' });
  await until(() => taken.uplink.counters.refused > 0, 'refused');
  t.match(taken.uplink.state.lastError, /name_taken/);
  await taken.uplink.stop();
  await returned.at(-1)!.uplink.stop();
  const renamed = await new TestEngine(
    t,
    [addressOf(again)],
    { name: 'd' },
    identities[0]!.identity,
  ).joined();
  t.equal(renamed.identity.node, 1, 'an engine that is renamed keeps its number');
  t.equal(again.pins.named('a'), undefined);
});

t.test('a centre that lost its state leaves engines their numbers, and gives them to no other', async (t) => {
  const center = await openCenter(t);
  const returning = await new TestEngine(t, [addressOf(center)], { name: 'a' }, newIdentity(2)).joined();
  t.equal(returning.identity.node, 2);
  const nodes: number[] = [];
  for (const [name, had] of [
    ['b', 0],
    ['c', 0],
    ['d', 2],
  ] as const) {
    nodes.push(
      (await new TestEngine(t, [addressOf(center)], { name }, newIdentity(had)).joined()).identity.node,
    );
  }
  t.same(nodes, [1, 3, 4]);
});

t.test('a trusted key needs no token', async (t) => {
  const identity = newIdentity();
  const center = await openCenter(t, { joinToken: 'secret', trustedKeys: [identity.publicKey] });
  await new TestEngine(t, [addressOf(center)], {}, identity).joined();
  t.pass('joined');
});

t.test('too many engines, or joins at a time, are refused, and tried again soon', async (t) => {
  const full = await openCenter(t, { limits: { engines: 1 } });
  const first = await new TestEngine(t, [addressOf(full)], { name: 'a', retry: FAR_OFF }).joined();
  const second = new TestEngine(t, [addressOf(full)], { name: 'b', refusedSeconds: 3600 });
  await until(() => second.uplink.counters.refused > 0, 'refused');
  t.match(second.uplink.state.lastError, /overloaded/);
  const returning = new TestEngine(t, [addressOf(full)], { name: 'a' }, first.identity);
  await returning.joined();
  t.equal(second.ups.length, 0, 'the engine that is here may return, others may not come');
  await Promise.all([first.uplink.stop(), returning.uplink.stop()]);
  await second.joined();

  const slow = await openCenter(t, { limits: { joinsPerSecond: 1 } });
  const engines = ['a', 'b', 'c'].map((name) => new TestEngine(t, [addressOf(slow)], { name }));
  await until(() => slow.counters.refused.overloaded > 0, 'one is refused');
  for (const engine of engines) await engine.joined();
});

t.test('engines are told of each other', async (t) => {
  const center = await openCenter(t);
  const advertise = () => ({ mesh: ':6788', api: '192.0.2.1:6789' });
  const a = await new TestEngine(t, [addressOf(center)], { name: 'a', advertise }).joined();
  const b = await new TestEngine(t, [addressOf(center)], { name: 'b' }).joined();
  t.match(b.peers, [
    { name: 'a', node: 1, key: a.identity.publicKey, mesh: '127.0.0.1:6788', api: '192.0.2.1:6789' },
  ]);
  await until(() => a.peers.length === 1, 'a knows b');
  t.match(a.peers, [{ name: 'b', node: 2, version: '0.1.0', mesh: undefined }]);
  await b.uplink.stop();
  await until(() => a.peers.length === 0, 'b is gone');
});
