import { createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { RedisConnection } from '../../../src/engine/redis/connection.js';
import { MoonwireError } from '../../../src/errors.js';
import { until } from '../../support/engine.js';

t.test('a connection can be ended at any time, and leaves no socket', async (t) => {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    sockets.add(socket.on('error', () => {}).resume());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const settings = {
    name: 'default',
    addr: { host: '127.0.0.1', port },
    password: 'never answered',
    db: 0,
    poolSize: 1,
    minIdleConns: 0,
    maxConnAge: 0,
    idleTimeout: 0,
  };
  // Before the library is loaded, while it connects, and while it logs in: that one is waited for.
  for (let turns = 0; turns <= 20; turns++) {
    let lost = 0;
    const connection = new RedisConnection(settings, () => lost++);
    const opened = connection.open(60);
    if (turns === 20) await until(() => accepted > 0);
    else for (let i = 0; i < turns; i++) await turn();
    const cause = new MoonwireError('closed', 'enough');
    const refused = t.rejects(opened, cause, `after ${turns} turns`);
    connection.destroy(cause);
    connection.destroy(new MoonwireError('internal', 'again'));
    await refused;
    await t.rejects(connection.command([Buffer.from('PING')], 1), cause);
    t.equal(lost, 1);
  }
  await until(() => sockets.size === 0);
});
