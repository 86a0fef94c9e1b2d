import t from 'tap';
import { Device, startTestEngine, startWithScript, until } from '../support/engine.js';

const LINES = `
protocol = {
  name = "lines",
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame, session)
    session.count = (session.count or 0) + 1
    if frame == "bad" then return nil, "a bad line" end
    if frame == "none" then return nil end
    if frame == "raise" then error("decode raised") end
    if frame == "many" then return { { text = "a" }, { text = "b" }, { text = "c" } } end
    return { text = frame, count = session.count }
  end,
  encode = function(message) return message.text .. "\\n" end,
  reply = function(message, session) return "ack " .. (message.text or #message) .. "\\n" end,
}
`;

t.test('frames are decoded, handled and acknowledged, in that order', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_connect(id, conn) conn:send("hello " .. id .. "\\n") end
    function on_message(m, conn) conn:send{ text = "got " .. m.text .. " " .. tostring(m.count) } end`);
  const d = await Device.connect(e.port());
  d.send('x\nmany\nnone\ny\n');
  t.equal(
    await d.until((text) => text.endsWith('ack y\n')),
    'hello 1\ngot x 1\nack x\ngot a nil\ngot b nil\ngot c nil\nack 3\ngot y 4\nack y\n',
  );
  await e.stop();
});

t.test('messages of one client wait for each other, clients do not', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_connect(id, conn) mix.sleep(0.02) conn:send("in\\n") end
    function on_message(m, conn)
      if m.text == "slow" then mix.sleep(0.2) end
      conn:send{ text = m.text }
    end`);
  const [slow, quick] = [await Device.connect(e.port()), await Device.connect(e.port())];
  slow.send('slow\nafter\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  quick.send('quick\n');
  await quick.until((text) => text.includes('ack quick'));
  t.notMatch(slow.text, /slow/, 'the quick one did not wait for the slow one');
  t.equal(await slow.until((text) => text.includes('ack after')), 'in\nslow\nack slow\nafter\nack after\n');
  await e.stop();
});

t.test('an error in a script costs the message, not the client, and is not acknowledged', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_message(m, conn)
      if m.text == "boom" then error("boom") end
      if m.text == "late" then mix.sleep(0.01) error({}) end
    end`);
  const d = await Device.connect(e.port());
  d.send('boom\nlate\nbad\nraise\nfine\n');
  t.equal(await d.until((text) => text.includes('ack fine')), 'ack fine\n');
  const { counters } = e.engine.servers[0]!.station;
  t.match(counters, { scriptErrors: 3, decodeErrors: 1, frames: 5, budgetExceeded: 0 });
  t.match(
    e.log.find((line) => /boom/.test(line.message)),
    {
      level: 'error',
      message: /on_message: .*main\.lua:\d+: boom/,
      traceback: /in function/,
      client: '1',
      at: 's',
    },
  );
  t.match(
    e.log.find((line) => /a bad line/.test(line.message)),
    { level: 'warn', hex: '626164' },
  );
  await e.stop();
});

t.test('a runaway loses its client, and the others go on', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_message(m) if m.text == "loop" then while true do end end end
    function on_close(id, err) mix.log(mix.INFO, "closed " .. id .. ": " .. err) end`);
  const [bad, good] = [await Device.connect(e.port()), await Device.connect(e.port())];
  bad.send('loop\nnever\n');
  good.send('fine\n');
  await good.until((text) => text === 'ack fine\n');
  await until(() => bad.closed);
  t.equal(bad.text, '');
  await until(() => e.log.some((line) => /closed 1: .*budget exceeded/.test(line.message)));
  t.equal(e.engine.servers[0]!.station.counters.budgetExceeded, 1);
  t.equal(e.engine.clients.size, 1);
  await e.stop();
});

