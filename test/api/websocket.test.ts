import t from 'tap';
import type { ApiHost } from '../../src/api/host.js';
import { Failure } from '../../src/errors.js';
import { startEngineWithApi, startTestApi } from '../support/api.js';
import { Device, until } from '../support/engine.js';
import { WebClient } from '../support/websocket.js';

const LINES = `
function on_connect(id, conn) conn:send(id .. "\\n") end
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function protocol_encode(data) return tostring(data) .. "\\n" end
function on_message(line, conn)
  local topic, text = line:match("^push (%S+) (.*)$")
  if topic then
    local n, err = mix.queue.push(topic, { text = text })
    conn:send((n or err) .. "\\n")
  elseif line == "bytes" then mix.queue.push("work", { raw = "\\255\\0" })
  elseif line == "login" then
    mix.queue.push("login", { name = "ann" })
    conn:send("user " .. conn:wait_context_value("user") .. "\\n")
  else conn:send("echo " .. line .. "\\n") end
end
`;

async function join(port: number): Promise<Device & { id: string }> {
  const device = await Device.connect(port);
  await until(() => device.text.includes('\n'));
  return Object.assign(device, { id: device.text.trim() });
}

t.test('calls and replies, byte for byte', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  ws.send('ping');
  t.equal(await ws.message(1), 'pong');
  let n = 1;
  const ask = async (text: string) => {
    ws.send(text);
    return (await ws.message(++n)) as string;
  };
  const c = device.id;
  t.equal(
    await ask(`{"m":"mesh.send","p":{"c":"${c}","d":"a","t":"text"},"i":7}`),
    '{"E":null,"r":{"s":true},"i":7}',
  );
  t.equal(
    await ask(`{"m":"mesh.send","p":{"c":${c},"d":"b"},"id":8}`),
    '{"E":null,"r":{"s":true},"id":8}',
    'the older name of the id',
  );
  await device.until((text) => text.endsWith('a\nb\n'));
  t.equal(
    await ask(`{"m":"conn.call","p":{"c":"${c}","f":"subscribe","a":["room"]},"i":"x"}`),
    '{"E":null,"r":{"s":true},"i":"x"}',
  );
  t.equal(
    await ask('{"m":"mesh.publish","p":{"c":"room","d":"c"},"i":9}'),
    '{"E":null,"r":{"s":1,"f":0,"t":1},"i":9}',
  );
  t.equal(await ask('{"m":"queue.pop","p":{"t":["work"]},"i":1}'), '{"E":null,"r":{"s":true},"i":1}');
  t.match(await ask('{"m":"queue.pop","p":{"t":["work"]},"i":1}'), /^\{"E":\{"c":202,"m":"[^"]+"\},"i":1\}$/);
  device.send('push work one\n');
  t.equal(
    await ws.message(++n),
    `{"e":"queue.pop","p":{"n":0,"c":"${c}","t":"work","d":{"text":"one"}},"id":null}`,
  );
  device.send('bytes\n');
  t.match(await ws.message(++n), '"d":{"raw":"/wA="}');
  t.equal(await ask('{"m":"queue.unpop","p":{},"i":2}'), '{"E":null,"r":{"s":true},"i":2}');
  t.match(await ask('{"m":"queue.unpop","i":3}'), /^\{"E":\{"c":203,/);
  device.send('push work two\n');
  await device.until((text) => text.endsWith('1\n'));
  t.equal(ws.received.length, n, 'nothing comes after unpop');
  ws.ws.close();
});

t.test('each fault has its code, and the connection lives on', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  let n = 0;
  for (const [what, text, code, id] of [
    ['no JSON', '{', 101, null],
    ['nothing', '', 101, null],
    ['deep', '['.repeat(200), 101, null],
    ['a list', '[]', 101, null],
    ['null', 'null', 101, null],
    ['no method', '{"i":1}', 101, 1],
    ['a method that is a number', '{"m":5,"id":1}', 101, undefined],
    ['unknown method', '{"m":"mesh.destroy","i":1}', 101, 1],
    ['a method of every object', '{"m":"constructor","i":1}', 101, 1],
    ['__proto__', '{"m":"__proto__","i":1}', 101, 1],
    ['an id that is a map', '{"m":"queue.unpop","i":{}}', 101, null],
    ['an id that is too long', `{"m":"queue.unpop","i":"${'x'.repeat(257)}"}`, 101, null],
    ['parameters that are text', '{"m":"mesh.send","p":"x","i":1}', 101, 1],
    ['no parameters', '{"m":"mesh.send","i":1}', 101, 1],
    ['no such client', '{"m":"mesh.send","p":{"c":"9","d":"x"},"i":1}', 401, 1],
    ['no such client to call', '{"m":"conn.call","p":{"c":"9","f":"subscribe","a":["x"]},"i":1}', 301, 1],
    ['no such function', '{"m":"conn.call","p":{"c":"9","f":"close","a":[]},"i":1}', 101, 1],
    ['arguments that are no list', '{"m":"conn.call","p":{"c":"9","f":"subscribe","a":"x"},"i":1}', 101, 1],
    ['no topics', '{"m":"queue.pop","p":{"t":[]},"i":1}', 101, 1],
    ['topics that are no list', '{"m":"queue.pop","p":{"t":"x"},"i":1}', 101, 1],
    ['a topic without name', '{"m":"queue.pop","p":{"t":[""]},"i":1}', 101, 1],
    ['nothing to cancel', '{"m":"queue.unpop","p":{},"i":1}', 203, 1],
  ] as const) {
    ws.send(text);
    const answer = JSON.parse((await ws.message(++n)) as string);
    t.equal(answer.E.c, code, what);
    t.equal(answer.i, id, what);
    t.notOk('r' in answer, what);
  }
  ws.send(Buffer.from('{"m":"queue.unpop","i":1}'));
  t.match(await ws.message(++n), /"c":101/, 'a binary frame');
  ws.send('ping');
  t.equal(await ws.message(++n), 'pong');
  ws.ws.close();
});

t.test('a context function with wrong arguments is told', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  ws.send(`{"m":"conn.call","p":{"c":"${device.id}","f":"set_context_value","a":[5]},"i":1}`);
  t.match(await ws.message(1), /"c":301,"m":"invalid_argument/);
  ws.send(
    `{"m":"conn.call","p":{"c":"${device.id}","f":"set_context","a":[{"__proto__":{"x":1},"k":2}]},"i":1}`,
  );
  t.match(await ws.message(2), /"s":true/);
  t.equal(({} as { x?: number }).x, undefined);
  t.match((await api.request('GET', `/v1/clients/${device.id}`)).body.context, { k: 2 });
  ws.ws.close();
});

t.test('a worker as CONNMIX has it: finds the nodes, consumes, sets the context, answers', async (t) => {
  const api = await startEngineWithApi(LINES, {
    access: '{ users: [{ username: worker, password: secret, roles: [read, write] }] }',
  });
  t.teardown(api.stop);
  const headers = { authorization: `Basic ${Buffer.from('worker:secret').toString('base64')}` };
  const version = await api.request('GET', '/version', undefined, headers);
  t.ok(version.body.apis.includes('v1'));
  const { nodes } = (await api.request('GET', '/v1/nodes', undefined, headers)).body;
  t.equal(nodes.length, 1);
  const port = Number(nodes[0].api_server.split(':')[1]);
  const worker = await WebClient.connect(port, '/ws/v1', [], { headers });
  worker.ws.on('message', (data: Buffer) => {
    const { e, p } = JSON.parse(data.toString());
    if (e !== 'queue.pop') return;
    const call = (m: string, params: object, i: number) =>
      worker.send(JSON.stringify({ m, p: { c: p.c, ...params }, i }));
    call('mesh.send', { d: `hello ${p.d.name}` }, 2);
    call('conn.call', { f: 'set_context_value', a: ['user', p.d.name] }, 3);
  });
  worker.send('{"m":"queue.pop","p":{"t":["login","other"]},"i":1}');
  await worker.message(1);
  const device = await join(api.test.port());
  device.send('login\n');
  await device.until((text) => text.endsWith('hello ann\nuser ann\n'));
  worker.ws.close();
});

t.test('consumers share a topic; what one has not consumed waits for the next', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());
  for (let i = 0; i < 10; i++) device.send(`push work ${i}\n`);
  await device.until((text) => text.endsWith('10\n'));
  const [a, b] = [
    await WebClient.connect(api.api.port, '/ws/v1'),
    await WebClient.connect(api.api.port, '/ws/v1'),
  ];
  a.send('{"m":"queue.pop","p":{"t":["work"]},"i":1}');
  await a.message(11);
  t.match(a.received[0], '"i":1', 'the reply comes before what waits');
  b.send('{"m":"queue.pop","p":{"t":["work"]},"i":1}');
  await b.message(1);
  for (let i = 0; i < 10; i++) device.send(`push work ${i}\n`);
  await Promise.all([a.message(16), b.message(6)]);
  a.ws.close();
  b.ws.terminate();
  await until(() => api.api.counters.webSockets.closed === 2);
  device.send('push work later\n');
  await device.until((text) => text.endsWith('\n1\n'));
  const c = await WebClient.connect(api.api.port, '/ws/v1');
  c.send('{"m":"queue.pop","p":{"t":["work"]},"i":1}');
  t.match(await c.message(2), 'later');
  c.ws.close();
});

