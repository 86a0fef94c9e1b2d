import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import type { Connection } from '../../src/transports/connection.js';
import { openSerial } from '../../src/transports/serial.js';
import { startTestEngine, type TestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';
import { type Behaviour, registers, rtu, serveLine } from '../support/modbus-line.js';
import { missing } from '../support/need.js';
import { type PtyPair, ptyPair } from '../support/pty.js';
import { pymodbus, pymodbusMissing } from '../support/pymodbus.js';

const PRELUDE = `
protocol = require "protocols.modbus_rtu"
function ask(conn, unit, options, address, code)
  local reply, err = conn:request({ unit = unit, function_code = code or 3, address = address or 0, quantity = 1,
    value = 7 }, options)
  mix.report("unit " .. unit, { at = address or 0, values = reply and reply.values, exception = reply and reply.exception,
    type = reply and reply.type, err = err })
  return reply, err
end
function on_message(m) mix.report("message", m) end
`;

interface Line {
  engine: TestEngine;
  pair: PtyPair;
  device: Connection;
  asked: Buffer[];
  /** What the script reported. */
  results(): unknown[];
  bus(): Record<string, unknown>;
}

/** An engine with a serial link to units that behave like this. */
async function line(
  t: Test,
  script: string,
  behave: Behaviour,
  bus = 'timeout: 0.2, retries: 0',
): Promise<Line> {
  const pair = await ptyPair();
  const device = await openSerial({ port: pair.b, baudRate: 115200 });
  const asked = serveLine(device, behave);
  const engine = await startTestEngine(
    { ...library, 'main.lua': PRELUDE + script },
    `links: [{ name: line, serial: { port: ${pair.a}, baudRate: 115200 }, entry: main.lua, bus: { ${bus} },
      reconnect: { minSeconds: 0.05, maxSeconds: 0.1 } }]`,
  );
  t.teardown(async () => {
    device.destroy();
    await engine.stop();
    await pair.remove();
  });
  return {
    engine,
    pair,
    device,
    asked,
    results: () => engine.reports.map(({ values }) => values),
    bus: () => engine.engine.buses.all.get('line')!.report(),
  };
}

const skip = missing('socat', 'socat');
const good: Behaviour = (request, answer) => answer(registers(request));
const later = (ms: number, what: () => void): void => void setTimeout(what, ms);

t.test('a request gets its reply, an exception is one', { skip }, async (t) => {
  const l = await line(
    t,
    'function on_connect(id, conn) ask(conn, 1, nil, 17) ask(conn, 2) end',
    (request, answer) => (request[0] === 1 ? answer(registers(request)) : answer(rtu(2, 0x83, 2))),
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ values: [17] }, { type: 'exception', exception: 2 }]);
  t.match(l.bus(), { requests: 2, replies: 2, timeouts: 0, exceptions: { 2: 1 }, connected: true });
});

t.test('a reply that comes late is not taken for that of the next unit', { skip }, async (t) => {
  const l = await line(
    t,
    'function on_connect(id, conn) ask(conn, 1, nil, 100) ask(conn, 2, nil, 200) end',
    (request, answer) => later(request[0] === 1 ? 260 : 150, () => answer(registers(request))),
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ err: /^timeout: unit 1 did not answer within 0.2 s$/ }, { values: [200] }]);
  t.match(l.bus(), { late: 1, timeouts: 1, replies: 1, wrong_unit: 0 });
});

t.test('a late reply before the next request, and one that comes twice, are dropped', { skip }, async (t) => {
  const l = await line(
    t,
    `function on_connect(id, conn) ask(conn, 1, nil, 1) mix.sleep(0.3) ask(conn, 2, nil, 2) ask(conn, 3, nil, 3) end`,
    (request, answer) => {
      if (request[0] === 1) return later(300, () => answer(registers(request)));
      answer(registers(request));
      if (request[0] === 2) answer(registers(request));
    },
  );
  await until(() => l.results().length === 3);
  await until(() => l.bus().duplicates === 1);
  t.match(l.results(), [{ err: /^timeout/ }, { values: [2] }, { values: [3] }]);
  t.match(l.bus(), { late: 1, duplicates: 1, replies: 2 });
});