t.test('what a device sent before it left is handled before on_close', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_message(m) mix.sleep(0.01) mix.report("d", { text = m.text }) end
    function on_close(id, err) mix.report("d", { closed = true }) end`);
  const d = await Device.connect(e.port());
  d.socket.end('1\n2\n3\nincomplete');
  await until(
    () => e.reports.length === 4,
    () => JSON.stringify(e.reports),
  );
  t.same(
    e.reports.map(({ values }) => values),
    [{ text: '1' }, { text: '2' }, { text: '3' }, { closed: true }],
  );
  t.match(e.engine.servers[0]!.station.counters.discarded, { timeout: 10 }, 'the rest is counted');
  await until(() => e.engine.clients.size === 0);
  await e.stop();
});

t.test('reply_first acknowledges before the handler runs', async (t) => {
  const e = await startWithScript(`${LINES}
    protocol.reply_first = true
    function on_message(m, conn) mix.sleep(0.01) conn:send("handled\\n") end`);
  const d = await Device.connect(e.port());
  d.send('x\n');
  t.equal(await d.until((text) => text.includes('handled')), 'ack x\nhandled\n');
  await e.stop();
});

t.test('a script of CONNMIX runs as it is', async (t) => {
  const e = await startTestEngine(
    {
      'main.lua': `
        require("utils.pretty")
        function init() mix.log(mix.INFO, "option " .. mix.server.option("greeting") .. " " .. tostring(mix.server.option("no"))) end
        function on_connect(client_id) local conn, err = mix.socket.tcp() conn:set_context_value("n", 0) end
        function protocol_input(buf)
          local head = buf:read(1)
          local len = string.byte(head)
          if len == 255 then return -1 end
          local body, err = buf:read(len)
          if body == nil then return 0 end
          return buf:position()
        end
        function protocol_decode(str) if #str == 1 then return nil end return { body = string.sub(str, 2), size = table.getn({1, 2}) } end
        function protocol_encode(data) if type(data) == "table" then data = data.body end return string.char(#data) .. data end
        function on_message(msg)
          local conn = mix.socket.tcp()
          conn:set_context_value("n", conn:context_value("n") + 1)
          conn:send({ body = msg.body .. conn:context_value("n") })
        end`,
      'utils/pretty.lua': 'return true',
    },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, options: [{ name: greeting, value: hi }] }]',
  );
  const d = await Device.connect(e.port());
  d.send('\x03abc\x00\x02d');
  await d.until((text) => text === '\x04abc1');
  d.send('e\x01f');
  await d.until((text) => text === '\x04abc1\x03de2\x02f3');
  d.send(Buffer.from([255]));
  await until(() => d.closed);
  t.match(e.log, [{ message: 'option hi nil', script: /main\.lua:3/ }]);
  await e.stop();
});

t.test('a context value can be waited for, and a closed client ends the wait', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_message(m, conn)
      if m.text == "wait" then
        conn:send("waiting\\n")
        local user, err = conn:wait_context_value("user")
        mix.report("d", { user = user, err = err, all = conn:context() })
      end
    end`);
  const [one, two] = [await Device.connect(e.port()), await Device.connect(e.port())];
  one.send('wait\n');
  two.send('wait\n');
  await one.until((text) => text.includes('waiting'));
  await two.until((text) => text.includes('waiting'));
  e.engine.client(1)!.context.set('user', 'ann');
  two.socket.destroy();
  await until(() => e.reports.length === 2);
  t.same(
    e.reports.map(({ values }) => values),
    [
      { user: 'ann', all: { user: 'ann' } },
      { err: 'closed: the client is closed', all: [] },
    ],
  );
  await e.stop();
});

t.test('the newest attach of a device wins, and ends with its client', async (t) => {
  const e = await startWithScript(`${LINES}
    function on_message(m, conn)
      local ok, err = conn:attach(m.text)
      conn:send(tostring(ok or err) .. " " .. tostring(conn:device_id()) .. "\\n")
    end`);
  const [one, two] = [await Device.connect(e.port()), await Device.connect(e.port())];
  one.send('meter\nsecond\n');
  await one.until((text) => text.includes('ack second'));
  t.match(one.text, /^true meter\nack meter\ntrue meter\n/);
  t.equal(e.engine.devices.get('meter')?.id, 1);
  two.send('meter\n');
  await two.until((text) => text.includes('ack'));
  t.equal(e.engine.devices.get('meter')?.id, 2);
  one.socket.destroy();
  await until(() => e.engine.clients.size === 1);
  t.same([...e.engine.devices.keys()], ['meter']);
  two.send(`${'x'.repeat(257)}\n`);
  await two.until((text) => /invalid_argument: a device id has 1 to 256 bytes/.test(text));
  await e.stop();
});

