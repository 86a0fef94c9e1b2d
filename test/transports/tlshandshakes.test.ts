import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import t from 'tap';
import type { StreamListenOptions } from '../../src/transports/streamlistener.js';
import { connectTcp } from '../../src/transports/tcp.js';
import { listenTls } from '../../src/transports/tls.js';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { serverTls } from '../support/tls.js';
import { CountingLogger } from './countinglogger.js';
import { Recorder } from './recorder.js';

const LOCAL = '127.0.0.1';
const skip = missing('openssl', 'openssl');

/** The first bytes of a ClientHello, from which no server can tell more than that there will be one. */
const BEGINNING = Buffer.from('1603010200010001fc0303', 'hex');

/** A TLS server that echoes. */
async function listen({ server }: Certificates, options: Partial<StreamListenOptions>) {
  const log = new CountingLogger();
  const recorders: Recorder[] = [];
  const listener = await listenTls(
    { host: LOCAL, port: 0, tls: serverTls(server), ...options },
    (connection) => {
      const recorder = new Recorder(connection);
      recorder.onData = (bytes) => connection.write(bytes);
      recorders.push(recorder);
    },
    log,
  );
  return { listener, log, recorders };
}

const dial = (port: number): Socket => connect(port, LOCAL).on('error', () => {});
const dialTls = (port: number): TLSSocket =>
  tlsConnect({ port, host: LOCAL, rejectUnauthorized: false }).on('error', () => {});

/** Resolves once a socket is closed, however it came to that. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.resume().once('close', () => resolve()));

t.test('silent peers are bounded in number and time', { skip }, async (t) => {
  const { listener, log } = await listen(makeCertificates(t), { pendingHandshakes: 3, handshakeSeconds: 1 });
  const { counters, port } = listener;
  const silent = [dial(port), dial(port), dial(port)];
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const late = dialTls(port);
  await closed(late);
  t.equal(counters.refusedPending, 1);
  await Promise.all(silent.map(closed));
  await until(() => counters.refusedHandshakes === 3);
  const next = dialTls(port);
  await until(() => counters.accepted === 1);
  next.destroy();
  t.equal(log.lines.warn.length, 2, 'one line a reason');
  await listener.close();
});

t.test('who begins and goes no further makes room after a time', { skip }, async (t) => {
  const { listener } = await listen(makeCertificates(t), { handshakes: 2, handshakeSeconds: 1 });
  const { counters, port } = listener;
  const stalled = [dial(port), dial(port)];
  for (const socket of stalled) socket.write(BEGINNING);
  const gone = Promise.all(stalled.map(closed));
  const waiting = Array.from({ length: 5 }, () => dialTls(port));
  await until(() => counters.accepted === 5);
  await gone;
  t.match(counters, { refusedHandshakes: 2, refusedPending: 0 });
  for (const socket of waiting) socket.destroy();
  await listener.close();
});

t.test('what is no TLS, and peers that leave in the middle', { skip }, async (t) => {
  const { listener } = await listen(makeCertificates(t), { handshakeSeconds: 1 });
  const { counters, port } = listener;
  const wrong = dial(port);
  wrong.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await closed(wrong);
  dial(port).end(BEGINNING);
  dial(port).end();
  const reset = dial(port);
  reset.write(BEGINNING, () => reset.resetAndDestroy());
  await until(
    () => counters.refusedHandshakes === 4,
    () => JSON.stringify(counters),
  );
  t.match(counters, { accepted: 0, refusedPending: 0 });
  await listener.close();
});

t.test('closing the server ends handshakes, not connections', { skip }, async (t) => {
  const { listener, recorders } = await listen(makeCertificates(t), {});
  const open = dialTls(listener.port);
  await once(open, 'secureConnect');
  const begun = dial(listener.port);
  begun.write(BEGINNING);
  const silent = dial(listener.port);
  await once(silent, 'connect');
  await until(() => recorders.length === 1);
  const ended = Promise.all([begun, silent].map(closed));
  await listener.close();
  await ended;
  open.write('still');
  const [echo] = (await once(open, 'data')) as [Buffer];
  t.equal(echo.toString(), 'still');
  open.destroy();
  await recorders[0]!.closed();
});

t.test('a crowd gets in, and those who are in are served meanwhile', { skip }, async (t) => {
  const { listener } = await listen(makeCertificates(t), { handshakes: 8, handshakeSeconds: 60 });
  const { counters, port } = listener;
  const regular = dialTls(port);
  await once(regular, 'secureConnect');
  const crowd = Array.from({ length: 200 }, () => dialTls(port));
  const inside = Promise.all(crowd.map((socket) => once(socket, 'secureConnect')));
  let echoes = 0;
  while (counters.accepted < 201) {
    regular.write('x');
    await once(regular, 'data');
    echoes++;
  }
  await inside;
  t.ok(echoes > 10, `${echoes} echoes while 200 clients came in`);
  t.match(counters, { accepted: 201, refusedHandshakes: 0, refusedPending: 0 });
  for (const socket of [regular, ...crowd]) socket.destroy();
  await listener.close();
});

t.test('plain connections are a transport of their own', { skip }, async (t) => {
  const { listener, recorders } = await listen(makeCertificates(t), {});
  const open = dialTls(listener.port);
  await once(open, 'secureConnect');
  await until(() => recorders.length === 1);
  const { connection } = recorders[0]!;
  t.equal(connection.transport, 'tls');
  t.equal(connection.tls?.()?.version, 'TLSv1.3');
  open.destroy();
  await recorders[0]!.closed();
  t.equal(connection.tls?.(), undefined, 'closed, nothing is known any more');
  await listener.close();
  await t.rejects(connectTcp({ host: LOCAL, port: listener.port }), { code: 'not_connected' });
});
