import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { type KeptLink, keepOpen, type RetryOptions, retryDelay } from '../../src/transports/keepopen.js';
import { memoryPair } from '../../src/transports/memory.js';
import { openSerial } from '../../src/transports/serial.js';
import { connectTcp, listenTcp } from '../../src/transports/tcp.js';
import { missing } from '../support/need.js';
import { ptyPair } from '../support/pty.js';
import { CountingLogger } from './countinglogger.js';
import { Recorder } from './recorder.js';

const QUICK: RetryOptions = { minSeconds: 0.01, maxSeconds: 0.05, stableSeconds: 60 };
const LOCAL = '127.0.0.1';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(2);
}

const isOpen = (link: KeptLink): boolean => link.state.phase === 'open';

/** An owner for each connection of a link, kept in the order of opening. */
function owners() {
  const all: { connection: Connection; text: string; closes: (Error | undefined)[] }[] = [];
  const ownerOf = (connection: Connection) => {
    const owner = { connection, text: '', closes: [] as (Error | undefined)[] };
    all.push(owner);
    return {
      data: (bytes: Uint8Array) => {
        owner.text += Buffer.from(bytes).toString();
      },
      close: (error?: Error) => {
        owner.closes.push(error);
      },
    };
  };
  return { all, ownerOf };
}

t.test('a TCP link survives restarts of its server', async (t) => {
  const log = new CountingLogger();
  const { all, ownerOf } = owners();
  const greet = (connection: Connection): void => {
    new Recorder(connection);
    served.push(connection);
    connection.write(Buffer.from('hello'));
  };
  const served: Connection[] = [];
  let listener = await listenTcp({ host: LOCAL, port: 0 }, greet, silentLogger);
  const { port } = listener;
  const link = keepOpen('plc', (signal) => connectTcp({ host: LOCAL, port, signal }), ownerOf, QUICK, log);

  await until(() => all[0]?.text === 'hello');
  t.ok(isOpen(link));
  await listener.close();
  served[0]!.destroy();
  await until(() => link.failed >= 3);
  t.match(link.state, { lastError: { code: 'not_connected' } });
  t.equal(all[0]!.closes.length, 1);
  t.equal(
    log.lines.warn.filter((line) => line.includes('did not open')).length,
    1,
    'the same failure is told once',
  );

  listener = await listenTcp({ host: LOCAL, port }, greet, silentLogger);
  await until(() => all[1]?.text === 'hello');
  t.equal(link.opened, 2);
  await link.stop();
  t.equal(link.state.phase, 'stopped');
  t.strictSame(all[1]!.closes, [undefined]);
  await listener.close();
});

t.test(
  'a serial link picks its device up again under the same path',
  { skip: missing('socat', 'socat') },
  async (t) => {
    const line = await ptyPair();
    t.teardown(() => line.remove());
    const { all, ownerOf } = owners();
    const open = (): Promise<Connection> => openSerial({ port: line.a, baudRate: 9600 });
    const link = keepOpen('meter', open, ownerOf, QUICK, silentLogger);
    for (let round = 0; round < 3; round++) {
      await until(() => isOpen(link) && all.length === round + 1);
      const device = await openSerial({ port: line.b, baudRate: 9600 });
      device.attach({ data() {}, close() {} });
      device.write(Buffer.from('reading'));
      await until(() => all[round]!.text === 'reading');
      await line.unplug();
      await until(() => all[round]!.closes.length === 1 && link.state.phase === 'waiting');
      t.match(all[round]!.closes[0], { code: 'not_connected' });
      await until(
        () => link.state.phase === 'waiting' && link.state.lastError?.message.includes('not there') === true,
      );
      await line.plug();
    }
    await until(() => isOpen(link));
    await link.stop();
  },
);

t.test('waits double up to their bound, and are spread', async (t) => {
  const retry = { minSeconds: 1, maxSeconds: 60, stableSeconds: 30 };
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1e6].map((attempt) => retryDelay(attempt, retry, 0));
  t.strictSame(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  t.equal(retryDelay(3, retry, 1), 4);
  t.equal(retryDelay(1e6, { ...retry, minSeconds: 0 }, 0.5), 0);
});

t.test('a connection that was stable starts the waits over', async (t) => {
  const { all, ownerOf } = owners();
  const open = async (): Promise<Connection> => {
    const [near, far] = memoryPair();
    far.destroy();
    return near;
  };
  // With doubling waits the sixteenth opening would be minutes away.
  const retry = { minSeconds: 0.01, maxSeconds: 3600, stableSeconds: 0 };
  const link = keepOpen('x', open, ownerOf, retry, silentLogger);
  await until(() => all.length >= 16);
  t.equal(link.failed, 0);
  await link.stop();
});

t.test('a connection that ends at once does not reset the wait', async (t) => {
  const { all, ownerOf } = owners();
  const open = async (): Promise<Connection> => {
    const [near, far] = memoryPair();
    far.destroy();
    return near;
  };
  const link = keepOpen(
    'x',
    open,
    ownerOf,
    { minSeconds: 0.01, maxSeconds: 3600, stableSeconds: 60 },
    silentLogger,
  );
  await until(() => link.state.phase === 'waiting' && link.state.nextTry - Date.now() > 100);
  t.ok(all.length >= 3);
  await link.stop();
});

t.test('stop while waiting, while connecting, and twice', async (t) => {
  const { all, ownerOf } = owners();
  const slow: RetryOptions = { minSeconds: 3600, maxSeconds: 3600, stableSeconds: 1 };
  const waiting = keepOpen('w', () => Promise.reject(new Error('no')), ownerOf, slow, silentLogger);
  await until(() => waiting.state.phase === 'waiting');
  await waiting.stop();
  await waiting.stop();
  t.equal(waiting.state.phase, 'stopped');

  const connecting = keepOpen(
    'c',
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('given up')));
      }),
    ownerOf,
    slow,
    silentLogger,
  );
  await connecting.stop();
  t.equal(connecting.failed, 0, 'giving up is no failure');

  let finish!: (connection: Connection) => void;
  const late = keepOpen('l', () => new Promise((resolve) => (finish = resolve)), ownerOf, slow, silentLogger);
  const stopped = late.stop();
  const [near, far] = memoryPair();
  const peer = new Recorder(far);
  finish(near);
  await stopped;
  await peer.closed();
  t.equal(all.length, 0, 'a connection that comes too late has no owner and is closed');
});

t.test('stop sends what is queued', async (t) => {
  const [near, far] = memoryPair();
  const peer = new Recorder(far);
  const { ownerOf } = owners();
  const link = keepOpen('x', async () => near, ownerOf, QUICK, silentLogger);
  await until(() => isOpen(link));
  near.write(Buffer.from('bye'));
  await link.stop();
  t.equal(peer.received.toString(), 'bye');
});

t.test('an owner that cannot be made costs the connection, not the link', async (t) => {
  const log = new CountingLogger();
  const peers: Recorder[] = [];
  const open = async (): Promise<Connection> => {
    const [near, far] = memoryPair();
    peers.push(new Recorder(far));
    return near;
  };
  let broken = true;
  const { ownerOf } = owners();
  const link = keepOpen(
    'x',
    open,
    (connection) => {
      if (broken) throw new Error('script failed');
      return ownerOf(connection);
    },
    QUICK,
    log,
  );
  await until(() => peers.length === 2);
  await peers[0]!.closed();
  t.match(log.lines.warn.join(), 'script failed');
  broken = false;
  await until(() => isOpen(link) && link.opened > 1 && peers.at(-1)!.closes.length === 0);
  await link.stop();
});
