import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import {
  connectUdp,
  listenUdp,
  MAX_DATAGRAM_BYTES,
  type UdpListenOptions,
} from '../../src/transports/udp.js';
import { HELD_DATAGRAMS } from '../../src/transports/udppeer.js';
import { contract, type MakePair } from './contract.js';
import { CountingLogger } from './countinglogger.js';
import { Recorder } from './recorder.js';

const LOCAL = '127.0.0.1';

/** A UDP server learns of a peer by its first datagram: an empty one, which the recorder overlooks. */
const makePair: MakePair = async () => {
  let accept!: (connection: Connection) => void;
  const accepted = new Promise<Connection>((resolve) => {
    accept = resolve;
  });
  const listener = await listenUdp({ host: LOCAL, port: 0 }, accept, silentLogger);
  const client = await connectUdp({ host: LOCAL, port: listener.port }, silentLogger);
  client.write(Buffer.alloc(0));
  const server = await accepted;
  void listener.close();
  return [client, server];
};

contract(t, 'udp', makePair, { peerSeesEnd: false, lossless: false });

/** A plain socket, as a device or an attacker has it. */
async function device(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, LOCAL);
  await once(socket, 'listening');
  return socket;
}

async function listen(options: Partial<UdpListenOptions> = {}, log = silentLogger) {
  const recorders: Recorder[] = [];
  const listener = await listenUdp(
    { host: LOCAL, port: 0, ...options },
    (connection) => recorders.push(new Recorder(connection)),
    log,
  );
  const close = async (...devices: Socket[]): Promise<void> => {
    for (const socket of devices) socket.close();
    for (const recorder of recorders) recorder.connection.destroy();
    await listener.close();
  };
  return { listener, recorders, close };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

t.test('each remote address is a connection of its own', async (t) => {
  const { listener, recorders, close } = await listen();
  const one = await device();
  const two = await device();
  one.send('1a', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  two.send('2a', listener.port, LOCAL);
  one.send('1b', listener.port, LOCAL);
  await until(() => recorders.length === 2);
  await recorders[0]!.until((r) => r.chunks.length === 2);
  await recorders[1]!.until((r) => r.chunks.length === 1);
  t.equal(recorders[0]!.received.toString(), '1a1b');
  t.equal(recorders[1]!.received.toString(), '2a');
  t.equal(recorders[0]!.connection.remote, `${LOCAL}:${one.address().port}`);
  recorders[1]!.connection.write(Buffer.from('for two'));
  const [answer] = (await once(two, 'message')) as [Buffer];
  t.equal(answer.toString(), 'for two');
  await close(one, two);
});

t.test('all addresses, IPv4 peers by their own names', async (t) => {
  const { listener, recorders, close } = await listen({ host: undefined });
  const peer = await device();
  peer.send('x', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  t.match(recorders[0]!.connection.remote, /^127\.0\.0\.1:\d+$/);
  recorders[0]!.connection.write(Buffer.from('y'));
  const [answer] = (await once(peer, 'message')) as [Buffer];
  t.equal(answer.toString(), 'y');
  await close(peer);
});

t.test('a silent peer expires, and is a new connection when it speaks again', async (t) => {
  const { listener, recorders, close } = await listen({ peerIdleSeconds: 0.2 });
  const peer = await device();
  peer.send('first', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  t.match(await recorders[0]!.closed(), { code: 'timeout', message: 'silent for 0.2 s' });
  peer.send('again', listener.port, LOCAL);
  await until(() => recorders.length === 2);
  t.equal(await recorders[1]!.text(5), 'again');
  t.equal(recorders[0]!.closes.length, 1);
  await close(peer);
});

t.test('a flood of addresses fills the table and does not push known peers out', async (t) => {
  const log = new CountingLogger();
  const { listener, recorders, close } = await listen({ connections: 5 }, log);
  const known = await device();
  known.send('hello', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  const forged = await Promise.all(Array.from({ length: 30 }, device));
  for (const socket of forged) socket.send('x', listener.port, LOCAL);
  await until(() => listener.counters.refusedLimit === 26);
  t.equal(listener.counters.accepted, 5);
  t.equal(listener.counters.droppedDatagrams, 26);
  t.equal(log.lines.warn.length, 1);
  known.send('still', listener.port, LOCAL);
  t.equal(await recorders[0]!.text(10), 'hellostill');
  recorders[1]!.connection.destroy();
  await recorders[1]!.closed();
  forged[29]!.send('now there is room', listener.port, LOCAL);
  await until(() => recorders.length === 6);
  await close(known, ...forged);
});

t.test('new peers above the rate are refused', async (t) => {
  const { listener, recorders, close } = await listen({ acceptsPerSecond: 2 });
  const sockets = await Promise.all(Array.from({ length: 40 }, device));
  for (const socket of sockets) socket.send('x', listener.port, LOCAL);
  await until(() => listener.counters.accepted + listener.counters.refusedRate === 40);
  t.ok(listener.counters.refusedRate > 0);
  t.equal(recorders.length, listener.counters.accepted);
  await close(...sockets);
});

t.test('datagrams too large to take or to send are dropped and counted', async (t) => {
  const log = new CountingLogger();
  const { listener, recorders, close } = await listen({ datagramBytes: 10 }, log);
  const peer = await device();
  peer.send(Buffer.alloc(11), listener.port, LOCAL);
  await until(() => listener.counters.droppedDatagrams === 1);
  t.equal(recorders.length, 0, 'and make no peer');
  peer.send(Buffer.alloc(10), listener.port, LOCAL);
  await until(() => recorders.length === 1);
  const { connection } = recorders[0]!;
  connection.write(Buffer.alloc(MAX_DATAGRAM_BYTES + 1));
  await until(() => listener.counters.droppedDatagrams === 2);
  await until(() => connection.pendingBytes === 0);
  t.match(log.lines.warn[1], /not sent: .*EMSGSIZE/);
  t.notOk(connection.closed);
  await close(peer);
});

t.test('a paused peer holds some datagrams in order and drops the rest, counted', async (t) => {
  const { listener, recorders, close } = await listen();
  const peer = await device();
  peer.send('0', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  const recorder = recorders[0]!;
  await recorder.text(1);
  recorder.connection.pause();
  for (let i = 1; i <= HELD_DATAGRAMS + 8; i++) peer.send(`,${i}`, listener.port, LOCAL);
  await until(() => listener.counters.droppedDatagrams === 8);
  t.equal(recorder.chunks.length, 1);
  recorder.connection.resume();
  await recorder.until((r) => r.chunks.length === HELD_DATAGRAMS + 1);
  peer.send(',end', listener.port, LOCAL);
  await recorder.until((r) => r.chunks.length === HELD_DATAGRAMS + 2);
  const expected = [...Array.from({ length: HELD_DATAGRAMS + 1 }, (_, i) => String(i)), 'end'].join(',');
  t.equal(recorder.received.toString(), expected);
  await close(peer);
});

t.test('a closed server takes no new peers and goes with its last one', async (t) => {
  const { listener, recorders } = await listen();
  const peer = await device();
  const stranger = await device();
  peer.send('a', listener.port, LOCAL);
  await until(() => recorders.length === 1);
  const closed = listener.close();
  stranger.send('b', listener.port, LOCAL);
  await until(() => listener.counters.droppedDatagrams === 1);
  peer.send('c', listener.port, LOCAL);
  t.equal(await recorders[0]!.text(2), 'ac');
  recorders[0]!.connection.end();
  await closed;
  await listener.close();
  t.equal(recorders.length, 1);
  const again = await listen({ port: listener.port });
  await again.close(peer, stranger);
});

t.test('a taken port is one clear sentence', async (t) => {
  const { listener, close } = await listen();
  await t.rejects(listen({ port: listener.port }), {
    code: 'conflict',
    message: `${LOCAL}:${listener.port} is taken: something listens there already (EADDRINUSE)`,
  });
  await close();
});

t.test('what cannot be listened on or spoken to', async (t) => {
  await t.rejects(listen({ host: 'localhost' }), { code: 'invalid_argument', message: /not an IP address/ });
  await t.rejects(listen({ host: '192.0.2.1' }), {
    code: 'invalid_argument',
    message: /not an address of this/,
  });
  await t.rejects(listen({ port: 70_000 }), { code: 'invalid_argument' });
  await t.rejects(connectUdp({ host: LOCAL, port: 70_000 }, silentLogger), { code: 'invalid_argument' });
});

t.test('a link hears its peer only, and outlives a peer that is not there', async (t) => {
  const peer = await device();
  const stranger = await device();
  const { port } = peer.address();
  const link = await connectUdp({ host: 'localhost', port }, silentLogger);
  const recorder = new Recorder(link);
  const [, linkPort] = link.local.split(':') as [string, string];
  peer.close();
  await once(peer, 'close');
  for (let i = 0; i < 3; i++) link.write(Buffer.from('anyone?'));
  await until(() => link.pendingBytes === 0);
  stranger.send('me', Number(linkPort), LOCAL);

  const back = createSocket('udp4');
  back.bind(port, LOCAL);
  await once(back, 'listening');
  link.write(Buffer.from('hello'));
  const [hello] = (await once(back, 'message')) as [Buffer];
  t.equal(hello.toString(), 'hello');
  back.send('here', Number(linkPort), LOCAL);
  t.equal(await recorder.text(4), 'here');
  t.equal(link.remote, `${LOCAL}:${port}`);
  link.end();
  t.equal(await recorder.closed(), undefined);
  back.close();
  stranger.close();
});

t.test('a link to an unknown host', async (t) => {
  await t.rejects(connectUdp({ host: 'no-such-host.invalid', port: 1 }, silentLogger), {
    code: /not_found|not_connected/,
    message: /no-such-host\.invalid:1 /,
  });
});
