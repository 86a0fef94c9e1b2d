import t from 'tap';
import { Failure } from '../../src/errors.js';
import { Device, startTestEngine, startWithScript, until } from '../support/engine.js';

const CHAT = `
function on_connect(id, conn)
  conn:subscribe("all")
  conn:send(id .. "\\n")
end
function protocol_input(buf) local s = buf:tostring() local at = s:find("\\n", 1, true) return at or 0 end
function protocol_decode(line) return line:sub(1, -2) end
encodes = 0
function protocol_encode(data, conn)
  encodes = encodes + 1
  if type(data) == "table" then data = data.text end
  return encodes .. ":" .. tostring(data) .. "\\n"
end
function on_message(line, conn)
  local verb, rest = line:match("^(%a+) ?(.*)$")
  if verb == "sub" then conn:send((conn:subscribe(rest) or "ok") .. "\\n")
  elseif verb == "unsub" then conn:unsubscribe(rest) conn:send("ok\\n")
  elseif verb == "pub" then
    local channel, text = rest:match("^(%S+) (.*)$")
    local s, f = mix.mesh.publish(channel, text)
    conn:send(s .. "/" .. f .. "\\n")
  elseif verb == "to" then
    local id, text = rest:match("^(%S+) (.*)$")
    conn:send((mix.mesh.send(id, { text = text }) or "sent") .. "\\n")
  elseif verb == "push" then
    local n, err = mix.queue.push(rest, { line = line })
    conn:send((n or err) .. "\\n")
  elseif verb == "wait" then
    conn:send(conn:wait_context_value(rest) .. "\\n")
  end
end
`;

async function join(port: number): Promise<Device & { id: string }> {
  const device = await Device.connect(port);
  await until(() => device.text.includes('\n'));
  return Object.assign(device, { id: device.text.trim() });
}

t.test('publish reaches all subscribers with one encoding, and counts', async (t) => {
  const test = await startWithScript(CHAT);
  t.teardown(test.stop);
  const [a, b, c] = [await join(test.port()), await join(test.port()), await join(test.port())];
  a.send('pub all hello\n');
  await until(() => a.text.includes('3/0'));
  for (const device of [a, b, c]) t.match(device.text, /^\d+\n1:hello\n/, 'encoded once');

  b.send('sub room:1\n');
  await until(() => b.text.endsWith('ok\n'));
  a.send('pub room:1 psst\n');
  await until(() => a.text.includes('1/0'));
  t.match(b.text, /2:psst\n$/);
  t.notMatch(c.text, 'psst');

  b.send('unsub room:1\n');
  await until(() => b.text.endsWith('ok\n'));
  a.send('pub room:1 gone\n');
  await until(() => a.text.includes('0/0'));
  t.same([...test.engine.channels.counts()], [['all', 3]]);
  c.socket.destroy();
  await until(() => test.engine.clients.size === 2);
  t.same([...test.engine.channels.counts()], [['all', 2]], 'a client that left is no subscriber');
});

t.test('mesh.send: encoded by the protocol of the target; ids that are not there', async (t) => {
  const test = await startWithScript(CHAT);
  t.teardown(test.stop);
  const [a, b] = [await join(test.port()), await join(test.port())];
  a.send(`to ${b.id} hi\n`);
  await until(() => a.text.endsWith('sent\n'));
  t.match(b.text, /1:hi\n$/);
  a.send(`to ${a.id} self\n`);
  await until(() => (a.text.match(/sent/g) ?? []).length === 2);
  t.match(a.text, '2:self\n', 'its own client, from within its own handler');
  a.send('to 999 x\n');
  await until(() => a.text.includes('not_connected'));
  a.send('to 12x x\n');
  await until(() => a.text.includes('invalid_argument'));
});

t.test('other nodes are asked for ids that are not ours, and publish adds up', async (t) => {
  const asked: unknown[] = [];
  const test = await startTestEngine(
    { 'main.lua': CHAT },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]',
    '',
    {
      isOwn: (id) => id < 100,
    },
  );
  test.engine.mesh.others = {
    send: async (id, message) => {
      asked.push([id, message]);
      return id === 500 ? undefined : new Failure('timeout: no answer');
    },
    publish: async (channel) => {
      asked.push(channel);
      return { success: 4, fail: 2 };
    },
    call: async () => undefined,
  };
  t.teardown(test.stop);
  const a = await join(test.port());
  a.send('to 500 far\n');
  await until(() => a.text.endsWith('sent\n'));
  a.send('to 501 far\n');
  await until(() => a.text.includes('timeout: no answer'));
  a.send('pub all x\n');
  await until(() => a.text.includes('5/2'));
  t.same(asked, [
    [500, { data: { text: 'far' }, type: undefined }],
    [501, { data: { text: 'far' }, type: undefined }],
    'all',
  ]);
});

t.test('a client that takes nothing counts as fail and does not stop others', async (t) => {
  const test = await startWithScript(CHAT, '{ sendBufferBytes: 100KiB }');
  t.teardown(test.stop);
  const [a, slow] = [await join(test.port()), await join(test.port())];
  slow.socket.pause();
  // It reads, and keeps nothing of the megabytes that fill the slow one's buffers.
  a.socket.removeAllListeners('data').resume();
  const slowClient = test.engine.client(Number(slow.id))!;
  const big = 'x'.repeat(90_000);
  let failed = 0;
  for (let i = 0; i < 20_000 && failed === 0; i++) {
    const { fail } = await test.engine.mesh.publish('all', { data: big });
    failed += fail;
    // Only the slow one may fall behind: the other gets the time to read.
    await until(() => test.engine.client(Number(a.id))!.connection.pendingBytes === 0);
  }
  t.equal(failed, 1);
  t.ok(slowClient.station.counters.sendsRefused > 0);
});