t.test('sends of one WebSocket reach a client in their order, thousands at once', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  const count = 5000;
  for (let i = 0; i < count; i++) ws.send(`{"m":"mesh.send","p":{"c":"${device.id}","d":"${i}"},"i":${i}}`);
  await ws.message(count);
  const expected = Array.from({ length: count }, (_, i) => String(i));
  await until(() => device.text.split('\n').length >= count + 2);
  t.same(device.text.trim().split('\n').slice(1), expected);
  t.ok(ws.received.every((text) => (text as string).startsWith('{"E":null')));
  ws.ws.close();
});

t.test('a slow target holds up no other, and too many requests under way are read no further', async (t) => {
  const test = await startEngineWithApi(LINES);
  t.teardown(test.stop);
  const waiting: (() => void)[] = [];
  const host: ApiHost = Object.assign(Object.create(test.host), {
    send: (id: number) =>
      id === 2
        ? Promise.resolve(undefined)
        : new Promise((resolve) => waiting.push(() => resolve(undefined))),
  });
  const api = await startTestApi(host);
  t.teardown(api.stop);
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  ws.send('{"m":"mesh.send","p":{"c":1,"d":"slow"},"i":"slow"}');
  ws.send('{"m":"mesh.send","p":{"c":2,"d":"fast"},"i":"fast"}');
  t.match(await ws.message(1), '"fast"');
  const count = 5000;
  const data = 'x'.repeat(1000);
  for (let i = 1; i < count; i++) ws.send(`{"m":"mesh.send","p":{"c":1,"d":"${data}"},"i":${i}}`);
  await until(() => waiting.length >= 1000);
  // What it has not read yet, the next connection has to pass.
  t.equal((await api.request('GET', '/healthz')).status, 200);
  t.ok(waiting.length < 1200, `${waiting.length} under way`);
  let answered = 0;
  await until(() => {
    for (const resolve of waiting.splice(0)) {
      resolve();
      answered++;
    }
    return answered === count;
  });
  await ws.message(count + 1);
  ws.ws.close();
});