t.test('timers run, skip while busy, stop when cancelled, and survive errors', async (t) => {
  const e = await startWithScript(`${LINES}
    local ticks, timer = 0, nil
    function init()
      timer = mix.every(0.01, function()
        ticks = ticks + 1
        mix.sleep(0.03)
        if ticks == 1 then error("first tick fails") end
        if ticks == 3 then timer:cancel() timer:cancel() mix.report("ticks", { n = ticks }) end
      end)
      mix.after(0.01, function() mix.report("after", { client = mix.socket.tcp() == nil }) end)
    end`);
  await until(() => e.reports.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.same(e.reports, [
    {
      deviceId: 'after',
      values: { client: true },
      durable: false,
      time: undefined,
      quality: undefined,
      topic: undefined,
    },
    {
      deviceId: 'ticks',
      values: { n: 3 },
      durable: false,
      time: undefined,
      quality: undefined,
      topic: undefined,
    },
  ]);
  t.match(
    e.log.filter((line) => line.level === 'error'),
    [{ message: /timer: .*first tick fails/ }],
  );
  await e.stop();
});

t.test('durable values, reports and misuse', async (t) => {
  const e = await startWithScript(`
    function init()
      assert(mix.store.get("a") == nil)
      assert(mix.store.set("a", { list = { 1, 2 }, text = "ä", raw = "\\255\\0" }))
      local v = mix.store.get("a")
      assert(v.list[2] == 2 and v.text == "ä" and v.raw == "\\255\\0")
      assert(mix.store.set("a", nil) and mix.store.get("a") == nil)
      local ok, err = mix.store.set("big", ("x"):rep(70000))
      assert(ok == nil and err:find("too_large", 1, true), err)
      mix.report("m", { v = 1.5 }, { time = 1700000000.25, quality = "good", topic = "t", durable = true })
      assert(mix.report("", {}) == nil)
      local loop = {} loop.me = loop
      for _, f in ipairs{
        function() mix.report("m", loop) end,
        function() mix.report("m", { f = print }) end,
        function() mix.report({}, {}) end,
        function() mix.report("m", {}, { time = "now" }) end,
        function() mix.every(-1, print) end,
        function() mix.every(1, 2) end,
        function() mix.sleep(1e12) end,
        function() mix.log("loud", "x") end,
      } do
        local ok, err = pcall(f)
        mix.log(mix.DEBUG, tostring(ok) .. " " .. tostring(err))
      end
    end`);
  t.match(e.reports, [
    { deviceId: 'm', values: { v: 1.5 }, time: 1700000000.25, quality: 'good', topic: 't', durable: true },
  ]);
  const messages = e.log.filter((line) => line.level === 'debug').map((line) => line.message);
  t.match(messages, [
    /contains itself/,
    /a function cannot be converted/,
    /bad argument #1 to 'mix\.report' \(string expected, got table\)/,
    /time must be a number/,
    /seconds must be from 0/,
    /bad argument #2 to 'mix\.every' \(function expected, got number\)/,
    /seconds must be from 0/,
    /the level is mix\.DEBUG/,
  ]);
  for (const message of messages) t.match(message, /main\.lua:\d+: /);
  await e.stop();
});

t.test('an entry that cannot run refuses to start, and says where', async (t) => {
  await t.rejects(startWithScript('x = = 1'), { message: /main\.lua:1: unexpected symbol/ });
  await t.rejects(startWithScript('error("at load")'), { message: /main\.lua:1: at load/ });
  await t.rejects(startWithScript('function init() error("in init") end'), {
    message: /main\.lua:1: in init/,
  });
  await t.rejects(startWithScript('function init() while true do end end'), { code: 'budget_exceeded' });
  await t.rejects(startWithScript('on_message = 5'), {
    message: /on_message must be a function, is a number/,
  });
  await t.rejects(startWithScript('protocol = { decode = 1 }'), { message: /decode must be a function/ });
  await t.rejects(startWithScript('protocol = { frame = {} }'), { message: /frame must be what mix\.frame/ });
  await t.rejects(startWithScript('mix.frame.length{ size = 9 }'), {
    message: /main\.lua:1: mix\.frame\.length: at is missing/,
  });
});