t.test('calls on a client release what waits for them', async (t) => {
  const test = await startWithScript(CHAT);
  t.teardown(test.stop);
  const a = await join(test.port());
  const id = Number(a.id);
  a.send('wait user\n');
  await until(() => test.engine.client(id)!.messages === 1);
  t.equal(await test.engine.mesh.call(id, 'set_context_value', ['user', 'ann']), undefined);
  await until(() => a.text.includes('ann\n'));
  t.equal(await test.engine.mesh.call(id, 'subscribe', ['x', 'y']), undefined);
  t.same([...test.engine.client(id)!.channels!], ['all', 'x', 'y']);
  t.equal(await test.engine.mesh.call(id, 'unsubscribe', ['x']), undefined);
  t.same([...test.engine.client(id)!.channels!], ['all', 'y']);
  t.equal(await test.engine.mesh.call(id, 'set_context', [{ k: 1 }]), undefined);
  t.same(Object.fromEntries(test.engine.client(id)!.context.values), { k: 1 });
  const refused = [
    await test.engine.mesh.call(id, 'subscribe', []),
    await test.engine.mesh.call(id, 'subscribe', ['']),
    await test.engine.mesh.call(id, 'subscribe', [7]),
    await test.engine.mesh.call(id, 'set_context', ['x']),
    await test.engine.mesh.call(id, 'set_context_value', [1, 2]),
    await test.engine.mesh.call(id + 50, 'subscribe', ['x']),
  ].map((failure) => failure?.code);
  t.same(refused, [...Array(5).fill('invalid_argument'), 'not_connected']);
});

t.test('queues: bounded, in order, consumers take turns', async (t) => {
  const test = await startTestEngine(
    { 'main.lua': CHAT },
    'luavm: { queue: { topicSize: 3, maxTopics: 2 } }\nservers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]',
  );
  t.teardown(test.stop);
  const a = await join(test.port());
  for (let i = 0; i < 4; i++) a.send('push jobs\n');
  await until(() => a.text.includes('queue_full'));
  t.match(a.text, /\n1\n2\n3\nqueue_full: topic jobs holds 3 messages\n$/);
  const { queues } = test.engine;
  const push = (topic: string, data: unknown) => queues.push({ topic, client: undefined, data });
  t.equal(push('b', 1), 1);
  t.match(push('c', 1), { code: 'queue_full' });

  const taken: unknown[][] = [[], []];
  const consumer = (n: number) => ({
    ready: true,
    take: (m: { data: unknown }) => void taken[n]!.push(m.data),
  });
  const [first, second] = [consumer(0), consumer(1)];
  const cancel = queues.consume(['jobs', 'late'], first);
  t.equal(taken[0]!.length, 3, 'what waited came at once');
  queues.consume(['late'], second);
  for (let i = 0; i < 6; i++) push('late', i);
  t.same(
    [taken[0]!.slice(3), taken[1]],
    [
      [0, 2, 4],
      [1, 3, 5],
    ],
  );
  second.ready = false;
  push('late', 6);
  t.same(taken[0]!.at(-1), 6, 'one that is not ready is passed over');
  cancel();
  push('late', 7);
  push('late', 8);
  t.same(
    [...queues.depths()].find(([topic]) => topic === 'late'),
    ['late', 2],
  );
  second.ready = true;
  queues.resume(['late']);
  t.same(taken[1]!.slice(3), [7, 8]);
  t.same(queues.counters, { pushed: 13, taken: 12, refused: 2 });
});

t.test('framing in Lua runs on behalf of its client', async (t) => {
  const test = await startWithScript(`
    function protocol_input(buf)
      local conn = mix.socket.tcp()
      mix.queue.push("seen", conn:client_id())
      return buf:length()
    end`);
  t.teardown(test.stop);
  const device = await Device.connect(test.port());
  t.teardown(() => device.socket.destroy());
  device.send('x');
  await until(() => test.engine.queues.counters.pushed === 1);
  const taken: unknown[] = [];
  test.engine.queues.consume(['seen'], { ready: true, take: (message) => taken.push(message) });
  t.same(taken, [{ topic: 'seen', client: 1, data: '1' }]);
});

t.test('a client can be watched, and its last frames are kept', async (t) => {
  const test = await startWithScript(CHAT);
  t.teardown(test.stop);
  const a = await join(test.port());
  const client = test.engine.client(Number(a.id))!;
  const events: { event: string }[] = [];
  const stop = client.watch((event) => events.push(event));
  a.send('pub none x\n');
  await until(() => a.text.includes('0/0'));
  stop();
  a.send('pub none y\n');
  await until(() => a.text.split('0/0').length === 3);
  t.same(
    events.map(({ event }) => event),
    ['in', 'message', 'out'],
  );
  t.match(events[1], { client: a.id, message: 'pub none x' });
  t.equal(client.tracers, undefined);
  const frames = client.station.frames.of(client.id);
  t.same(
    frames.map(({ direction, hex }) => [direction, Buffer.from(hex, 'hex').toString()]),
    [
      ['out', `${a.id}\n`],
      ['in', 'pub none x\n'],
      ['out', '0/0\n'],
      ['in', 'pub none y\n'],
      ['out', '0/0\n'],
    ],
  );
});
