import t from 'tap';
import type { Program } from '../../src/engine/program.js';
import { Device, startTestEngine, type TestEngine, until } from '../support/engine.js';

/** Lines of text; what they say makes the module do things. Line numbers matter below. */
const LINES = `local text = require "protocols.text"
local settings = { mark = "!" }
local function decode(frame, session)
  session.count = (session.count or 0) + 1
  if frame == "bad" then return nil, "a bad line" end
  if frame == "none" then return nil end
  if frame == "raise" then error("decode raised") end
  if frame == "index" then return settings.none.field end
  if frame == "loop" then while true do pcall(function() while true do end end) end end
  if frame == "many" then return { { text = "a" }, { text = "b" }, { text = "c" } } end
  if frame == "function" then return { text = print } end
  if frame == "log" then mix.log(mix.WARN, "seen \\195\\164") print("printed", 1) end
  return { text = text(frame), count = session.count, mark = settings.mark }
end
return {
  name = "lines",
  frame = mix.frame.delimiter{ ends = "\\n" },
  settings = settings,
  decode = decode,
  encode = function(message, session)
    if message.loop then while true do end end
    if message.raise then error("encode raised") end
    if not message.text then return nil, "no text" end
    return session.count .. ":" .. message.text .. message.mark .. "\\n"
  end,
  reply = function(message, session)
    if message.text == "noreply" then error({ code = 1 }) end
    return "ack " .. (message.text or #message) .. " " .. session.count .. "\\n"
  end,
}`;
const TEXT = 'return function(s) return s end';

const SERVER = 'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]';

function start(entry: string, compile = 'auto', modules: Record<string, string> = {}): Promise<TestEngine> {
  const files = {
    'protocols/lines.lua': LINES,
    'protocols/text.lua': TEXT,
    'main.lua': entry,
    ...modules,
  };
  return startTestEngine(files, SERVER, `, compile: ${compile}`);
}

const program = (e: TestEngine): Program => e.engine.servers[0]!.station.program;
const isCompiled = (e: TestEngine): boolean => program(e).protocol.compiled;
const ENTRY = 'protocol = require "protocols.lines"\n';