t.test('what others answer is told apart', { skip }, async (t) => {
  const l = await line(
    t,
    'function on_connect(id, conn) ask(conn, 1) ask(conn, 2) ask(conn, 3) ask(conn, 4) end',
    (request, answer) => {
      const [unit] = request;
      if (unit === 1) answer(rtu(9, 3, 2, 0, 0));
      if (unit === 2) answer(rtu(2, 4, 2, 0, 0));
      if (unit === 3) {
        const spoiled = registers(request);
        spoiled[4]! ^= 0xff;
        answer(spoiled);
      }
    },
  );
  await until(() => l.results().length === 4);
  t.match(l.results(), [
    { err: /^timeout: unit 1/ },
    { err: /^timeout: unit 2/ },
    { err: /^decode_error: unit 3: its check is wrong/ },
    { err: /^timeout: unit 4/ },
  ]);
  t.match(l.bus(), { wrong_unit: 1, wrong_function: 1, checksum_errors: 1, timeouts: 3, replies: 0 });
  t.ok((l.bus().discarded as Record<string, number>).checksum! > 0);
});

t.test('a reply byte by byte, and one behind noise, are found', { skip }, async (t) => {
  const l = await line(
    t,
    'function on_connect(id, conn) ask(conn, 1, nil, 11) ask(conn, 2, nil, 22) end',
    (request, answer) => {
      const reply = registers(request);
      if (request[0] === 2) return answer(Buffer.concat([Buffer.from([0xff, 3, 0x55]), reply]));
      for (const [i, byte] of reply.entries()) later(40 * i, () => answer(Buffer.from([byte])));
    },
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ values: [11] }, { values: [22] }]);
});

t.test('retries take their turn behind others, commands come first', { skip }, async (t) => {
  let tries = 0;
  const l = await line(
    t,
    `function on_connect(id, conn)
      for unit = 1, 3 do mix.after(0, function() ask(conn, unit, { priority = "poll", retries = 2 }) end) end
      mix.after(0.05, function() ask(conn, 9, { priority = "command" }) end)
    end`,
    (request, answer) => {
      if (request[0] === 1 && ++tries < 3) return;
      answer(registers(request));
    },
  );
  await until(() => l.results().length === 4);
  t.same(
    l.asked.map(([unit]) => unit),
    [1, 9, 2, 3, 1, 1],
  );
  t.match(l.bus(), { requests: 6, replies: 4, timeouts: 2 });
});

t.test('a broadcast is not answered, the next waits for the turnaround', { skip }, async (t) => {
  const l = await line(
    t,
    `function on_connect(id, conn)
      local done = conn:request({ unit = 0, function_code = 6, address = 1, value = 2 }, { broadcast = true })
      mix.report("broadcast", { done = done })
      ask(conn, 1)
    end`,
    (request, answer) => {
      if (request[0] !== 0) answer(registers(request));
    },
    'timeout: 0.5, turnaround: 0.2',
  );
  const began = performance.now();
  await until(() => l.results().length === 2);
  t.ok(performance.now() - began >= 150, 'silence was kept');
  t.match(l.results(), [{ done: true }, { values: [0] }]);
  t.match(l.bus(), { broadcasts: 1, requests: 2, timeouts: 0 });
});

t.test('the breaker leaves a dead unit alone, a probe brings it back', { skip }, async (t) => {
  let alive = false;
  const l = await line(
    t,
    `function on_connect(id, conn)
      for i = 1, 3 do ask(conn, 5) end
      ask(conn, 5)
      ask(conn, 6)
      mix.sleep(0.6)
      ask(conn, 5)
      mix.sleep(0.6)
      ask(conn, 5)
      mix.report("end", {})
    end`,
    (request, answer) => {
      if (request[0] === 6 || alive) answer(registers(request));
    },
    'timeout: 0.05, retries: 0, breaker: { minSeconds: 0.3, maxSeconds: 0.5 }',
  );
  await until(() => l.results().length === 6);
  const units = () => l.bus().units as Record<string, unknown>[];
  t.match(units()[0], { unit: '5', state: 'open', reason: 'no reply', requests: 4, refused: 1 });
  t.ok((units()[0]!.next_probe_seconds as number) <= 0.5);
  alive = true;
  await until(() => l.results().length === 8);
  t.match(l.results(), [
    ...Array(3).fill({ err: /^timeout: unit 5/ }),
    { err: /^overloaded: unit 5 is left alone \(no reply\), asked again in/ },
    { values: [0] },
    { err: /^timeout: unit 5/ },
    { values: [0] },
    {},
  ]);
  t.match(units()[0], { state: 'closed', replies: 1 });
});

