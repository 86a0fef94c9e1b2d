import t from 'tap';
import { Device, startTestEngine, startWithScript, until } from '../support/engine.js';

const ECHO = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { text = f } end }
function on_message(m, conn) conn:send(m.text .. "\\n") end
function on_close(id, err) mix.report("closed", { err = err }) end
`;

t.test('a silent client is closed after idleSeconds', async (t) => {
  const e = await startWithScript(ECHO, '{ idleSeconds: 0.5 }');
  const d = await Device.connect(e.port());
  d.send('x\n');
  await d.until((text) => text === 'x\n');
  await until(() => d.closed);
  await until(() => e.reports.length === 1);
  t.match(e.reports, [{ values: { err: 'silent for 0.5 s' } }]);
  t.equal(e.engine.servers[0]!.station.counters.closedIdle, 1);
  t.match(
    e.log.find((line) => /silent/.test(line.message)),
    { level: 'warn', message: 'silent for 0.5 s (limits.idleSeconds)', client: '1', at: 's' },
  );
  await e.stop();
});

t.test('a client that never reads is bounded, counted and closed', async (t) => {
  const e = await startWithScript(
    `${ECHO}
    local block = ("x"):rep(100000)
    function on_message(m, conn)
      local err = conn:send(block)
      if err then mix.report("refused", { err = err }) end
    end`,
    '{ sendBufferBytes: 200KiB, sendStallSeconds: 1 }',
  );
  const d = await Device.connect(e.port());
  d.socket.pause();
  const { station } = e.engine.servers[0]!;
  let most = 0;
  const asking = setInterval(() => {
    d.send('go\n'.repeat(10));
    for (const client of station.clients) most = Math.max(most, client.connection.pendingBytes);
  }, 10);
  t.teardown(() => clearInterval(asking));
  await until(() => station.counters.closedStalled === 1);
  t.match(e.reports[0], { values: { err: /^queue_full: \d+ bytes wait/ } });
  t.equal(station.counters.sendsRefused, e.reports.filter((r) => r.deviceId === 'refused').length);
  t.ok(most > 0 && most <= 200 * 1024, `at most ${most} bytes were held`);
  d.socket.destroy();
  await e.stop();
});

t.test('a frame without end is bounded, framed natively or in Lua', async (t) => {
  const native = await startWithScript(ECHO, '{ frameBytes: 1000 }');
  const d = await Device.connect(native.port());
  for (let i = 0; i < 50; i++) d.send('x'.repeat(500));
  d.send('\nok\n');
  await d.until((text) => text.endsWith('ok\n'));
  t.ok(native.engine.servers[0]!.station.counters.discarded.oversize! > 20_000);
  await native.stop();

  const lua = await startWithScript(
    'function protocol_input(buf) return 0 end function on_close(id, err) mix.report("c", { err = err }) end',
    '{ frameBytes: 1000 }',
  );
  const noisy = await Device.connect(lua.port());
  noisy.send('x'.repeat(5000));
  await until(() => noisy.closed && lua.reports.length === 1);
  t.match(lua.reports[0], { values: { err: /more than 1000 bytes without the end of a frame/ } });
  await lua.stop();
});

t.test('protocol_input that answers nonsense loses its client only', async (_t) => {
  for (const answer of ['99', '-2', '1.5', '"x"', 'nil', '{}', 'error("input")']) {
    const e = await startWithScript(`
      function protocol_input(buf) if buf:byte(1) == 33 then return ${answer} end return buf:length() end
      function on_message(m, conn) conn:send(m) end`);
    const [bad, good] = [await Device.connect(e.port()), await Device.connect(e.port())];
    bad.send('!');
    await until(() => bad.closed);
    good.send('fine');
    await good.until((text) => text === 'fine');
    await e.stop();
  }
});

t.test('an incomplete frame is given up, and what stands behind it is used', async (t) => {
  const e = await startWithScript(`
    protocol = {
      name = "counted",
      frame = mix.frame.length{ start = "\\170", at = 2, size = 1, add = 2, partial = 0.1 },
      decode = function(f) return { text = f:sub(3) } end,
    }
    function on_message(m, conn) conn:send(m.text .. "\\n") end`);
  const d = await Device.connect(e.port());
  d.send(Buffer.from('aa02aaaa' + 'aa0141' + 'aac8' + 'aa0142' + 'aa0143', 'hex'));
  t.equal(await d.until((text) => text.endsWith('C\n')), '\xaa\xaa\nA\nB\nC\n');
  t.match(e.engine.servers[0]!.station.counters.discarded, { timeout: Number });
  await e.stop();
});

t.test('a peer that sends faster than its handler is slowed down, and nothing is lost', async (t) => {
  const e = await startWithScript(
    `protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { n = tonumber(f) } end }
     local expected, sum = 0, 0
     function on_message(m) if m.n == 0 then mix.sleep(0.3) end
       assert(m.n == expected) expected = expected + 1 sum = sum + m.n
       if m.n == 99999 then mix.report("sum", { sum = sum }) end end`,
    '{ frameBytes: 4096 }',
  );
  const d = await Device.connect(e.port());
  d.send(Array.from({ length: 100_000 }, (_, n) => `${n}\n`).join(''));
  await until(() => e.engine.clients.size === 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  const { station } = e.engine.servers[0]!;
  t.ok(
    station.counters.bytesIn < 400_000,
    `${station.counters.bytesIn} bytes were taken while the handler waited`,
  );
  await until(() => e.reports.length === 1);
  t.match(e.reports, [{ values: { sum: (99_999 * 100_000) / 2 } }]);
  await e.stop();
});

t.test('many frames at once are all answered, and leave turns to others', async (t) => {
  const e = await startWithScript(ECHO);
  const d = await Device.connect(e.port());
  const count = 100_000;
  d.send('a\n'.repeat(count));
  const { counters } = e.engine.servers[0]!.station;
  let most = 0;
  for (let before = 0; counters.messages < count; before = counters.messages) {
    await new Promise(setImmediate);
    most = Math.max(most, counters.messages - before);
  }
  t.ok(most <= 1000, `${most} in one turn`);
  await d.until((text) => text.length === 2 * count);
  t.equal(counters.sendsRefused, 0);
  await e.stop();
});

t.test('10,000 clients come and go and leave nothing behind', async (t) => {
  const e = await startWithScript(
    `${ECHO} function on_connect(id, conn) conn:attach("d" .. id) conn:set_context_value("k", id) end
     function on_close() end`,
    '{ acceptsPerSecond: 100000 }',
  );
  for (let round = 0; round < 100; round++) {
    const devices = await Promise.all(Array.from({ length: 100 }, () => Device.connect(e.port())));
    for (const d of devices) d.socket.destroy();
  }
  const { station } = e.engine.servers[0]!;
  await until(
    () => station.counters.closed === 10_000,
    () => `${station.counters.opened} opened, ${station.counters.closed} closed`,
  );
  t.equal(station.counters.opened, 10_000);
  t.same([station.clients.size, e.engine.clients.size, e.engine.devices.size], [0, 0, 0]);
  await e.stop();
});

t.test('datagrams are frames, and peers are clients by their address', async (t) => {
  const e = await startTestEngine(
    {
      'main.lua': `${ECHO} function on_message(m, conn) mix.report(conn:remote_addr(), m) conn:send("got " .. m.text) end`,
    },
    'servers: [{ name: u, port: 0, bind: 127.0.0.1, transport: udp, entry: main.lua, limits: { idleSeconds: 1 } }]',
  );
  const { createSocket } = await import('node:dgram');
  const socket = createSocket('udp4');
  const answers: string[] = [];
  socket.on('message', (m) => answers.push(m.toString()));
  socket.send('two\nlines', e.port(), '127.0.0.1');
  socket.send('x', e.port(), '127.0.0.1');
  await until(() => answers.length === 2);
  t.same(answers, ['got two\nlines', 'got x']);
  t.equal(e.engine.clients.size, 1);
  t.equal(e.reports[0]!.deviceId, `127.0.0.1:${socket.address().port}`);
  await until(() => e.engine.clients.size === 0);
  socket.close();
  await e.stop();
});

t.test('stopping sends what is queued, runs on_close, and ends in time whatever scripts do', async (t) => {
  const e = await startWithScript(`${ECHO}
    function on_message(m, conn) for i = 1, 100 do conn:send("line " .. i .. "\\n") end end
    function on_close() mix.sleep(0.01) mix.report("closed", {}) end`);
  const d = await Device.connect(e.port());
  d.send('go\n');
  await d.until((text) => text.includes('line 1\n'));
  await e.stop();
  await d.until((text) => text.includes('line 100\n'));
  t.equal(e.reports.length, 1);

  const hanging = await startWithScript('function on_close() mix.sleep(1000) end');
  await Device.connect(hanging.port());
  await until(() => hanging.engine.clients.size === 1);
  await hanging.stop();
  t.pass('it ended');
});
