import { connect, type Socket } from 'node:net';
import t from 'tap';
import { silentLogger } from '../../src/log.js';
import { addressGroup } from '../../src/transports/address.js';
import { listenerCounters } from '../../src/transports/connection.js';
import { Gate, type GateLimits } from '../../src/transports/gate.js';
import { listenTcp } from '../../src/transports/tcp.js';
import { until } from '../support/engine.js';
import { CountingLogger } from './countinglogger.js';

const gateOf = (limits: GateLimits) => {
  const counters = listenerCounters();
  return { counters, gate: new Gate(limits, counters) };
};

t.test('an IPv4 address is one, and so is a /64 of IPv6', async (t) => {
  for (const [host, group] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['1::', '1:0:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['', ''],
  ] as const)
    t.equal(addressGroup(host), group, host);
});

t.test('one address has its own limits, and uses nothing up of what others may', async (t) => {
  const now = performance.now() + 1000;
  const { gate, counters } = gateOf({ acceptsPerSecond: 10, acceptsPerSecondPerAddress: 4 });
  for (let i = 0; i < 100; i++) gate.admit('192.0.2.1', now);
  t.match(counters, { refusedAddressRate: 96, refusedRate: 0 });
  for (let i = 0; i < 6; i++) t.equal(gate.admit(`192.0.2.${2 + i}`, now), undefined);
  t.match(gate.admit('192.0.2.9', now), { counter: 'refusedRate' });
});

t.test('who leaves makes room for another from there', async (t) => {
  const { gate, counters } = gateOf({ connectionsPerAddress: 2 });
  t.equal(gate.admit('2001:db8::1'), undefined);
  t.equal(gate.admit('2001:db8::2'), undefined);
  t.match(gate.admit('2001:db8::3'), { counter: 'refusedAddress', why: /2001:db8:0:0 has 2 open/ });
  t.equal(gate.admit('2001:db8:0:1::1'), undefined, 'another site');
  gate.left('2001:db8::1');
  t.equal(gate.admit('2001:db8::3'), undefined);
  t.equal(counters.refusedAddress, 1);
});

t.test(
  'addresses that nobody comes from any more are forgotten, and never more than a bound are kept',
  async (t) => {
    const start = performance.now() + 1000;
    const { gate, counters } = gateOf({
      connections: 10,
      acceptsPerSecond: 100_000,
      acceptsPerSecondPerAddress: 1,
    });
    const host = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      if (gate.admit(host(i), start)) refused++;
      else gate.left(host(i));
    }
    t.equal(refused, 20_000 - 16_394, 'the newest are shed');
    t.equal(counters.refusedAddress, refused);
    t.equal(gate.admit(host(19_999), start + 3000), undefined);
  },
);

t.test('nobody is looked up where addresses have no limits', async (t) => {
  t.equal(gateOf({}).gate.counts, false);
  t.equal(gateOf({ connectionsPerAddress: 1 }).gate.counts, true);
});

t.test('connections of one address above its limit are reset, those of another come in', async (t) => {
  const log = new CountingLogger();
  const open: Socket[] = [];
  const dial = (localAddress: string): Socket => {
    const socket = connect({ port: listener.port, host: '127.0.0.1', localAddress }).on('error', () => {});
    open.push(socket);
    return socket;
  };
  const listener = await listenTcp(
    { host: '127.0.0.1', port: 0, connectionsPerAddress: 2 },
    (connection) => connection.attach({ data() {}, close() {} }),
    log,
  );
  const [first] = [dial('127.0.0.1'), dial('127.0.0.1')];
  await until(() => listener.counters.accepted === 2);
  for (let i = 0; i < 5; i++) dial('127.0.0.1');
  await until(() => listener.counters.refusedAddress === 5);
  dial('127.0.0.2');
  await until(() => listener.counters.accepted === 3);
  t.equal(log.lines.warn.length, 1);
  first!.destroy();
  // The end of the first one is seen when the server gets to it.
  await until(() => {
    if (listener.counters.accepted < 4) dial('127.0.0.1');
    return listener.counters.accepted >= 4;
  });
  for (const socket of open) socket.destroy();
  await listener.close();
});

t.test('several servers may share a limit', async (t) => {
  let left = 3;
  const totals = {
    admit: () => (left-- > 0 ? undefined : ({ counter: 'refusedTotal', why: 'enough' } as const)),
    handshakes: undefined as never,
  };
  const listeners = await Promise.all(
    [1, 2].map(() =>
      listenTcp(
        { host: '127.0.0.1', port: 0, totals },
        (connection) => connection.attach({ data() {}, close() {} }),
        silentLogger,
      ),
    ),
  );
  const sockets = listeners.flatMap(({ port }) =>
    [1, 2, 3].map(() => connect(port, '127.0.0.1').on('error', () => {})),
  );
  const sum = (name: 'accepted' | 'refusedTotal') =>
    listeners.reduce((all, { counters }) => all + counters[name], 0);
  await until(() => sum('accepted') + sum('refusedTotal') === 6);
  t.equal(sum('accepted'), 3);
  for (const socket of sockets) socket.destroy();
  for (const listener of listeners) await listener.close();
});
