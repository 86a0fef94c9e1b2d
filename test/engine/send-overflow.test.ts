import { once } from 'node:events';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { Device, startTestEngine, startWithScript, until } from '../support/engine.js';
import { random } from '../support/random.js';

/** On "n\n" sends n more messages "<number> <letters>\n", of a length that the number gives. */
const COUNTER = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { n = tonumber(f) } end }
local sent = 0
function on_message(m, conn)
  for _ = 1, m.n do
    sent = sent + 1
    local err = conn:send(sent .. " " .. ("x"):rep(sent * 37 % 3000) .. "\\n")
    if err then mix.report("refused", { err = err }) return end
  end
end
function on_close(id, err) mix.report("closed", { err = err }) end
`;

/** The numbers of whole messages; fails at one that is not. */
function numbersIn(t: Test, lines: readonly string[]): number[] {
  return lines.map((line) => {
    const [number, letters = ''] = line.split(' ');
    const expected = (Number(number) * 37) % 3000;
    if (letters.length !== expected || /[^x]/.test(letters)) t.fail(`message ${number} is cut`);
    return Number(number);
  });
}

const rises = (numbers: readonly number[]) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]!);

t.test('close: who does not take what is sent is closed', async (t) => {
  const e = await startWithScript(COUNTER, '{ sendBufferBytes: 20KiB, sendOverflow: close }');
  const [slow, other] = [await Device.connect(e.port()), await Device.connect(e.port())];
  slow.send('1000\n');
  await until(() => slow.closed && e.reports.length === 2);
  t.match(e.reports[0], {
    values: { err: /^queue_full: \d+ bytes wait for this client already, so it is closed/ },
  });
  t.match(e.reports[1], { values: { err: 'does not take what it is sent' } });
  t.match(e.engine.servers[0]!.station.counters, { closedOverflow: 1, closedStalled: 0 });
  t.match(
    e.log.find((line) => /does not take/.test(line.message)),
    { level: 'warn', message: 'does not take what it is sent (limits.sendBufferBytes)' },
  );
  other.send('3\n');
  await other.until((text) => text.split('\n').length === 4);
  t.equal(e.engine.limits.pending.bytes, 0);
  await e.stop();
});

t.test('dropOldest: the newest messages arrive, whole and in order', async (t) => {
  const e = await startWithScript(COUNTER, '{ sendBufferBytes: 48KiB, sendOverflow: dropOldest }');
  const { station } = e.engine.servers[0]!;
  const d = await Device.connect(e.port());
  d.send('2000\n');
  await d.until((text) => text.includes('\n2000 ') && text.endsWith('\n'));
  const numbers = numbersIn(t, d.text.trimEnd().split('\n'));
  t.ok(rises(numbers), 'in order');
  t.equal(numbers[0], 1, 'what the socket has cannot be taken back');
  t.same([numbers.length + station.counters.sendsDropped, station.counters.sends], [2000, numbers.length]);
  t.ok(numbers.length < 200);
  t.equal(e.reports.length, 0, 'no send failed');
  t.ok(e.log.some((line) => /the oldest messages are dropped \(limits.sendBufferBytes\)/.test(line.message)));
  await e.stop();
});

t.test('dropOldest: a peer that stops reading and goes on finds whole messages', async (t) => {
  const { below } = random(t);
  const e = await startWithScript(COUNTER, '{ sendBufferBytes: 32KiB, sendOverflow: dropOldest }');
  const { station } = e.engine.servers[0]!;
  const d = await Device.connect(e.port());
  const { pending } = e.engine.limits;
  let asked = 0;
  let most = 0;
  d.socket.pause();
  while (station.counters.sendsDropped < 2000) {
    const n = 1 + below(8);
    asked += n;
    d.send(`${n}\n`);
    await until(() => station.counters.sends + station.counters.sendsDropped >= asked - 40);
    for (const client of station.clients) most = Math.max(most, client.pendingBytes);
    if (below(50) === 0) {
      d.socket.resume();
      await new Promise((resolve) => setTimeout(resolve, below(20)));
      d.socket.pause();
    }
  }
  t.ok(most > 0 && most <= 32 * 1024, `at most ${most} bytes waited`);
  t.ok(pending.bytes <= 32 * 1024);
  d.socket.resume();
  await d.until((text) => text.lastIndexOf(`\n${asked} `) > 0 && text.endsWith('\n'));
  const numbers = numbersIn(t, d.text.trimEnd().split('\n'));
  t.ok(rises(numbers), 'in order');
  t.equal(numbers.length + station.counters.sendsDropped, asked);
  await until(() => pending.bytes === 0);
  await e.stop();
});

t.test('dropOldest: what waits leaves before a client that the script closes', async (t) => {
  const e = await startWithScript(
    'function on_connect(id, conn) for i = 1, 20 do conn:send(i .. ("x"):rep(1000) .. "\\n") end conn:close() end',
    '{ sendBufferBytes: 48KiB, sendOverflow: dropOldest }',
  );
  const d = await Device.connect(e.port());
  await until(() => d.closed);
  t.equal(d.text.split('\n').length, 21);
  await until(() => e.engine.limits.pending.bytes === 0);
  await e.stop();
});

t.test('dropOldest: messages of a WebSocket', async (t) => {
  const e = await startTestEngine(
    {
      'main.lua': `function on_message(m, conn)
        for i = 1, tonumber(m.data) do conn:send(i .. " " .. ("x"):rep(i * 37 % 3000), "text") end end`,
    },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, protocol: websocket, entry: main.lua,
      limits: { sendBufferBytes: 32KiB, sendOverflow: dropOldest } }]`,
  );
  const ws = new WebSocket(`ws://127.0.0.1:${e.port()}/`);
  const messages: string[] = [];
  ws.on('message', (data) => messages.push(data.toString()));
  await once(ws, 'open');
  ws.send('1000');
  await until(() => messages.at(-1)?.startsWith('1000 ') === true);
  const numbers = numbersIn(t, messages);
  t.ok(rises(numbers));
  t.equal(numbers.length + e.engine.servers[0]!.station.counters.sendsDropped, 1000);
  ws.terminate();
  await e.stop();
});

