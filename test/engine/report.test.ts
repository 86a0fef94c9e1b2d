import t, { type Test } from 'tap';
import type { EngineParts } from '../../src/engine/engine.js';
import { MoonwireError } from '../../src/errors.js';
import { openOutbox, TestTaker } from '../store/outbox-support.js';
import { Device, startTestEngine, until } from '../support/engine.js';

const SCRIPT = `
protocol = { frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(f) return { text = f } end,
  reply = function(m) return "ack " .. m.text .. "\\n" end }
function on_message(m, conn)
  local ok, err = mix.report("d", { text = m.text }, { durable = m.text:sub(1, 1) ~= "e" })
  if err then conn:send(err .. "\\n") end
end`;
const SERVER = 'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]';

/** An engine whose reports go to `report`, and a device that is connected. */
async function start(t: Test, report: EngineParts['report']) {
  const test = await startTestEngine({ 'main.lua': SCRIPT }, SERVER, '', { report });
  t.teardown(() => test.stop());
  return { test, device: await Device.connect(test.port()) };
}

t.test('a device is acknowledged after its durable reports are safe, and not before', async (t) => {
  const safe: (() => void)[] = [];
  const { device } = await start(t, () => new Promise<void>((resolve) => safe.push(resolve)));
  device.send('one\ntwo\n');
  await until(() => safe.length === 1);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  t.equal(device.text, '');
  safe.shift()!();
  await device.until((text) => text === 'ack one\n');
  await until(() => safe.length === 1);
  safe.shift()!();
  await device.until((text) => text === 'ack one\nack two\n');
});

t.test('a frame whose durable report is not safe is not acknowledged; later ones are', async (t) => {
  let problem: MoonwireError | undefined = new MoonwireError('overloaded', 'the disk refuses');
  const { device } = await start(t, ({ durable }) => {
    if (!durable) {
      if (problem) throw problem;
      return undefined;
    }
    return problem ? Promise.reject(problem) : Promise.resolve();
  });
  device.send('one\n');
  await device.until((text) => text === 'overloaded: the disk refuses\n');
  device.send('eco\n');
  await device.until((text) => text.endsWith('refuses\nack eco\n'));
  problem = undefined;
  device.send('two\n');
  await device.until((text) => text.endsWith('ack two\n'));
  t.notMatch(device.text, /ack one/);
});

t.test('what cannot be reported is refused in words, and nothing is lost', async (t) => {
  const outbox = await openOutbox(t.testdir());
  const taker = new TestTaker(outbox);
  outbox.connect(taker);
  const script = `
    local deep = {}
    local at = deep
    for i = 1, 20 do at.a = {} at = at.a end
    function init()
      local function try(id, values, options)
        local ok, err = mix.report(id, values, options)
        mix.log(mix.INFO, "result " .. tostring(ok) .. " " .. tostring(err))
      end
      try("", {})
      try("a\\nb", {})
      try("bad\\255", {})
      try("d", { p = 0/0 })
      try("d", { list = { 1, math.huge } })
      try("d", deep)
      try("d", ("x"):rep(100000))
      try("d", 1, { topic = ("x"):rep(300) })
      try("d", 1, { time = math.huge })
      try("Zähler", { bytes = "\\255\\0", n = 2^40 }, { topic = "t", quality = "good", durable = true })
    end`;
  const test = await startTestEngine({ 'main.lua': script }, SERVER, '', {
    report: (report) => outbox.report(report),
  });
  t.teardown(() => test.stop());
  await until(() => taker.records().length === 1);
  const results = test.log.filter(({ message }) => message.startsWith('result'));
  t.match(
    results.slice(0, 9).map(({ message }) => message),
    [
      /^result nil invalid_argument: the device id is empty/,
      /^result nil invalid_argument: the device id must be UTF-8 text/,
      /^result nil invalid_argument: the device id must be UTF-8 text/,
      /^result nil invalid_argument: values\.p is NaN/,
      /^result nil invalid_argument: values\.list\[2\] is Infinity/,
      /^result nil invalid_argument: values(\.a){8} is nested deeper/,
      /^result nil too_large/,
      /^result nil invalid_argument: the topic has at most 256/,
      /^result nil invalid_argument: the time is Infinity/,
    ],
  );
  const [, device, , , values, topic, quality] = taker.records()[0]!;
  t.same([device, topic, quality], ['Zähler', 't', 'good']);
  t.same(values, { bytes: Uint8Array.of(255, 0), n: 2 ** 40 });
  t.same(outbox.status().counters.refused, { invalid_argument: 7, too_large: 1 });
  await outbox.close();
});
