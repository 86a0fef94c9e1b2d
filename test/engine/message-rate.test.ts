import { createSocket } from 'node:dgram';
import t from 'tap';
import { Device, startTestEngine, startWithScript, type TestEngine, until } from '../support/engine.js';

const ECHO = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { text = f } end }
function on_message(m, conn) conn:send(m.text .. "\\n") end
function on_close(id, err) mix.report("closed", { err = err }) end
`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join('');
const countersOf = (e: TestEngine) => e.engine.servers[0]!.station.counters;

t.test('slow: messages wait for their time, none is lost, and the peer is not read from', async (t) => {
  const e = await startWithScript(
    ECHO,
    '{ messagesPerSecond: 100, messagesBurst: 50, frameBytes: 4096, idleSeconds: 2 }',
  );
  const began = performance.now();
  const d = await Device.connect(e.port());
  d.send(lines(1, 400));
  await d.until((text) => text.split('\n').length > 100);
  const allowed = 50 + (performance.now() - began) / 10 + 1;
  t.ok(countersOf(e).messages <= allowed, `${countersOf(e).messages} messages, ${allowed} may be`);
  await d.until((text) => text === lines(1, 400));
  t.ok(countersOf(e).messagesDelayed > 0);

  d.send(lines(1, 500_000));
  await until(() => countersOf(e).bytesIn > 4096);
  const taken = countersOf(e).bytesIn;
  await d.until((text) => text.split('\n').length > 420);
  t.ok(countersOf(e).bytesIn < taken + 1_000_000, 'the rest waits at the peer');
  d.socket.destroy();
  await e.stop();
});

t.test('slow: others are not held up, and what came before the end is handled', async (t) => {
  const e = await startWithScript(ECHO, '{ messagesPerSecond: 1, messagesBurst: 30 }');
  const [flood, polite] = [await Device.connect(e.port()), await Device.connect(e.port())];
  flood.send(lines(1, 100));
  await until(() => countersOf(e).messagesDelayed === 1);
  for (let i = 1; i <= 20; i++) {
    polite.send(`${i}\n`);
    await polite.until((text) => text === lines(1, i));
  }
  flood.socket.end();
  await until(() => e.reports.length === 1);
  t.equal(countersOf(e).messages, 120);
  await e.stop();
});

t.test('slow: cleared messages do not come', async (t) => {
  const e = await startWithScript(
    `${ECHO} function on_message(m, conn) if m.text == "2" then conn:clear_buffer() end conn:send(m.text .. "\\n") end`,
    '{ messagesPerSecond: 5, messagesBurst: 2 }',
  );
  const d = await Device.connect(e.port());
  d.send(lines(1, 9));
  await d.until((text) => text === '1\n2\n');
  d.send('next\n');
  t.equal(await d.until((text) => text.endsWith('next\n')), '1\n2\nnext\n');
  await e.stop();
});

t.test('drop: what is beyond is dropped and counted', async (t) => {
  const e = await startWithScript(ECHO, '{ messagesPerSecond: 5, messageOverflow: drop }');
  const d = await Device.connect(e.port());
  d.send(lines(1, 1000));
  await until(() => countersOf(e).messages + countersOf(e).messagesDropped === 1000);
  t.ok(countersOf(e).messages >= 5);
  t.ok(countersOf(e).messagesDropped > 0);
  await d.until((text) => text.startsWith('1\n2\n3\n4\n5\n'));
  t.match(
    e.log.find((line) => /they are dropped/.test(line.message)),
    {
      level: 'warn',
      message: 'sends more messages than it may; they are dropped (limits.messagesPerSecond)',
    },
  );
  await e.stop();
});

t.test('close: who sends more is closed, and nobody else', async (t) => {
  const e = await startWithScript(ECHO, '{ messagesPerSecond: 20, messageOverflow: close }');
  const [flood, polite] = [await Device.connect(e.port()), await Device.connect(e.port())];
  flood.send(lines(1, 1000));
  await until(() => flood.closed && e.reports.length === 1);
  t.match(e.reports[0], { values: { err: 'sends more messages than it may' } });
  t.equal(countersOf(e).closedRate, 1);
  polite.send('x\n');
  await polite.until((text) => text === 'x\n');
  await e.stop();
});

for (const [messageOverflow, counted] of [
  ['slow', (e: TestEngine) => e.engine.servers[0]!.listener!.counters.droppedDatagrams],
  ['drop', (e: TestEngine) => countersOf(e).messagesDropped],
] as const) {
  t.test(
    `${messageOverflow}: datagrams cannot wait at the peer, so they are dropped and counted`,
    async (t) => {
      const e = await startTestEngine(
        { 'main.lua': ECHO },
        `servers: [{ name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: main.lua,
        limits: { messagesPerSecond: 10, messageOverflow: ${messageOverflow} } }]`,
      );
      const socket = createSocket('udp4');
      let answers = 0;
      socket.on('message', () => answers++);
      // In small lots, since the system drops what its buffer cannot hold.
      while (counted(e) < 20) {
        for (let i = 0; i < 20; i++) socket.send(String(i), e.port(), '127.0.0.1');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await until(() => answers >= 10);
      t.equal(e.engine.clients.size, 1);
      socket.close();
      await e.stop();
    },
  );
}