t.test('what waits for all clients is bounded; those that read are still sent their share', async (t) => {
  const e = await startTestEngine(
    { 'main.lua': COUNTER },
    `limits: { pendingBytes: 64KiB }
servers:
  - { name: a, port: 0, bind: 127.0.0.1, entry: main.lua, limits: { sendBufferBytes: 1MiB } }
  - { name: b, port: 0, bind: 127.0.0.1, entry: main.lua, limits: { sendBufferBytes: 1MiB } }`,
  );
  const { pending } = e.engine.limits;
  const greedy = [await Device.connect(e.port(0)), await Device.connect(e.port(1))];
  const polite = await Device.connect(e.port(1));
  await until(() => e.engine.clients.size === 3);
  for (const device of greedy) device.socket.pause();
  let most = 0;
  // Until the system's own buffers are full.
  for (let answered = 0; pending.refused < 20 || pending.bytes < 40_000; answered = e.reports.length) {
    for (const device of greedy) device.send('1000\n');
    await until(() => e.reports.length >= answered + 2);
    most = Math.max(most, pending.bytes);
  }
  t.ok(most <= 128 * 1024, `at most ${most} bytes waited`);
  t.match(e.reports[0], {
    values: { err: /^overloaded: \d+ bytes wait for this client already, and too many/ },
  });
  for (let i = 1; i <= 20; i++) {
    polite.send('1\n');
    await polite.until((text) => text.split('\n').length === i + 1);
  }
  for (const device of [...greedy, polite]) device.socket.destroy();
  await until(() => e.engine.clients.size === 0);
  t.equal(pending.bytes, 0, 'nothing stays counted');
  await e.stop();
});