for (const echo of ['auto', 'on']) {
  t.test(`echo ${echo}: own bytes are removed`, { skip }, async (t) => {
    const l = await line(
      t,
      'function on_connect(id, conn) ask(conn, 1, nil, 5, 6) ask(conn, 1, nil, 6) ask(conn, 1, nil, 7) ask(conn, 2) end',
      (request, answer) => {
        answer(request);
        if (request[0] === 2) return;
        later(20, () => answer(request[1] === 6 ? request : registers(request)));
      },
      `timeout: 0.2, retries: 0, echo: ${echo}`,
    );
    await until(() => l.results().length === 4);
    t.match(l.results(), [{ type: 'response' }, { values: [6] }, { values: [7] }, { err: /^timeout/ }]);
    t.equal(l.bus().echo_bytes, 32);
  });
}

t.test('without an echo, the repetition of a write is its reply', { skip }, async (t) => {
  const l = await line(
    t,
    'function on_connect(id, conn) ask(conn, 1, nil, 5, 6) ask(conn, 1, nil, 5, 6) end',
    (request, answer) => answer(request),
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ type: 'response' }, { type: 'response' }]);
  t.equal(l.bus().echo_bytes, 0);
});

t.test(
  'unplugged in a transaction: it fails at once, what waits is served after replug',
  { skip },
  async (t) => {
    let pulled = false;
    const l = await line(
      t,
      `function on_connect(id, conn)
      if started then return end
      started = true
      mix.after(0, function() ask(conn, 1, nil, 1) end)
      -- Opening the other end drops what was sent before it.
      mix.after(0, function() ask(conn, 2, { timeout = 0.3, retries = 10 }, 2) end)
    end`,
      () => {
        pulled = true;
      },
      'timeout: 30, retries: 0, breaker: { failures: 0 }',
    );
    await until(() => pulled);
    l.device.destroy();
    await l.pair.unplug();
    await until(() => l.results().length === 1);
    t.match(l.results(), [{ at: 1, err: /^closed/ }]);
    await l.pair.plug();
    const device = await openSerial({ port: l.pair.b, baudRate: 115200 });
    t.teardown(() => device.destroy());
    serveLine(device, good);
    await until(() => l.results().length === 2);
    t.match(l.results()[1], { at: 2, values: [2] });
    t.match(l.bus(), { interrupted: 1, replies: 1, connected: true });
  },
);

t.test('a full queue, wrong options, and requests that never get a turn', { skip }, async (t) => {
  const l = await line(
    t,
    `function on_connect(id, conn)
      for i = 1, 4 do mix.after(0, function() ask(conn, i) end) end
      for _, options in ipairs { { timeout = 0 }, { retries = 1.5 }, { priority = "soon" }, { unit = {} } } do
        ask(conn, 1, options)
      end
    end`,
    () => {},
    'timeout: 1, retries: 0, queue: 2, queueSeconds: 0.1',
  );
  await until(() => l.results().length === 8);
  const errors = l.results().map((result) => (result as { err: string }).err.split(' ')[0]);
  t.same(errors.slice(0, 4), Array(4).fill('invalid_argument:'));
  t.same(errors.slice(4).sort(), ['queue_full:', 'timeout:', 'timeout:', 'timeout:']);
  t.equal(l.bus().expired, 2);
});

t.test('spontaneous messages reach on_message while a handler waits', { skip }, async (t) => {
  const l = await line(t, 'function on_connect(id, conn) ask(conn, 1, nil, 8) end', (request, answer) => {
    answer(registers(request));
    later(30, () => answer(rtu(77, 3, 2, 0, 1)));
  });
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ values: [8] }, { unit: 77, values: [1] }]);
});

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
        'main.lua': `${PRELUDE}
        function on_connect(id, conn)
          ask(conn, 1, nil, 3) ask(conn, 9) ask(conn, 2, nil, 5, 6) ask(conn, 2, nil, 5) ask(conn, 1, nil, 5000)
        end`,
      },
      `links: [{ name: line, serial: { port: ${pair.a}, baudRate: 9600 }, entry: main.lua, bus: { timeout: 1, retries: 0 } }]`,
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
    { ...library, 'main.lua': PRELUDE },
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
        later(20, () => {
          open--;
          socket.write(registers(request));
        });
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    ports.push((server.address() as { port: number }).port);
  }
  const engine = await startTestEngine(
    {
      ...library,
      'main.lua': `${PRELUDE} function on_connect(id, conn) for i = 1, 5 do ask(conn, i, nil, i) end end`,
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
        'main.lua': `${PRELUDE} function on_connect(id, conn) for i = 1, 3 do ask(conn, 1) end end`,
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
      'main.lua': `${PRELUDE}
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
