import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { HandshakePool } from '../../src/transports/handshakepool.js';
import { listenTls } from '../../src/transports/tls.js';
import { makeCertificates } from '../support/certificates.js';
import { until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { serverTls } from '../support/tls.js';

t.test('who found no room is called when one is over', async (t) => {
  const pool = new HandshakePool({ handshakes: 1, pendingHandshakes: 3 });
  let called = 0;
  const again = () => called++;
  t.same([pool.enter(), pool.enter(), pool.enter(), pool.enter()], [true, true, true, false]);
  t.ok(pool.begin(again));
  t.notOk(pool.begin(again));
  t.notOk(pool.begin(again));
  pool.leave(false);
  t.equal(called, 0, 'one that was not begun makes no room');
  t.ok(pool.enter());
  pool.leave(true);
  t.equal(called, 1, 'once for each who waits');
  t.ok(pool.begin(again));
});

t.test(
  'two servers share handshakes, and all clients get in',
  { skip: missing('openssl', 'openssl') },
  async (t) => {
    const { server } = makeCertificates(t);
    const handshakes = new HandshakePool({ handshakes: 1, pendingHandshakes: 30 });
    const totals = { admit: () => undefined, handshakes };
    const listeners = await Promise.all(
      [1, 2].map(() =>
        listenTls(
          { host: '127.0.0.1', port: 0, tls: serverTls(server), totals, handshakeSeconds: 30 },
          (connection) => connection.attach({ data() {}, close() {} }),
          silentLogger,
        ),
      ),
    );
    const clients = listeners.flatMap(({ port }) =>
      Array.from({ length: 10 }, () =>
        tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => {}),
      ),
    );
    await until(() => listeners.every(({ counters }) => counters.accepted === 10));
    t.ok(listeners.some(({ counters }) => counters.delayedHandshakes > 0));

    const silent = Array.from({ length: 40 }, (_, i) =>
      connect(listeners[i % 2]!.port, '127.0.0.1').on('error', () => {}),
    );
    const refused = () => listeners.reduce((sum, { counters }) => sum + counters.refusedPending, 0);
    await until(() => refused() === 10);
    for (const socket of [...clients, ...silent]) socket.destroy();
    await Promise.all(listeners.map((listener) => listener.close()));
    await until(() => handshakes.enter());
  },
);
