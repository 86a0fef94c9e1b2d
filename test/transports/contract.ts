import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Connection } from '../../src/transports/connection.js';
import { Recorder } from './recorder.js';

/** Makes two connections that are joined. Both are destroyed after each test. */
export type MakePair = () => Promise<[Connection, Connection]>;

/** What a transport cannot do by its nature. */
export interface Traits {
  /** The peer learns that this side ended. False: datagrams, and a serial line, where the device just stays. */
  peerSeesEnd: boolean;
  /** Nothing is lost while the reader pauses. */
  lossless: boolean;
}

/** One promise, tried on the connections `a` and `b`; `own` attaches a recorder. */
type Scenario = (
  t: Test,
  a: Connection,
  b: Connection,
  own: (connection: Connection) => Recorder,
) => Promise<void>;

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A run of events is over when nothing new came for some turns of the event loop and a moment. */
const settle = (): Promise<void> => setTimeout(20);

/** The promises of `Connection`, the same for every transport, tried in both directions. */
export function contract(t: Test, transport: string, make: MakePair, traits: Traits): void {
  const scenario = (name: string, run: Scenario): void => {
    for (const turned of [false, true]) {
      t.test(`${transport}: ${name}${turned ? ', other way round' : ''}`, async (t) => {
        const pair = await make();
        const owners = new Map<Connection, Recorder>();
        const own = (connection: Connection): Recorder => {
          const owner = new Recorder(connection);
          owners.set(connection, owner);
          return owner;
        };
        t.teardown(async () => {
          for (const connection of pair) connection.destroy();
          for (const connection of pair) await (owners.get(connection) ?? own(connection)).closed();
        });
        if (turned) pair.reverse();
        await run(t, pair[0], pair[1], own);
      });
    }
  };

  scenario('delivers both ways, in order', async (t, a, b, own) => {
    const left = own(a);
    const right = own(b);
    const sent = Array.from({ length: 20 }, (_, i) => `message ${i};`);
    for (const text of sent) a.write(bytes(text));
    b.write(bytes('answer'));
    t.equal(await right.text(sent.join('').length), sent.join(''));
    t.equal(await left.text(6), 'answer');
    if (a.datagram) t.equal(right.chunks.length, sent.length, 'one write is one datagram');
    await left.until((r) => r.drains > 0);
    t.equal(a.pendingBytes, 0);
  });

  scenario('has names for both ends', async (t, a, b) => {
    t.type(a.remote, 'string');
    t.ok(a.remote.length > 0);
    t.ok(a.local.length > 0);
    t.equal(a.transport, b.transport);
  });

  scenario('delivers what came before the owner attached', async (t, a, b, own) => {
    own(a);
    a.write(bytes('early'));
    await settle();
    const right = own(b);
    t.equal(right.chunks.length, 0, 'never within attach');
    t.equal(await right.text(5), 'early');
  });

  scenario('takes one owner only', async (t, a, _b, own) => {
    own(a);
    t.throws(() => a.attach({ data() {}, close() {} }), { code: 'internal' });
  });

  scenario('holds data while paused, and lets it flow again', async (t, a, b, own) => {
    own(a);
    const right = own(b);
    b.pause();
    a.write(bytes('one'));
    await settle();
    a.write(bytes('two'));
    await settle();
    t.equal(right.receivedBytes, 0);
    b.resume();
    t.equal(await right.text(6), 'onetwo');
  });

  scenario('stops within a run of data when paused there', async (t, a, b, own) => {
    own(a);
    const right = own(b);
    right.onData = () => b.pause();
    a.write(bytes('one'));
    await right.until((r) => r.chunks.length === 1);
    a.write(bytes('two'));
    await settle();
    a.write(bytes('six'));
    await settle();
    t.equal(right.chunks.length, 1);
    while (right.receivedBytes < 9) {
      b.resume();
      await settle();
    }
    t.equal(right.received.toString(), 'onetwosix');
  });

  scenario('a pause that is lifted and laid on again in one turn holds', async (t, a, b, own) => {
    own(a);
    const right = own(b);
    b.pause();
    a.write(bytes('one'));
    await settle();
    b.resume();
    b.pause();
    await settle();
    t.equal(right.receivedBytes, 0);
    b.resume();
    t.equal(await right.text(3), 'one');
  });

  if (traits.lossless) {
    scenario('a reader that pauses stops the writer', async (t, a, b, own) => {
      const left = own(a);
      const right = own(b);
      b.pause();
      const block = Buffer.alloc(64 * 1024, 'x');
      let written = 0;
      // However large the system's own buffers are, they fill.
      while (written < 64 * 1024 * 1024) {
        a.write(block);
        written += block.length;
        await setTimeout(1);
        if (a.pendingBytes > 1024 * 1024) break;
      }
      t.ok(a.pendingBytes > 1024 * 1024, 'what the peer does not take stays with the writer');
      // The system may still move what it holds; then all stands still.
      let before: number;
      do {
        before = a.pendingBytes;
        await settle();
      } while (a.pendingBytes !== before);
      t.ok(a.pendingBytes > 0, 'nothing leaves any more');
      t.equal(right.receivedBytes, 0);
      const drains = left.drains;
      b.resume();
      await right.until((r) => r.receivedBytes === written);
      await left.until((r) => r.drains > drains);
      t.equal(a.pendingBytes, 0);
    });
  }

  scenario('end sends what is queued, then closes', async (t, a, b, own) => {
    const left = own(a);
    const right = own(b);
    const text = 'x'.repeat(1000);
    a.write(bytes(text));
    a.end();
    t.ok(a.closed);
    a.write(bytes('late'));
    a.end();
    t.equal(await right.text(text.length), text);
    t.equal(await left.closed(), undefined);
    if (traits.peerSeesEnd) {
      t.equal(await right.closed(), undefined);
      t.ok(b.closed);
    }
    await settle();
    t.equal(right.receivedBytes, text.length, 'nothing of what was written after end');
    t.equal(left.closes.length, 1);
    t.equal(left.receivedBytes, 0);
  });

  scenario('destroy closes at once, with the first cause', async (t, a, b, own) => {
    const left = own(a);
    const right = own(b);
    const first = new Error('first');
    a.destroy(first);
    t.ok(a.closed);
    t.equal(left.closes.length, 0, 'never within the call');
    a.destroy(new Error('second'));
    a.end();
    a.write(bytes('late'));
    a.pause();
    a.resume();
    t.equal(await left.closed(), first);
    if (traits.peerSeesEnd) await right.closed();
    await settle();
    t.strictSame(left.closes, [first], 'close is told exactly once');
    t.equal(right.receivedBytes, 0);
    t.equal(a.pendingBytes, 0);
  });

  scenario('destroy after end gives up the rest', async (t, a, _b, own) => {
    const left = own(a);
    a.end();
    a.destroy();
    await left.closed();
    await settle();
    t.equal(left.closes.length, 1);
  });

  scenario('tells an owner who comes too late', async (t, a, _b, own) => {
    const cause = new Error('over');
    a.destroy(cause);
    await settle();
    const left = own(a);
    t.equal(left.closes.length, 0);
    t.equal(await left.closed(), cause);
  });

  scenario('an owner may close from within data', async (t, a, b, own) => {
    own(a);
    const right = own(b);
    right.onData = () => b.destroy();
    a.write(bytes('go'));
    t.equal(await right.closed(), undefined);
  });
}
