import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';

type Request = Record<string, number>;

/** A slave on TCP; `answer` gives the Lua table of each response, or nothing. */
async function slave(
  t: Test,
  framing: string,
  answer: (request: Request) => string | undefined,
): Promise<{ port: number; asked: Request[] }> {
  const asked: Request[] = [];
  const server = createServer((socket) => {
    const peer = new ProtocolUnderTest(`protocols.modbus_${framing}`, 'server').peer();
    socket
      .on('error', () => {})
      .on('data', (bytes) => {
        for (const message of peer.feed([bytes]).messages as Request[]) {
          asked.push(message);
          const response = answer(message);
          if (response !== undefined) socket.write(unhex(peer.encode(response)));
        }
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { port: (server.address() as { port: number }).port, asked };
}

for (const framing of ['rtu', 'tcp']) {
  t.test(`a device is polled by its template over ${framing}, beside one that is dead`, async (t) => {
    const { port, asked } = await slave(t, framing, ({ unit, function_code: code }) => {
      if (unit !== 1) return undefined;
      return code === 4 ? '{ values = { 0x0131, 0x0222 } }' : '{ exception = 2 }';
    });
    const engine = await startTestEngine(
      library,
      `links:
  - name: line
    tcp: { host: 127.0.0.1, port: ${port} }
    entry: entry.modbus_template.lua
    options: { template: xy_md02, framing: ${framing}, units: "1,2", period: 0.3 }`,
    );
    t.teardown(() => engine.stop());
    const said = (text: RegExp): boolean => engine.log.some(({ message }) => text.test(message));
    await until(() => engine.reports.length >= 2 && said(/xy_md02-2 does not answer: timeout/));
    t.match(engine.reports[1], {
      deviceId: 'xy_md02-1',
      values: {
        values: [
          { name: 'temperature', value: 30.5, unit: '°C' },
          { name: 'humidity', value: 54.6, unit: '%' },
        ],
      },
    });
    await until(() => said(/xy_md02-1: register 257: exception: illegal data address/));
    t.match(
      asked.find(({ unit, function_code: code }) => unit === 1 && code === 4),
      { address: 1, quantity: 2 },
    );
    t.strictSame(
      engine.log.filter(({ level }) => level === 'error'),
      [],
    );
  });
}

t.test('with report: change nothing is told twice', async (t) => {
  let temperature = 200;
  const { port, asked } = await slave(t, 'rtu', ({ function_code: code }) =>
    code === 4 ? `{ values = { ${temperature}, 500 } }` : '{ exception = 2 }',
  );
  const engine = await startTestEngine(
    library,
    `links:
  - name: line
    tcp: { host: 127.0.0.1, port: ${port} }
    entry: entry.modbus_template.lua
    options: { template: xy_md02, period: 0.1, report: change, device: "room-%u" }`,
  );
  t.teardown(() => engine.stop());
  const polls = (): number => asked.filter(({ function_code: code }) => code === 4).length;
  await until(() => polls() >= 4);
  temperature = 215;
  await until(() => engine.reports.length >= 2);
  const last = polls();
  await until(() => polls() >= last + 2);
  t.match(
    engine.reports.map(({ deviceId, values }) => [deviceId, values]),
    [
      [
        'room-1',
        {
          values: [
            { name: 'temperature', value: 20 },
            { name: 'humidity', value: 50 },
          ],
        },
      ],
      ['room-1', { values: [{ name: 'temperature', value: 21.5 }] }],
    ],
  );
  t.equal(engine.reports.length, 2);
});

t.test('what is wrong with the options is told when the link is loaded', async (t) => {
  for (const [options, message] of [
    ['template: no_such_device', /there is no template no_such_device/],
    ['units: "1,x"', /option units must be whole numbers from 1 to 255/],
    ['framing: udp', /option framing must be rtu, ascii or tcp/],
    ['period: 0', /option period must be from 0.1 to 86400/],
  ] as const) {
    const start = startTestEngine(
      library,
      `links: [{ name: l, tcp: { host: 127.0.0.1, port: 1 }, entry: entry.modbus_template.lua, options: { ${options} } }]`,
    );
    await t.rejects(start, { message });
  }
});
