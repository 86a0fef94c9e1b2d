import t, { type Test } from 'tap';
import type { Connection } from '../../src/transports/connection.js';
import { openSerial } from '../../src/transports/serial.js';
import { startTestEngine, type TestEngine, until } from '../support/engine.js';
import { library } from '../support/library.js';
import { ASK, type Behaviour, registers, rtu, serveLine } from '../support/modbus-line.js';
import { missing } from '../support/need.js';
import { type PtyPair, ptyPair } from '../support/pty.js';

interface Line {
  engine: TestEngine;
  pair: PtyPair;
  device: Connection;
  asked: Buffer[];
  /** What the script reported. */
  results(): unknown[];
  bus(): Record<string, unknown>;
}

/** Sets a value that the script waits for. */
const tell = ({ engine }: Line, key: string) => {
  const [client] = engine.engine.clients.keys();
  return engine.engine.mesh.call(client!, 'set_context_value', [key, true]);
};

/** An engine with a serial link to units that behave like this. Time is short only where a script says so. */
async function line(
  t: Test,
  script: string,
  behave: Behaviour,
  bus = 'timeout: 5, retries: 0',
): Promise<Line> {
  const pair = await ptyPair();
  const device = await openSerial({ port: pair.b, baudRate: 115200 });
  const asked = serveLine(device, behave);
  const engine = await startTestEngine(
    { ...library, 'main.lua': ASK + script },
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
    'function on_connect(id, conn) ask(conn, 1, { timeout = 0.2 }, 100) ask(conn, 2, nil, 200) end',
    (request, answer) => {
      if (request[0] === 1) return;
      answer(registers(l.asked[0]!));
      later(50, () => answer(registers(request)));
    },
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ err: /^timeout: unit 1 did not answer within 0.2 s$/ }, { values: [200] }]);
  t.match(l.bus(), { late: 1, timeouts: 1, replies: 1, wrong_unit: 0 });
});

t.test('a late reply before the next request, and one that comes twice, are dropped', { skip }, async (t) => {
  const l = await line(
    t,
    `function on_connect(id, conn)
      ask(conn, 1, { timeout = 0.1 }, 1)
      conn:wait_context_value("late")
      ask(conn, 2, nil, 2) ask(conn, 3, nil, 3)
    end`,
    (request, answer) => {
      if (request[0] === 1) return;
      answer(registers(request));
      if (request[0] === 2) answer(registers(request));
    },
  );
  await until(() => l.results().length === 1);
  l.device.write(registers(l.asked[0]!));
  await until(() => l.bus().late === 1);
  await tell(l, 'late');
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
    'timeout: 0.6, retries: 0',
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
    'timeout: 5, silence: 1, retries: 0',
  );
  await until(() => l.results().length === 2);
  t.match(l.results(), [{ values: [11] }, { values: [22] }]);
});

t.test('retries take their turn behind others, commands come first', { skip }, async (t) => {
  let tries = 0;
  const l = await line(
    t,
    `function on_connect(id, conn)
      for unit = 1, 3 do
        mix.after(0, function() ask(conn, unit, { priority = "poll", retries = 2, timeout = unit == 1 and 0.5 or 5 }) end)
      end
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
    'timeout: 5, turnaround: 0.2',
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
      ask(conn, 6, { timeout = 5 })
      mix.sleep(0.6)
      ask(conn, 5)
      conn:wait_context_value("alive")
      mix.sleep(0.6)
      ask(conn, 5, { timeout = 5 })
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
  await tell(l, 'alive');
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
      'function on_connect(id, conn) ask(conn, 1, nil, 5, 6) ask(conn, 1, nil, 6) ask(conn, 1, nil, 7) ask(conn, 2, { timeout = 0.2 }) end',
      (request, answer) => {
        answer(request);
        if (request[0] === 2) return;
        later(20, () => answer(request[1] === 6 ? request : registers(request)));
      },
      `timeout: 5, retries: 0, echo: ${echo}`,
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
    'timeout: 1, retries: 0',
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

t.test('what is sent without a request takes its turn', { skip }, async (t) => {
  const seen: string[] = [];
  const held: (() => void)[] = [];
  const l = await line(
    t,
    `function on_connect(id, conn)
      mix.after(0.01, function()
        conn:send({ unit = 8, function_code = 6, address = 1, value = 2 })
        conn:send("12345678")
      end)
      ask(conn, 1, nil, 5)
      ask(conn, 2, nil, 6)
    end`,
    (request, answer) => {
      const [unit, code] = request;
      seen.push(code === 0x32 ? 'bytes' : `${code === 6 ? 'write' : 'ask'} ${unit}`);
      if (unit === 9) answer(request);
      if (unit === 2) answer(registers(request));
      if (unit === 1)
        held.push(() => {
          seen.push('answer 1');
          answer(registers(request));
        });
    },
    'timeout: 5, retries: 0',
  );
  await until(() => held.length === 1);
  const { mesh, clients } = l.engine.engine;
  const [client] = clients.keys();
  const write = { unit: 9, function_code: 6, address: 1, value: 2 };
  const sent = [write, { unit: 9 }].map((data) => mesh.send(client!, { data }));
  await until(() => (l.bus().waiting as { command: number }).command === 4);
  held[0]!();
  t.match(await Promise.all(sent), [undefined, { message: /^function_code must be/ }]);
  await until(() => l.results().length === 3);
  t.same(seen.slice(0, 2), ['ask 1', 'answer 1'], 'nothing during the transaction');
  t.equal(seen[5], 'ask 2', 'before what was asked later');
  t.same(seen.sort(), ['answer 1', 'ask 1', 'ask 2', 'bytes', 'write 8', 'write 9']);
  t.match(l.results(), [{ values: [5] }, { values: [6] }, { unit: 9, function_code: 6 }]);
  t.match(l.bus(), { requests: 5, replies: 2, broadcasts: 3, timeouts: 0 });
});

t.test(
  'clear_buffer drops what the bus holds; what waits to be sent ends with its line',
  { skip },
  async (t) => {
    const l = await line(
      t,
      `function on_connect(id, conn)
      if started then return end
      started = true
      mix.after(0, function() ask(conn, 1) end)
      mix.after(0.1, function()
        while conn:clear_buffer() == 0 do mix.sleep(0.01) end
        mix.report("cleared", {})
        mix.report("queued", { err = conn:send("12345678") })
        conn:close()
      end)
    end`,
      (_request, answer) => answer(rtu(1, 3, 2, 0, 1).subarray(0, 4)),
      'timeout: 5, silence: 5, retries: 0',
    );
    await until(() => l.results().length === 3);
    const failed = /^was not sent: closed: the connection ended$/;
    await until(() => l.engine.log.some(({ message }) => failed.test(message)));
    t.match(l.results(), [{}, {}, { err: /^closed/ }]);
    t.equal(l.asked.length, 1);
    t.equal(l.bus().interrupted, 2);
  },
);
