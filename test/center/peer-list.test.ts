import t from 'tap';
import type { EngineSession } from '../../src/center/engine-session.js';
import { PeerList } from '../../src/center/peer-list.js';
import { cborCodec } from '../../src/codecs/cbor.js';
import { readMessage } from '../../src/uplink/message-checks.js';
import { MAX_MESSAGE_BYTES, PEERS_PER_MESSAGE, type Peer } from '../../src/uplink/messages.js';
import { until } from '../uplink/support.js';

/** An engine that says as much of itself as it may, and keeps what it is told if it listens. */
function engineOf(node: number, listens: boolean) {
  const host = `[${'f'.repeat(240)}%eth0]:65535`;
  const peer: Peer = {
    name: `${node}`.padEnd(63, 'x'),
    node,
    key: new Uint8Array(32),
    mesh: host,
    api: host,
    version: '€'.repeat(64),
  };
  const known = new Map<number, Peer>();
  const learn = (peers: readonly Peer[]): void => {
    for (const one of peers) known.set(one.node, one);
  };
  let largest = 0;
  const engine = {
    node,
    peer,
    known,
    get largest() {
      return largest;
    },
    welcome: learn,
    tell(bytes: Uint8Array) {
      largest = Math.max(largest, bytes.length);
      if (!listens) return;
      const message = readMessage(cborCodec().decode(bytes));
      if (message?.t !== 'peers') throw new Error('no peers message');
      for (const gone of message.gone ?? []) known.delete(gone);
      learn(message.peers);
    },
  };
  return engine as typeof engine & EngineSession;
}

t.test('every engine knows all others, in messages of any number, and who has gone', async (t) => {
  const list = new PeerList();
  t.teardown(() => list.stop());
  const count = 2 * PEERS_PER_MESSAGE + 7;
  const engines = Array.from({ length: count }, (_, index) =>
    engineOf(index + 1, index === 0 || index === count - 1),
  );
  const [first, last] = [engines[0]!, engines.at(-1)!];
  for (const engine of engines) list.add(engine);
  t.equal(last.known.size, count - 1, 'the last is told of all at once');
  await until(() => first.known.size === count, 'the first learns of the others');
  t.ok(first.largest < MAX_MESSAGE_BYTES, `${first.largest} bytes at most`);

  for (const engine of engines.slice(1)) list.remove(engine);
  list.remove(last);
  await until(() => first.known.size === 1, 'they have gone');
  list.add(engines[1]!);
  list.remove(engines[1]!);
  list.add(engines[1]!);
  await until(() => first.known.has(2), 'one is back');
});