t.test('a flood of small requests leaves every turn to others', async (t) => {
  const test = await startEngineWithApi(LINES);
  t.teardown(test.stop);
  let served = 0;
  const host: ApiHost = Object.assign(Object.create(test.host), {
    publish: async () => {
      served++;
      return { success: 0, fail: 0 };
    },
  });
  const api = await startTestApi(host);
  t.teardown(api.stop);
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  const count = 2000;
  for (let i = 0; i < count; i++) ws.send('{"m":"mesh.publish","p":{"c":"a","d":1}}');
  let most = 0;
  for (let before = 0; served < count; before = served) {
    await new Promise(setImmediate);
    most = Math.max(most, served - before);
  }
  t.ok(most <= 10, `${most} in one turn`);
  await ws.message(count);
});

t.test('a consumer that reads nothing is passed over, and its messages stay', async (t) => {
  const api = await startEngineWithApi(LINES, { apiServer: '{ port: 0, writeTimeout: 1s }' });
  t.teardown(api.stop);
  const { queues } = api.test.engine;
  const slow = await WebClient.connect(api.api.port, '/ws/v1');
  slow.send('{"m":"queue.pop","p":{"t":["big"]},"i":1}');
  await slow.message(1);
  slow.ws.pause();
  const data = 'x'.repeat(100_000);
  // More than the socket's buffers of both ends take.
  for (let i = 0; i < 1000 && [...queues.depths()].length === 0; i++) {
    queues.push({ topic: 'big', client: undefined, data });
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.match([...queues.depths()], [['big', 1]]);
  const other = await WebClient.connect(api.api.port, '/ws/v1');
  other.send('{"m":"queue.pop","p":{"t":["big"]},"i":1}');
  t.match(await other.message(2), /^\{"e":"queue.pop","p":\{"n":0,"c":null/, 'another consumer gets it');
  await until(() => api.api.counters.webSockets.closedSlow === 1);
  slow.ws.terminate();
  other.ws.close();
});

t.test('a slow consumer is given more once it reads again', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const { queues } = api.test.engine;
  const slow = await WebClient.connect(api.api.port, '/ws/v1');
  slow.send('{"m":"queue.pop","p":{"t":["big"]},"i":1}');
  await slow.message(1);
  slow.ws.pause();
  const data = 'x'.repeat(100_000);
  let pushed = 0;
  while ([...queues.depths()].length === 0 && pushed < 1000) {
    queues.push({ topic: 'big', client: undefined, data });
    pushed++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  slow.ws.resume();
  await slow.message(1 + pushed);
  t.same([...queues.depths()], []);
  slow.ws.close();
});

t.test('a WebSocket that sends requests and reads no reply is closed, bounded', async (t) => {
  const test = await startEngineWithApi(LINES);
  t.teardown(test.stop);
  // Long replies: the system alone keeps tens of megabytes for a peer that does not read.
  const text = `internal: ${'x'.repeat(64 * 1024)}`;
  const host: ApiHost = Object.assign(Object.create(test.host), { send: async () => new Failure(text) });
  const api = await startTestApi(host, {
    apiServer: '{ port: 0, limits: { sendBufferBytes: 256KiB } }',
  });
  t.teardown(api.stop);
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  ws.ws.pause();
  for (let sent = 0; api.api.counters.webSockets.closedSlow === 0 && sent < 20_000; sent++) {
    ws.send('{"m":"mesh.send","p":{"c":1,"d":"x"}}');
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(api.api.counters.webSockets.closedSlow, 1);
  ws.ws.terminate();
});

t.test('silent peers are pinged, and closed when they do not answer', async (t) => {
  const api = await startEngineWithApi(LINES, { apiServer: '{ port: 0, readTimeout: 1s }' });
  t.teardown(api.stop);
  const live = await WebClient.connect(api.api.port, '/ws/v1');
  const dead = await WebClient.connect(api.api.port, '/ws/v1', [], { autoPong: false });
  await until(() => dead.closed !== undefined);
  t.equal(api.api.counters.webSockets.closedIdle, 1);
  t.equal(live.closed, undefined);
  live.ws.close();
});

t.test('other paths, other origins, and messages that are too large', async (t) => {
  const api = await startEngineWithApi(LINES, {
    apiServer: '{ port: 0, cors: [https://good.example], limits: { bodyBytes: 2KiB } }',
  });
  t.teardown(api.stop);
  await t.rejects(WebClient.connect(api.api.port, '/ws/v2'), /404/);
  await t.rejects(WebClient.connect(api.api.port, '/ws/v1', [], { origin: 'https://evil.example' }), /403/);
  await t.rejects(
    WebClient.connect(api.api.port, '/ws/v1', [], { headers: { host: 'evil.example' } }),
    /403/,
  );
  const good = await WebClient.connect(api.api.port, '/ws/v1', [], { origin: 'https://good.example' });
  good.send('x'.repeat(3000));
  t.equal((await good.end())[0], 1009);
});

t.test('the end of the process says good-bye', async (t) => {
  const api = await startEngineWithApi(LINES);
  const ws = await WebClient.connect(api.api.port, '/ws/v1');
  await api.stop();
  t.equal((await ws.end())[0], 1001);
});
