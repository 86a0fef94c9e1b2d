import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import t from 'tap';
import { engineChecks } from '../../src/api/health-checks.js';
import { Device, startTestEngine, type TestEngine, until } from '../support/engine.js';

const ECHO =
  'function on_connect() end function protocol_input(b) return b:length() end function on_message(m, conn) conn:send(m) end';
const start = (limits: string, own = '{ idleSeconds: 0 }') =>
  startTestEngine(
    { 'main.lua': ECHO },
    `limits: ${limits}
servers:
  - { name: a, port: 0, bind: 127.0.0.1, entry: main.lua, limits: ${own} }
  - { name: b, port: 0, bind: 127.0.0.1, entry: main.lua, limits: ${own} }
  - { name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: main.lua, limits: ${own} }`,
  );
type Counted = 'accepted' | 'refusedTotal' | 'refusedTotalRate' | 'refusedOverload' | 'refusedAddress';
const sum = (e: TestEngine, name: Counted): number =>
  e.engine.servers.reduce((all, { listener }) => all + listener!.counters[name], 0);
const dial = (port: number) => connect(port, '127.0.0.1').on('error', () => {});

t.test('several servers reach the limit of connections together, UDP peers too', async (t) => {
  const e = await start('{ connections: 4 }');
  const udp = createSocket('udp4');
  const devices = [
    await Device.connect(e.port(0)),
    await Device.connect(e.port(1)),
    await Device.connect(e.port(1)),
  ];
  udp.send('x', e.port(2), '127.0.0.1');
  await until(() => e.engine.clients.size === 4);
  const more = [dial(e.port(0)), dial(e.port(1))];
  const stranger = createSocket('udp4');
  stranger.send('x', e.port(2), '127.0.0.1');
  await until(() => sum(e, 'refusedTotal') === 3);
  t.equal(e.engine.clients.size, 4);
  t.same(
    e.engine.servers.map(({ listener }) => listener!.counters.refusedTotal),
    [1, 1, 1],
  );
  devices[0]!.send('still here');
  await devices[0]!.until((text) => text === 'still here');
  devices[1]!.socket.destroy();
  await until(() => e.engine.clients.size === 3);
  const late = await Device.connect(e.port(0));
  late.send('in');
  await late.until((text) => text === 'in');
  for (const socket of more) socket.destroy();
  for (const socket of [udp, stranger]) socket.close();
  await e.stop();
});

t.test('several servers reach the rate of new connections together', async (t) => {
  const e = await start('{ acceptsPerSecond: 5 }');
  const sockets = Array.from({ length: 60 }, (_, i) => dial(e.port(i % 2)));
  await until(() => sum(e, 'accepted') + sum(e, 'refusedTotalRate') === 60);
  t.ok(sum(e, 'accepted') >= 5);
  t.ok(sum(e, 'refusedTotalRate') > 0);
  for (const socket of sockets) socket.destroy();
  await e.stop();
});

t.test('one address has at most so many clients at each server', async (t) => {
  const e = await start('{}', '{ connectionsPerAddress: 2 }');
  const sockets = Array.from({ length: 10 }, (_, i) => dial(e.port(i % 2)));
  const other = connect({ port: e.port(), host: '127.0.0.1', localAddress: '127.0.0.3' }).on(
    'error',
    () => {},
  );
  await until(() => sum(e, 'refusedAddress') === 6 && sum(e, 'accepted') === 5);
  const peers = Array.from({ length: 3 }, () => createSocket('udp4'));
  for (const peer of peers) peer.send('x', e.port(2), '127.0.0.1');
  await until(() => sum(e, 'refusedAddress') === 7);
  t.equal(e.engine.clients.size, 7);
  for (const socket of [...sockets, other]) socket.destroy();
  for (const peer of peers) peer.close();
  await e.stop();
});

t.test('an engine that does not keep up lets nobody new in, and those who are in go on', async (t) => {
  const e = await start('{ lagSeconds: 0.3 }');
  const checks = engineChecks(e.engine);
  const codes = () => checks.flatMap((check) => [...check(performance.now() / 1000)].map(({ code }) => code));
  const { overload } = e.engine.limits;
  const d = await Device.connect(e.port());
  const busy = setInterval(() => {
    for (const end = performance.now() + 700; performance.now() < end; );
  }, 1);
  await until(() => overload.active);
  t.ok(codes().includes('overloaded'));
  const refused = dial(e.port());
  await until(() => sum(e, 'refusedOverload') === 1);
  d.send('still here');
  await d.until((text) => text === 'still here');
  clearInterval(busy);
  await until(() => !overload.active);
  t.notOk(codes().includes('overloaded'));
  const late = await Device.connect(e.port());
  late.send('in');
  await late.until((text) => text === 'in');
  t.match(
    e.log
      .filter((line) => /overloaded/.test(line.message))
      .map(({ level }) => level)
      .slice(-1),
    ['info'],
  );
  refused.destroy();
  await e.stop();
});
