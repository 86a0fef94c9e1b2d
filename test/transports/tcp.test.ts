import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import type { StreamListenOptions } from '../../src/transports/streamlistener.js';
import { connectTcp, listenTcp } from '../../src/transports/tcp.js';
import { contract, type MakePair } from './contract.js';
import { CountingLogger } from './countinglogger.js';
import { Recorder } from './recorder.js';

const LOCAL = '127.0.0.1';

/** Listens and keeps a recorder for each connection. */
async function listen(options: Partial<StreamListenOptions> = {}, log = silentLogger) {
  const recorders: Recorder[] = [];
  const listener = await listenTcp(
    { host: LOCAL, port: 0, ...options },
    (connection) => recorders.push(new Recorder(connection)),
    log,
  );
  return { listener, recorders };
}

/** Destroys the sockets of both sides and waits until none is left. */
async function clear(recorders: Recorder[], sockets: Socket[] = []): Promise<void> {
  for (const socket of sockets) socket.destroy();
  for (const recorder of recorders) recorder.connection.destroy();
  for (const recorder of recorders) await recorder.closed();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

const makePair: MakePair = async () => {
  let accept!: (connection: Connection) => void;
  const accepted = new Promise<Connection>((resolve) => {
    accept = resolve;
  });
  const listener = await listenTcp({ host: LOCAL, port: 0 }, accept, silentLogger);
  const client = await connectTcp({ host: LOCAL, port: listener.port });
  const server = await accepted;
  await listener.close();
  return [client, server];
};

contract(t, 'tcp', makePair, { peerSeesEnd: true, lossless: true });

t.test('addresses of both ends agree', async (t) => {
  const { listener, recorders } = await listen();
  const client = await connectTcp({ host: 'localhost', port: listener.port });
  await until(() => recorders.length === 1);
  t.equal(listener.address, `${LOCAL}:${listener.port}`);
  t.equal(client.remote, listener.address);
  t.equal(recorders[0]!.connection.remote, client.local);
  client.destroy();
  await clear(recorders);
  await listener.close();
});

t.test('a dual-stack server names its IPv4 peers as IPv4', async (t) => {
  const { listener, recorders } = await listen({ host: '::ffff:127.0.0.1' });
  const client = await connectTcp({ host: LOCAL, port: listener.port });
  await until(() => recorders.length === 1);
  t.match(recorders[0]!.connection.remote, /^127\.0\.0\.1:\d+$/);
  client.destroy();
  await clear(recorders);
  await listener.close();
});

t.test('a taken port is one clear sentence', async (t) => {
  const { listener } = await listen();
  await t.rejects(listen({ port: listener.port }), {
    code: 'conflict',
    message: `${LOCAL}:${listener.port} is taken: something listens there already (EADDRINUSE)`,
  });
  await listener.close();
  const again = await listen({ port: listener.port });
  await again.listener.close();
});

t.test('what cannot be listened on', async (t) => {
  await t.rejects(listen({ host: '192.0.2.1' }), { code: 'invalid_argument' });
  await t.rejects(listen({ port: 70_000 }), { code: 'invalid_argument', message: /0 to 65535/ });
});

t.test('what cannot be connected', async (t) => {
  const { listener } = await listen();
  await listener.close();
  const { port } = listener;
  await t.rejects(connectTcp({ host: LOCAL, port }), {
    code: 'not_connected',
    message: `${LOCAL}:${port} refused the connection: nothing listens there (ECONNREFUSED)`,
  });
  await t.rejects(connectTcp({ host: LOCAL, port: 70_000 }), { code: 'invalid_argument' });
  await t.rejects(connectTcp({ host: LOCAL, port, signal: AbortSignal.abort() }), { code: 'closed' });
});

/** A server that stands still: its short accept queue is full, and so connecting to it takes for ever. */
async function frozenServer(): Promise<{ port: number; thaw: () => void }> {
  const program = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '${LOCAL}', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  const queued: Socket[] = [];
  for (let i = 0; i < 8; i++) queued.push(connect(port, LOCAL).on('error', () => {}));
  await once(queued[1]!, 'connect');
  return {
    port,
    thaw: () => {
      for (const socket of queued) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

t.test('connecting can time out, and be given up', async (t) => {
  const { port, thaw } = await frozenServer();
  t.teardown(thaw);
  await t.rejects(connectTcp({ host: LOCAL, port, timeoutSeconds: 0.1 }), {
    code: 'timeout',
    message: `${LOCAL}:${port} did not answer within 0.1 s`,
  });
  const giveUp = new AbortController();
  const attempt = connectTcp({ host: LOCAL, port, signal: giveUp.signal });
  giveUp.abort();
  await t.rejects(attempt, { code: 'closed' });
});

t.test('connections above the limit are closed, counted and logged at a bounded rate', async (t) => {
  const log = new CountingLogger();
  const { listener, recorders } = await listen({ connections: 3 }, log);
  const sockets = Array.from({ length: 10 }, () => connect(listener.port, LOCAL).on('error', () => {}));
  await until(() => listener.counters.refusedLimit === 7);
  t.equal(listener.counters.accepted, 3);
  t.equal(recorders.length, 3);
  t.equal(log.lines.warn.length, 1);
  recorders[0]!.connection.destroy();
  await recorders[0]!.closed();
  const late = await connectTcp({ host: LOCAL, port: listener.port });
  await until(() => recorders.length === 4);
  late.destroy();
  await clear(recorders, sockets);
  await listener.close();
});

t.test('connections above the accept rate are reset, counted and logged', async (t) => {
  const log = new CountingLogger();
  const { listener, recorders } = await listen({ acceptsPerSecond: 0.5 + 5 }, log);
  const sockets = Array.from({ length: 40 }, () => connect(listener.port, LOCAL).on('error', () => {}));
  await until(() => listener.counters.accepted + listener.counters.refusedRate === 40);
  t.ok(listener.counters.accepted >= 5);
  t.ok(listener.counters.refusedRate > 0);
  t.equal(recorders.length, listener.counters.accepted);
  t.equal(log.lines.warn.length, 1);
  await clear(recorders, sockets);
  await listener.close();
});

t.test('a peer that resets is told as the cause', async (t) => {
  const { listener, recorders } = await listen();
  const socket = connect(listener.port, LOCAL);
  await until(() => recorders.length === 1);
  socket.resetAndDestroy();
  const error = await recorders[0]!.closed();
  t.match(error, { code: 'not_connected', message: /reset the connection/ });
  await listener.close();
});

t.test('writes of one turn of the event loop leave together', async (t) => {
  const { listener, recorders } = await listen();
  const socket = connect(listener.port, LOCAL);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await until(() => recorders.length === 1);
  for (let i = 0; i < 50; i++) recorders[0]!.connection.write(Buffer.from([i]));
  t.equal(recorders[0]!.connection.pendingBytes, 50);
  await until(() => Buffer.concat(chunks).length === 50);
  t.equal(chunks.length, 1);
  await clear(recorders, [socket]);
  await listener.close();
});

t.test('a peer that half-closes still gets what was answered to its last bytes', async (t) => {
  const listener = await listenTcp(
    { host: LOCAL, port: 0 },
    (connection) => {
      const recorder = new Recorder(connection);
      recorder.onData = (bytes) => connection.write(bytes);
    },
    silentLogger,
  );
  const socket = connect(listener.port, LOCAL);
  const echoed: Buffer[] = [];
  socket.on('data', (chunk) => echoed.push(chunk)).end('last words');
  await once(socket, 'close');
  t.equal(Buffer.concat(echoed).toString(), 'last words');
  await listener.close();
});

t.test('the rest reaches a peer that still sends', async (t) => {
  const { listener, recorders } = await listen();
  const socket = connect(listener.port, LOCAL);
  socket.on('error', () => {});
  await until(() => recorders.length === 1);
  const [recorder] = recorders;
  recorder!.connection.pause();
  socket.write(Buffer.alloc(100_000));
  recorder!.connection.write(Buffer.alloc(300_000, 'r'));
  recorder!.connection.end();
  let got = 0;
  for await (const chunk of socket) got += (chunk as Buffer).length;
  t.equal(got, 300_000, 'unread bytes do not turn the end into a reset');
  await recorder!.closed();
  await listener.close();
});

t.test('a client that never reads holds nobody up and can be cut off', async (t) => {
  const { listener, recorders } = await listen();
  const deaf = connect(listener.port, LOCAL).pause();
  await until(() => recorders.length === 1);
  const victim = recorders[0]!;
  const block = Buffer.alloc(256 * 1024);
  for (let sent = 0; victim.connection.pendingBytes < 1024 * 1024 && sent < 256; sent++) {
    victim.connection.write(block);
    await turn();
  }
  t.ok(victim.connection.pendingBytes >= 1024 * 1024);

  const lively = connect(listener.port, LOCAL);
  await until(() => recorders.length === 2);
  recorders[1]!.connection.write(Buffer.from('hello'));
  const [hello] = (await once(lively, 'data')) as [Buffer];
  t.equal(hello.toString(), 'hello');

  const cause = new Error('send buffer full');
  victim.connection.destroy(cause);
  t.equal(await victim.closed(), cause);
  t.equal(victim.connection.pendingBytes, 0);
  await clear(recorders, [deaf, lively]);
  await listener.close();
});

t.test('10,000 connects and disconnects leave nothing behind', async (t) => {
  const resources = (kind: string): number =>
    process.getActiveResourcesInfo().filter((k) => k === kind).length;
  const before = { sockets: resources('TCPSocketWrap'), timers: resources('Timeout') };
  const alive = new Set<WeakRef<Connection>>();
  let closes = 0;
  const listener = await listenTcp(
    { host: LOCAL, port: 0, acceptsPerSecond: Number.POSITIVE_INFINITY },
    (connection) => {
      alive.add(new WeakRef(connection));
      connection.attach({ data: (bytes) => connection.write(bytes), close: () => closes++ });
    },
    silentLogger,
  );
  const visit = async (): Promise<void> => {
    const socket = connect(listener.port, LOCAL);
    socket.on('error', () => {});
    socket.once('data', () => socket.resetAndDestroy());
    socket.write('x');
    await once(socket, 'close');
  };
  const visitor = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) await visit();
  };
  await Promise.all(Array.from({ length: 50 }, visitor));
  await until(() => closes === 10_000);
  // Sockets that were left open would keep this from ever being true, up to the test's time limit.
  t.equal(listener.counters.accepted, 10_000);
  await until(() => resources('TCPSocketWrap') === before.sockets);
  t.equal(resources('Timeout'), before.timers);
  await listener.close();

  // An object that nothing refers to goes with the next collections; any that were held would stay.
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await turn();
  collect();
  await turn();
  collect();
  const left = [...alive].filter((reference) => reference.deref() !== undefined).length;
  t.ok(left < 100, `${left} of 10000 connections are still in memory`);
});