for (const compile of ['auto', 'off']) {
  t.test(`compile: ${compile}: frames are decoded, handled, answered and acknowledged alike`, async (t) => {
    const e = await start(
      `${ENTRY}function on_message(m, conn)
         if m.text == "wait" then mix.sleep(0.01) end
         m.mark = m.mark or "?"
         local ok, err = pcall(conn.send, conn, m)
         if not ok then conn:send("err " .. err .. "\\n") end
       end`,
      compile,
    );
    t.equal(isCompiled(e), compile === 'auto');
    const d = await Device.connect(e.port());
    d.send('x\nwait\nmany\nnone\nnoreply\ny\n');
    t.equal(
      await d.until((text) => text.endsWith('ack y 6\n')),
      '1:x!\nack x 1\n2:wait!\nack wait 2\n3:a?\n3:b?\n3:c?\nack 3 3\n5:noreply!\n6:y!\nack y 6\n',
    );
    t.match(e.engine.servers[0]!.station.counters, { scriptErrors: 1, frames: 6, messages: 7 });
    await e.stop();
  });

  t.test(`compile: ${compile}: errors cost the message, and say where they were made`, async (t) => {
    const e = await start(
      `${ENTRY}function on_message(m, conn)
         if m.text == "refused" then local err = conn:send{} conn:send("refused: " .. err .. "\\n") end
         if m.text == "caught" then
           local ok, err = pcall(function() conn:send{ raise = true } end)
           conn:send("caught: " .. err .. "\\n")
         end
         if m.text == "inside" then conn:send{ raise = true } end
       end`,
      compile,
    );
    const d = await Device.connect(e.port());
    d.send('raise\nindex\nbad\nlog\nrefused\ncaught\ninside\nfine\n');
    const text = await d.until((text) => text.endsWith('ack fine 8\n'));
    const place = `${e.folder}/protocols/lines.lua`;
    t.match(text, 'ack log 4\nrefused: no text\nack refused 5\n');
    t.ok(text.includes(`caught: ${place}:22: encode raised\nack caught 6\nack fine 8\n`), text);
    t.match(e.engine.servers[0]!.station.counters, { scriptErrors: 3, decodeErrors: 1, budgetExceeded: 0 });
    const line = (what: RegExp) => e.log.find(({ message }) => what.test(message));
    t.match(line(/decode raised/), {
      level: 'error',
      message: `decode: ${place}:7: decode raised`,
      traceback: new RegExp(`stack traceback:\n(.*\n)*\t${place}:7: in `),
      client: '1',
      at: 's',
    });
    t.match(line(/attempt to index/), {
      message: `decode: ${place}:8: attempt to index a nil value (field 'none')`,
    });
    t.match(line(/on_message.*encode raised/), { message: `on_message: ${place}:22: encode raised` });
    t.match(line(/^seen ä$/), { level: 'warn', script: `${place}:12`, at: 's' });
    t.match(line(/^printed\t1$/), { level: 'info', script: `${place}:12` });
    await e.stop();
  });

  t.test(
    `compile: ${compile}: a runaway loses its client, whoever calls it, and the others go on`,
    async (t) => {
      const e = await start(
        `${ENTRY}function on_message(m, conn)
         if m.text == "send" then while true do pcall(conn.send, conn, { loop = true }) end end
       end`,
        compile,
      );
      const [bad, worse, good] = await Promise.all([0, 1, 2].map(() => Device.connect(e.port())));
      bad!.send('loop\nnever\n');
      worse!.send('send\nnever\n');
      good!.send('fine\n');
      await good!.until((text) => text === 'ack fine 1\n');
      await until(() => bad!.closed && worse!.closed);
      t.equal(bad!.text + worse!.text, '');
      t.equal(e.engine.servers[0]!.station.counters.budgetExceeded, 2);
      good!.send('still\n');
      await good!.until((text) => text.endsWith('ack still 2\n'));
      await e.stop();
    },
  );

  t.test(`compile: ${compile}: a module may frame by itself`, async (t) => {
    const module = `return {
      name = "counted",
      input = function(buf, session)
        session.asked = (session.asked or 0) + 1
        local first = buf:byte(1)
        if first == 0 then return -1 end
        if first == 255 then error("no frame") end
        return buf:length() >= first and first or 0
      end,
      decode = function(frame, session) return { data = frame, asked = session.asked } end,
    }`;
    const e = await start(
      `protocol = require "protocols.counted"
       function on_message(m, conn) conn:send(m.data) end`,
      compile,
      { 'protocols/counted.lua': module },
    );
    t.equal(isCompiled(e), compile === 'auto');
    const [d, ends, fails] = await Promise.all([0, 1, 2].map(() => Device.connect(e.port())));
    d!.send(Buffer.from([3, 0xff, 0, 2]));
    await d!.until((text) => text === '\x03\xff\0');
    d!.send(Buffer.from([0x80]));
    await d!.until((text) => text === '\x03\xff\0\x02\x80');
    ends!.send(Buffer.from([0]));
    fails!.send(Buffer.from([255]));
    await until(() => ends!.closed && fails!.closed);
    t.match(
      e.log.find(({ message }) => /no frame/.test(message)),
      { message: `protocol_input: ${e.folder}/protocols/counted.lua:7: no frame` },
    );
    await e.stop();
  });

  t.test(`compile: ${compile}: every value reaches the handler, and comes back, as it is`, async (t) => {
    const module = `return {
      name = "values",
      frame = mix.frame.delimiter{ ends = "\\n" },
      decode = function(frame)
        local shared = { 1, 2, nil, 4, [0] = "zero", [1.5] = "half", [true] = "yes", [-1] = {} }
        local m = { frame = frame, bytes = "\\0\\255\\n", list = { shared, shared }, empty = {}, no = false, n = 2^53 }
        m.self = m
        return m
      end,
      encode = function(m)
        local s = m.list[1]
        return table.concat({ m.bytes, #m.list, tostring(s == m.list[2]), tostring(m.self == m), s[0], s[1.5], s[true],
          tostring(s[4]), #s[-1], #m.empty, tostring(m.no), m.n, m.added }, " ") .. "\\n"
      end,
    }`;
    const e = await start(
      `protocol = require "protocols.values"
       function on_message(m, conn)
         assert(m.list[1] == m.list[2] and m.self == m and m.list[1][true] == "yes" and #m.bytes == 3)
         local list, self = m.list[1], m.self
         m.list[1], m.self = 5, false
         assert(m.list[2] == list and self.list == m.list)
         m.list[1], m.self = list, self
         m.added = "added"
         conn:send(m)
       end`,
      compile,
      { 'protocols/values.lua': module },
    );
    const d = await Device.connect(e.port());
    d.send('x\n');
    const wanted = '\0\xff\n 2 true true zero half yes 4 0 0 false 9007199254740992 added\n';
    t.equal(await d.until((text) => text.length >= wanted.length), wanted);
    await e.stop();
  });
}

