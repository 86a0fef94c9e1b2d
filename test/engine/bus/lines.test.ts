import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t from 'tap';
import { startTestEngine, until } from '../../support/engine.js';
import { library } from '../../support/library.js';
import { ASK, registers } from '../../support/modbus-line.js';
import { missing } from '../../support/need.js';
import { ptyPair } from '../../support/pty.js';
import { pymodbus, pymodbusMissing } from '../../support/pymodbus.js';

const skip = missing('socat', 'socat');

t.test(
  'pymodbus answers reads, a write, and what it does not have',
  { skip: skip || pymodbusMissing() },
  async (t) => {
    const pair = await ptyPair();
    t.teardown(() => pair.remove());
    await pymodbus(t, pair.b, { 1: { holding: { 3: 1234 } }, 2: { holding: { 0: 7 } } });
    const engine = await startTestEngine(
      {
        ...library,
        'main.lua': `${ASK}
        function on_connect(id, conn)
          ask(conn, 1, nil, 3) ask(conn, 9, { timeout = 1 }) ask(conn, 2, nil, 5, 6) ask(conn, 2, nil, 5) ask(conn, 1, nil, 5000)
        end`,
      },
      `links: [{ name: line, serial: { port: ${pair.a}, baudRate: 9600 }, entry: main.lua, bus: { timeout: 5, retries: 0 } }]`,
    );
    t.teardown(() => engine.stop());
    await until(() => engine.reports.length === 5);
    t.match(
      engine.reports.map(({ values }) => values),
      [{ values: [1234] }, { err: /^timeout/ }, { type: 'response' }, { values: [7] }, { exception: 2 }],
    );
  },
);

t.test('two links that claim one port: one has it, the other says why not', { skip }, async (t) => {
  const pair = await ptyPair();
  t.teardown(() => pair.remove());
  const link = (name: string) =>
    `{ name: ${name}, serial: { port: ${pair.a} }, entry: main.lua, bus: { name: shared } }`;
  const engine = await startTestEngine(
    { ...library, 'main.lua': ASK },
    `links: [${link('one')}, ${link('two')}]`,
  );
  t.teardown(() => engine.stop());
  const open = () => engine.engine.links.filter(({ station }) => station.clients.size === 1).length;
  await until(() => open() === 1 && engine.log.some(({ message }) => /is in use/.test(message)));
  t.match(engine.engine.buses.all.get('shared')!.report(), { links: ['one', 'two'], connected: true });
});

t.test('two links on one bus take turns', async (t) => {
  let open = 0;
  let most = 0;
  const ports: number[] = [];
  for (let i = 0; i < 2; i++) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (request) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          socket.write(registers(request));
        }, 20);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    ports.push((server.address() as { port: number }).port);
  }
  const engine = await startTestEngine(
    {
      ...library,
      'main.lua': `${ASK} function on_connect(id, conn) for i = 1, 5 do ask(conn, i, nil, i) end end`,
    },
    `links: [${ports.map(
      (port, i) =>
        `{ name: l${i}, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua, bus: { name: house } }`,
    )}]`,
  );
  t.teardown(() => engine.stop());
  await until(() => engine.reports.length === 10);
  t.equal(most, 1, 'never two at a time');
  t.match(engine.engine.buses.all.get('house')!.report(), { replies: 10, timeouts: 0 });
});

t.test('a converter has the time that its line needs, when its rate is known', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // It hands over what it has collected.
    socket.on('data', (request) => void setTimeout(() => socket.write(registers(request)), 800));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const link = (name: string, more: string) =>
    `{ name: ${name}, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua,
       bus: { timeout: 0.1, retries: 0, ${more} } }`;
  const engine = await startTestEngine(
    { ...library, 'main.lua': `${ASK} function on_connect(id, conn) ask(conn, 1, nil, 9) end` },
    `links: [${link('known', 'baudRate: 300')}, ${link('unknown', '')}]`,
  );
  t.teardown(() => engine.stop());
  await until(() => engine.reports.length === 2);
  t.match(
    engine.reports.map(({ values }) => values),
    [{ err: /^timeout/ }, { values: [9] }],
  );
});

t.test(
  "what a second master says is taken for nobody's reply",
  {
    skip: skip || missing('mbpoll', 'mbpoll'),
  },
  async (t) => {
    const pair = await ptyPair();
    t.teardown(() => pair.remove());
    const engine = await startTestEngine(
      {
        ...library,
        'main.lua': `${ASK} function on_connect(id, conn) for i = 1, 3 do ask(conn, 1) end end`,
      },
      `links: [{ name: line, serial: { port: ${pair.a}, baudRate: 9600 }, entry: main.lua,
      bus: { timeout: 0.7, retries: 0 } }]`,
    );
    t.teardown(() => engine.stop());
    const master = spawn(
      'mbpoll',
      '-m rtu -b 9600 -P none -a 5 -t 4 -r 1 -c 1 -o 0.2 -l 100'.split(' ').concat(pair.b),
      {
        stdio: 'ignore',
      },
    );
    t.teardown(() => master.kill('SIGKILL'));
    await until(() => engine.reports.length === 3);
    for (const { values } of engine.reports) t.match(values, { err: /^(timeout|decode_error): unit 1/ });
    const bus = engine.engine.buses.all.get('line')!.report();
    t.equal(bus.replies, 0);
    t.ok(
      Object.values(bus.discarded).some((bytes) => bytes > 0),
      'its requests were heard',
    );
  },
);

t.test('a client of a server is asked too; when it leaves, what waits fails at once', async (t) => {
  const engine = await startTestEngine(
    {
      ...library,
      'main.lua': `${ASK}
        function on_connect(id, conn)
          ask(conn, 1, nil, 5)
          mix.after(0, function() ask(conn, 2, { timeout = 30 }) end)
          mix.after(0, function() ask(conn, 3) end)
        end
        function on_close() mix.report("closed", {}) end`,
    },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]',
  );
  t.teardown(() => engine.stop());
  const socket = connect(engine.port(), '127.0.0.1');
  socket.on('error', () => {});
  socket.on('data', (request) => {
    if (request[0] === 1) socket.write(registers(request));
    else socket.destroy();
  });
  await until(() => engine.reports.length === 4);
  const results = engine.reports.map(({ values }) => values);
  t.match(results[0], { values: [5] });
  t.equal(results.filter((result) => /^closed/.test((result as { err?: string }).err ?? '')).length, 2);
});
