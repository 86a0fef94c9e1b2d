import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Device, startTestEngine, type TestEngine, until } from '../../support/engine.js';

/** A script of lines that answers each with its version and a count that the session keeps. */
const lines = (version: number, more = '', decode = '') => `
protocol = {
  name = "lines",
  frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(frame, session)
    session.count = (session.count or 0) + 1
    ${decode}
    return { text = frame, count = session.count }
  end,
}
function on_message(m, conn)
  if m.text == "slow" then conn:wait_context_value("go") end
  conn:send("v${version} " .. m.text .. " " .. m.count .. "\\n")
end
${more}`;

/** One server that looks for no saved scripts by itself. */
const startWithScript = (text: string, limits = '{}', more = '') =>
  startTestEngine(
    { 'main.lua': text },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, limits: ${limits}, byteCodeExpires: 0 }]`,
    more,
  );

const station = (e: TestEngine) => e.engine.servers[0]!.station;

function save(e: TestEngine, text: string): void {
  writeFileSync(join(e.folder, 'main.lua'), text);
}

t.test('a saved script takes over: connection, session, partial frame and subscription stay', async (t) => {
  const e = await startWithScript(
    lines(1, 'function on_connect(id, conn) conn:subscribe("all") conn:set_context_value("who", "ann") end'),
  );
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  d.send('a\nhal');
  await d.until((text) => text === 'v1 a 1\n');
  save(e, lines(2, 'function on_connect() error("not called again") end'));
  const result = await station(e).reloads.reload();
  t.match(result, { station: 's', outcome: 'reloaded', changed: [{ file: /main\.lua/, from: /^\w{64}$/ }] });
  d.send('f\n');
  await d.until((text) => text === 'v1 a 1\nv2 half 2\n');
  await e.engine.mesh.publish('all', { data: 'news', type: undefined });
  await d.until((text) => text.endsWith('news'));
  t.equal(e.engine.clients.get(1)!.context.values.get('who'), 'ann');
  t.match(await station(e).reloads.reload(), { outcome: 'unchanged', changed: [] });
  t.match(
    e.log.find(({ message }) => message === 'new code took over'),
    { changed: [/main\.lua \w{12} -> \w{12}/] },
  );
});

t.test('a frame may be cut in two by a reload at every byte, whatever the framing becomes', async (t) => {
  const framings = [
    'frame = mix.frame.delimiter{ ends = "\\n" }',
    'frame = mix.frame.delimiter{ ends = "\\n", max = 99 }',
    'input = function(buf) return buf:find("\\n") or 0 end',
    'frame = mix.frame.bracket{ open = "a", close = "\\n" }',
  ];
  const script = (framing: string, version: number) => `
    protocol = { name = "p", ${framing}, decode = function(frame) return { text = frame:match("[^a\\n]*") and frame:gsub("[a\\n]", "") } end }
    function on_message(m, conn) conn:send("v${version} " .. m.text .. "\\n") end`;
  for (const first of framings) {
    for (const second of framings) {
      const e = await startWithScript(script(first, 1));
      const frame = 'abcde\n';
      const devices = await Promise.all([...frame].map(() => Device.connect(e.port())));
      await until(() => e.engine.clients.size === devices.length);
      for (const [i, d] of devices.entries()) d.send(`${frame}${frame.slice(0, i)}`);
      for (const d of devices) await d.until((text) => text === 'v1 bcde\n');
      save(e, script(second, 2));
      t.match(
        await station(e).reloads.reload({ force: true }),
        { outcome: 'reloaded' },
        `${first} ${second}`,
      );
      for (const [i, d] of devices.entries()) d.send(frame.slice(i));
      for (const d of devices) await d.until((text) => text === 'v1 bcde\nv2 bcde\n');
      await e.stop();
    }
  }
});

t.test('a message under way ends in the old code, before the next one of its client', async (t) => {
  const e = await startWithScript(lines(1));
  t.teardown(() => e.stop());
  const [slow, other] = [await Device.connect(e.port()), await Device.connect(e.port())];
  slow.send('slow\n');
  await until(() => station(e).counters.messages === 1);
  slow.send('b\nc\n');
  save(e, lines(2));
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  e.engine.clients.get(1)!.context.set('go', true);
  other.send('x\n');
  t.equal(await other.until((text) => text.includes('x')), 'v2 x 1\n');
  t.equal(await slow.until((text) => text.includes('c')), 'v1 slow 1\nv2 b 2\nv2 c 3\n');
});

t.test('on_unload hands over to on_reload, clients and all; what cannot be carried is told', async (t) => {
  const e = await startWithScript(
    lines(
      1,
      `local seen, conns = 0, {}
       function on_connect(id, conn) seen = seen + 1; conns[id] = conn end
       function on_unload() return { seen = seen, conns = conns, again = conns, fn = print, [7] = "\\255" } end`,
    ),
  );
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  await until(() => e.engine.clients.size === 1);
  save(
    e,
    lines(
      2,
      `function on_reload(old)
         mix.sleep(0.01)
         assert(old.conns == old.again and old[7] == "\\255")
         for id, conn in pairs(old.conns) do conn:send(id .. " " .. conn:client_id() .. " " .. old.seen .. " " .. tostring(old.fn)) end
       end`,
    ),
  );
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  t.equal(await d.until((text) => text.length > 6), '1 1 1 nil');
  t.match(
    e.log.find(({ lost }) => lost !== undefined),
    { level: 'warn', lost: ['on_unload.fn: a function'] },
  );
});

t.test('timers go on in their phase; those of a client stay with it', async (t) => {
  const script = (version: number, own: string) => `
    mix.every(0.5, function() mix.report("station", { v = ${version}, at = mix.monotonic() }) end)
    function on_connect(id, conn)
      ${own}
    end
    function on_message(data, conn) conn:send("v${version} " .. data) end`;
  const e = await startWithScript(script(1, 'mix.every(0.05, function() conn:send("tick") end)'));
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  const times = (v: number) =>
    e.reports
      .filter(({ values }) => (values as { v: number }).v === v)
      .map(({ values }) => (values as { at: number }).at);
  await until(() => times(1).length === 1 && d.text.includes('tick'));
  await new Promise((resolve) => setTimeout(resolve, 250));
  save(e, script(2, ''));
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  await until(() => times(2).length === 2);
  t.equal(times(1).length, 1);
  const [next] = times(2);
  t.ok(next! - times(1)[0]! < 0.74, `the next turn was ${next! - times(1)[0]!} s after the last`);
  const { length } = d.text;
  await d.until((text) => text.length > length + 8);
  t.notOk(d.closed);
  d.socket.end();
  await until(() => e.engine.clients.size === 0);
  await until(
    () => ![...station(e).reloads.programs()].some(({ timers }) => timers.list().some(({ owner }) => owner)),
  );
});

t.test('bad code is refused, and the service does not notice', async (t) => {
  const good = lines(1, '', 'if frame == "bad" then return nil, "bad" end');
  const e = await startWithScript(good, '{}', ', instructions: 200000');
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  let n = 0;
  const ask = async () => {
    d.send(`m${++n}\n`);
    await d.until((text) => text.endsWith(`v1 m${n} ${n}\n`));
  };
  for (let i = 0; i < 20; i++) await ask();
  const bad: [string, RegExp][] = [
    ['local broken =', /main\.lua:1: /],
    [lines(2, 'function init() error("no") end'), /main\.lua:\d+: no/],
    [lines(2, 'function init() while true do end end'), /budget exceeded/],
    [lines(2, 'require "protocols.of_nobody"'), /module 'protocols.of_nobody' not found/],
    [
      lines(2, '', 'if true then return nil, "not mine" end'),
      /decode refuses (\d+) of the last \1 frames: not mine/,
    ],
    [lines(2, '', 'error("oh")'), /decode fails on a frame that came: .*oh/],
    [lines(2, 'function on_reload() error("cannot") end'), /cannot/],
    [lines(2, 'on_message = 7'), /on_message must be a function/],
    [lines(2, 'mix.every(0.01, function() error("of refused code") end) error("late")'), /late/],
    [lines(2, 'protocol.frame = 1'), /frame must be what mix\.frame/],
  ];
  const { log } = e;
  for (let round = 0; round < 5; round++) {
    for (const [text, reason] of bad) {
      save(e, text);
      t.match(await station(e).reloads.reload(), { outcome: 'refused', reason });
    }
    await ask();
  }
  t.equal(station(e).counters.scriptErrors, 0);
  t.notMatch(log.map(({ message }) => message).join('\n'), /of refused code/);
  t.equal(log.filter(({ message }) => message.startsWith('the new code is refused')).length, 50);
  save(e, lines(2));
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  d.send('end\n');
  await d.until((text) => text.endsWith(`v2 end ${n + 1}\n`));
});

t.test('a burst of errors puts the old code in charge again, with what the new code has kept', async (t) => {
  const e = await startWithScript(
    lines(
      1,
      'local told function on_unload() return "v1" end function on_reload(old) mix.log(mix.INFO, "back: " .. old) end',
    ),
  );
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  d.send('a\nb\n');
  await d.until((text) => text.endsWith('b 2\n'));
  save(
    e,
    lines(2, 'function on_unload() return "from v2" end').replace(
      'conn:send(',
      'if m.text ~= "ok" then error("worse") end conn:send(',
    ),
  );
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  d.send('ok\n');
  await d.until((text) => text.endsWith('v2 ok 3\n'));
  d.send('x\ny\nz\n');
  await until(() => station(e).reloads.last?.outcome === 'switched_back');
  t.match(station(e).reloads.last, { reason: /failed/, changed: [{ file: /main\.lua/ }] });
  t.ok(e.log.some(({ message }) => message === 'back: from v2'));
  d.send('c\n');
  t.match(await d.until((text) => text.endsWith('c 7\n')), /v1 c 7\n$/);
  t.equal(station(e).reloads.onProbation, false);
});

t.test('without trouble the old code ends', async (t) => {
  const e = await startWithScript(lines(1), '{}', ', probation: 1s');
  t.teardown(() => e.stop());
  const d = await Device.connect(e.port());
  d.send('a\n');
  await d.until((text) => text === 'v1 a 1\n');
  save(e, lines(2));
  t.match(await station(e).reloads.reload(), { outcome: 'reloaded' });
  t.equal([...station(e).reloads.programs()].length, 1);
  await until(() => [...station(e).reloads.programs()].length === 0);
  d.send('b\n');
  await d.until((text) => text === 'v1 a 1\nv2 b 2\n');
});

t.test('saved files are found by themselves, those that were missing too', async (t) => {
  const e = await startWithScript(
    `${lines(1)} local ok, more = pcall(require, "more") function init() print(ok and more or "no more") end`,
  );
  t.teardown(() => e.stop());
  station(e).reloads.watch(0.05);
  writeFileSync(join(e.folder, 'more.lua'), 'return "more is there"');
  await until(() => e.log.some(({ message }) => message === 'more is there'));
  save(e, 'local broken =');
  await until(() => station(e).reloads.last?.outcome === 'refused');
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(e.log.filter(({ message }) => message.startsWith('the new code is refused')).length, 1);
  save(e, lines(3));
  await until(() => station(e).reloads.last?.outcome === 'reloaded');
});
