import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { RedisSettings } from '../../../src/engine/redis/connection.js';
import { type RedisLimits, RedisPool } from '../../../src/engine/redis/pool.js';
import { until } from '../../support/engine.js';
import { missing } from '../../support/need.js';
import { TestRedis } from '../../support/redis.js';

const command = (...words: string[]) => words.map((word) => Buffer.from(word));

/** A server that answers each command as `answer` says, by default with +OK. */
async function startServer(t: Test, answer = (socket: Socket) => void socket.write('+OK\r\n')) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('close', () => sockets.delete(socket)).on('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets, port: (server.address() as { port: number }).port };
}

function makePool(
  t: Test,
  port: number,
  settings: Partial<RedisSettings> = {},
  limits: Partial<RedisLimits> = {},
): RedisPool {
  const defaults: RedisSettings = {
    name: 'default',
    addr: { host: '127.0.0.1', port },
    password: undefined,
    db: 0,
    poolSize: 4,
    minIdleConns: 0,
    maxConnAge: 0,
    idleTimeout: 0,
  };
  const pool = new RedisPool({ ...defaults, ...settings }, limits);
  t.teardown(() => pool.close());
  return pool;
}

t.test('nothing is opened before the first command; then idle connections are kept ready', async (t) => {
  const { sockets, port } = await startServer(t);
  const pool = makePool(t, port, { minIdleConns: 3 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(sockets.size, 0);
  await pool.command(command('PING'));
  await until(() => pool.idleConnections === 3);
  t.equal(pool.connections, 3);
});

t.test('idle connections are closed after idleTimeout, and those that are too old', async (t) => {
  const { sockets, port } = await startServer(t);
  const idle = makePool(t, port, { idleTimeout: 0.01 });
  await Promise.all([1, 2, 3].map(() => idle.command(command('PING'))));
  t.equal(idle.connections, 3);
  await until(() => idle.connections === 0 && sockets.size === 0);

  const aging = makePool(t, port, { maxConnAge: 0.01 });
  await aging.command(command('PING'));
  const [first] = sockets;
  await new Promise((resolve) => setTimeout(resolve, 20));
  await aging.command(command('PING'));
  await until(() => first!.closed);
  await until(() => aging.connections === 0 && sockets.size === 0);
});

t.test('what waits is bounded in number and time', async (t) => {
  const { port } = await startServer(t, () => {});
  const pool = makePool(t, port, { poolSize: 2 }, { waiting: 3, waitSeconds: 0.05 });
  const lost = Array.from({ length: 5 }, () => pool.command(command('BLPOP', 'x', '0')));
  t.throws(() => pool.command(command('PING')), { code: 'overloaded', message: /3 commands wait/ });
  t.equal(pool.waiting, 3);
  const late = { code: 'timeout', message: /no connection of the pool became free/ };
  await Promise.all(lost.slice(2).map((waiting) => t.rejects(waiting, late)));
  t.same({ ...pool.counters }, { commands: 5, failed: 3, refused: 1 });
  t.equal(pool.connections, 2);
});

t.test('a place that a lost connection leaves goes to a command that waits', async (t) => {
  let answering = false;
  const { sockets, port } = await startServer(t, (socket) => {
    if (answering) socket.write(':1\r\n');
  });
  const pool = makePool(t, port, { poolSize: 1 });
  const lost = pool.command(command('GET', 'x'));
  const next = [pool.command(command('GET', 'y')), pool.command(command('GET', 'z'))];
  await until(() => sockets.size === 1);
  answering = true;
  for (const socket of sockets) socket.destroy();
  await t.rejects(lost, { code: 'not_connected' });
  t.same(await Promise.all(next), [1, 1]);
});

t.test('a login without an answer ends, for those who wait too', async (t) => {
  const { port } = await startServer(t, () => {});
  const pool = makePool(t, port, { poolSize: 1, password: 'x' }, { connectSeconds: 0.05 });
  const commands = [1, 2, 3].map(() => pool.command(command('PING')));
  await Promise.all(commands.map((waiting) => t.rejects(waiting, { code: 'timeout' })));
  await until(() => pool.connections === 0);
});

t.test('a reply nobody asked for ends its connection', async (t) => {
  const { sockets, port } = await startServer(t, (socket) => void socket.write('+OK\r\n+OK\r\n'));
  const pool = makePool(t, port);
  t.same(await pool.command(command('PING')), Buffer.from('OK'));
  await until(() => pool.connections === 0 && sockets.size === 0);
});

t.test(
  'a server that hangs holds up nobody for ever',
  { skip: missing('redis-server', 'redis-server') },
  async (t) => {
    const server = await TestRedis.start(t);
    const bounds = { waitSeconds: 0.2, replySeconds: 1, connectSeconds: 1 };
    const pool = makePool(t, server.port, { poolSize: 2 }, bounds);
    await Promise.all([1, 2].map(() => pool.command(command('PING'))));
    server.signal('SIGSTOP');
    // The system still accepts connections and bytes for it, so only time tells.
    const commands = Array.from({ length: 4 }, () => pool.command(command('PING')));
    t.equal(pool.waiting, 2);
    await Promise.all(commands.map((waiting) => t.rejects(waiting, { code: 'timeout' })));
    server.signal('SIGCONT');
    t.same(await pool.command(command('PING')), Buffer.from('PONG'));
  },
);
