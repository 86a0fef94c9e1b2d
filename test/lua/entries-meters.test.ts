import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { startTestEngine, type TestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';

/** An engine with an entry whose line is a socket; `answer` says what comes back for what was sent. */
async function meters(
  t: Test,
  entry: string,
  options: string,
  answer: (sent: string) => Uint8Array | undefined,
): Promise<{ engine: TestEngine; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const sent = bytes.toString('hex');
      asked.push(sent);
      const reply = answer(sent);
      if (reply) socket.write(reply);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const engine = await startTestEngine(
    library,
    `links: [{ name: l, tcp: { host: 127.0.0.1, port: ${port} }, entry: ${entry}, options: ${options},
      bus: { silence: 0.1 } }]`,
  );
  t.teardown(() => engine.stop());
  return { engine, asked };
}

const sum = (bytes: Buffer) => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const errors = ({ log }: TestEngine) => log.filter(({ level }) => level === 'error');

t.test('entry.dlt645: meters are read in turn, one does not answer', async (t) => {
  const { engine } = await meters(
    t,
    'entry.dlt645.lua',
    '{ meters: "161,162", seconds: 60, patience: 0.1 }',
    (sent) => {
      if (!sent.includes('68620100000000')) return undefined;
      // 2007, read answer: 00010000, 1234.56 kWh; each byte of the data and 33.
      const data = [0x00, 0x00, 0x01, 0x00, 0x56, 0x34, 0x12, 0x00].map((byte) => byte + 0x33);
      const frame = Buffer.from([0x68, 0x62, 1, 0, 0, 0, 0, 0x68, 0x91, data.length, ...data]);
      return Buffer.from([0xfe, 0xfe, ...frame, sum(frame), 0x16]);
    },
  );
  await until(() => engine.reports.length >= 1);
  t.match(engine.reports, [{ deviceId: '000000000162', values: { values: [{ value: 1234.56 }] } }]);
  t.ok(engine.log.some(({ message }) => /^000000000161: timeout/.test(message)));
  t.strictSame(errors(engine), []);
});

t.test('entry.mbus: a meter by its address, and one by its number', async (t) => {
  const body = Buffer.from('0805721111111177040e16270000000c7827048502', 'hex');
  const content = Buffer.concat([Buffer.from([0x08, 5]), body.subarray(2)]);
  const telegram = Buffer.concat([
    Buffer.from([0x68, content.length, content.length, 0x68]),
    content,
    Buffer.from([sum(content), 0x16]),
  ]);
  const { engine, asked } = await meters(
    t,
    'entry.mbus.lua',
    '{ meters: "5,11490378", seconds: 60, patience: 0.1 }',
    (sent) => {
      if (/^10(5b|7b)05/.test(sent) || /^10(5b|7b)fd/.test(sent)) return telegram;
      // The restart of whoever is selected is not answered.
      return sent.startsWith('1040fd') ? undefined : Buffer.from([0xe5]);
    },
  );
  await until(
    () => engine.reports.length >= 2,
    () => JSON.stringify([asked, engine.log]),
  );
  t.match(engine.reports, [{ deviceId: '11111111' }, { deviceId: '11111111' }]);
  t.match(asked[0], /^104005/);
  t.strictSame(errors(engine), []);
});

t.test('entry.iec62056_21: the whole read-out', async (t) => {
  const content = '0.0.0(12345678)\r\n1.8.0(000123.4*kWh)\r\n!\r\n\x03';
  const bcc = Buffer.from(content).reduce((value, byte) => value ^ byte, 0);
  const { engine, asked } = await meters(t, 'entry.iec62056_21.lua', '{ seconds: 60 }', (sent) => {
    const text = Buffer.from(sent, 'hex').toString('latin1');
    if (text === '/?!\r\n') return Buffer.from('/ABC5METER\r\n');
    return text.startsWith('\x06')
      ? Buffer.concat([Buffer.from(`\x02${content}`), Buffer.from([bcc])])
      : undefined;
  });
  await until(
    () => engine.reports.length >= 1,
    () => JSON.stringify([asked, engine.log]),
  );
  t.match(engine.reports[0]!.values, { values: [{}, { value: 123.4, unit: 'kWh' }] });
  t.strictSame(errors(engine), []);
});

t.test('entry.iec62056_21: registers in programming mode', async (t) => {
  const block = (text: string) => {
    const bcc = Buffer.from(text).reduce((value, byte) => value ^ byte, 0);
    return Buffer.concat([Buffer.from(text), Buffer.from([bcc])]);
  };
  const { engine, asked } = await meters(
    t,
    'entry.iec62056_21.lua',
    '{ seconds: 60, registers: "1.8.0,9.9.9", address: "77" }',
    (sent) => {
      const text = Buffer.from(sent, 'hex').toString('latin1');
      if (text === '/?77!\r\n') return Buffer.from('/ABC5METER\r\n');
      if (text.startsWith('\x06')) return Buffer.concat([Buffer.from('\x01'), block('P0\x02()\x03')]);
      if (text.includes('1.8.0')) return Buffer.concat([Buffer.from('\x02'), block('1.8.0(5.5*kWh)\x03')]);
      return text.includes('9.9.9') ? Buffer.concat([Buffer.from('\x02'), block('(ER01)\x03')]) : undefined;
    },
  );
  await until(
    () => engine.reports.length >= 1,
    () => JSON.stringify([asked, engine.log]),
  );
  t.match(engine.reports, [{ deviceId: '77', values: { values: [{ value: 5.5 }] } }]);
  t.ok(engine.log.some(({ message }) => /refuses 9\.9\.9: ER01/.test(message)));
  await until(() => asked.at(-1)!.startsWith('01423003'));
  t.strictSame(errors(engine), []);
});