t.test('a message with a function cannot pass, which costs the message', async (t) => {
  const e = await start(`${ENTRY}function on_message(m) end`);
  const d = await Device.connect(e.port());
  d.send('function\nfine\n');
  t.equal(await d.until((text) => text.includes('fine')), 'ack fine 2\n');
  t.match(
    e.log.find(({ message }) => /cannot pass/.test(message)),
    { level: 'error', message: /^decode: a function cannot pass .*script\.compile: off/ },
  );
  await e.stop();
});

t.test('what a script sets in a module, until init has run, counts for the compiled copy', async (t) => {
  const e = await start(`${ENTRY}
    protocol.settings.mark = "#"
    protocol.settings.more = true
    function init() protocol.settings.mark = "%" end
    function on_message(m, conn) conn:send(m) end`);
  t.ok(isCompiled(e));
  const d = await Device.connect(e.port());
  d.send('x\n');
  await d.until((text) => text === '1:x%\nack x 1\n');
  await e.stop();
});

t.test('a script calls the module itself: its own copy', async (t) => {
  const e = await start(`local lines = require "protocols.lines"
    protocol = lines
    function on_message(m, conn)
      local own = lines.decode("own", { count = 41 })
      conn:send("own " .. own.count .. "\\n")
    end`);
  t.ok(isCompiled(e));
  const d = await Device.connect(e.port());
  d.send('x\n');
  await d.until((text) => text === 'own 42\nack x 1\n');
  await e.stop();
});

t.test('what cannot be compiled runs as before, and says why', async (t) => {
  const module = (body: string) => `${body}\nreturn { name = "m", decode = function(f) return f end }`;
  const [entry, file] = ['protocol = require "protocols.m"\n', 'protocols/m.lua'];
  const cases: [why: RegExp, entry: string, modules?: Record<string, string>][] = [
    [/m\.lua:2: 'coroutine' is not compiled$/, entry, { [file]: module('\nlocal c = coroutine') }],
    [
      /m\.lua:1: 'mix\.report' is not compiled$/,
      entry,
      { [file]: module('local r = function() mix.report() end') },
    ],
    [/m\.lua:1: 'mix' is used other than by its fields$/, entry, { [file]: module('local m = mix') }],
    [
      /m\.lua:1: the global 'helper' is not compiled$/,
      `helper = 1\n${entry}`,
      { [file]: module('local h = helper') },
    ],
    [/m\.lua:3: it sets the global 'found'$/, entry, { [file]: module('\n\nfunction found() end') }],
    [/m\.lua:1: it changes 'string'$/, entry, { [file]: module('function string.trim() end') }],
    [
      /inner\.lua:1: 'debug' is not compiled$/,
      entry,
      { [file]: module('local ok, inner = pcall(require, "inner")'), 'inner.lua': 'return debug' },
    ],
    [
      /^it is not a module as require returned it$/,
      'protocol = { name = "m", decode = function(f) return f end }',
    ],
    [/^the script has changed 'protocols\.lines\.decode'$/, `${ENTRY}function protocol.decode() end`],
    [/^the script has changed 'protocols\.lines\.reply'$/, `${ENTRY}protocol.reply = nil`],
    [/^the script has changed 'protocols\.lines'$/, `${ENTRY}setmetatable(protocol, {})`],
    [/^the script has changed 'mix\.crc'$/, `mix.crc = function() end\n${ENTRY}`],
    [
      /^the script has changed 'protocols\.lines\.decode'$/,
      `${ENTRY}function init() protocol.decode = nil end`,
    ],
  ];
  for (const [why, script, modules] of cases) {
    const e = await start(script, 'auto', modules);
    t.notOk(isCompiled(e), why.source);
    t.match(program(e).notCompiled, why);
    t.match(
      e.log.find(({ message }) => /is not compiled/.test(message)),
      { level: 'debug', reason: why, at: 's' },
    );
    await e.stop();
  }
});
