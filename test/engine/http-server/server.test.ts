import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { MoonwireError } from '../../../src/errors.js';
import { Device, startTestEngine, until } from '../../support/engine.js';
import { missing } from '../../support/need.js';

const run = promisify(execFile);
const curl = { skip: missing('curl', 'curl') };

async function start(t: Test, script: string, settings = '', parts = {}) {
  const test = await startTestEngine(
    { 'main.lua': script },
    `servers: [{ name: web, port: 0, bind: 127.0.0.1, protocol: http, entry: main.lua, ${settings} }]`,
    '',
    parts,
  );
  t.teardown(test.stop);
  const station = test.engine.servers[0]!.station;
  const url = `http://127.0.0.1:${test.port()}`;
  /** What curl gets: status, headers, and body of the last answer. */
  const ask = async (path: string, ...args: string[]) => {
    const { stdout } = await run('curl', ['-s', '-m', '20', '-D', '-', ...args, `${url}${path}`]);
    const [head = '', ...body] = stdout.split('\r\n\r\n').slice(-2);
    return { status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') };
  };
  return { ...test, station, ask };
}

const ANSWERS = `
function on_request(req, conn)
  local path = req.path
  if path == "/facts" then
    return { json = { method = req.method, query = req.query, raw = req.query_string, version = req.version,
      type = req.content_type, body = req.body, agent = req.headers["user-agent"], protocol = req.protocol } }
  end
  if path == "/text" then return "text" end
  if path == "/bytes" then return "\\255\\0" end
  if path == "/nothing" then return end
  if path == "/empty" then return {} end
  if path == "/created" then
    return { status = 201, body = "<a/>", content_type = "application/xml", headers = { ["Set-Cookie"] = { "a", "b" } } }
  end
  if path == "/grüße" then return "utf-8" end
  if path == "/denied" then return nil, "forbidden: not you" end
  if path == "/odd" then return nil, "anything" end
  if path == "/error" then error("boom") end
  if path == "/loop" then while true do end end
  if path == "/sleep" then mix.sleep(0.05) return "slept" end
  if path == "/status" then return { status = 99 } end
  if path == "/framing" then return { headers = { ["Content-Length"] = "5" } } end
  if path == "/header" then return { headers = { ["X-A"] = "a\\r\\nX-B: b" } } end
  if path == "/function" then return { body = print } end
  if path == "/large" then return ("x"):rep(50000) end
  if path == "/send" then
    local ok, err = conn:request("x")
    return { json = { sent = conn:send("x"), asked = err, joined = conn:subscribe("news") } }
  end
  if path == "/count" then
    conn:set_context_value("n", (conn:context_value("n") or 0) + 1)
    return tostring(conn:context_value("n"))
  end
  if path == "/close" then conn:close() return "bye" end
  return nil, "not_found: no " .. path
end
function on_connect() print("connect") end
function on_close() print("close") end`;

t.test('requests reach the script, its answers whoever asked', curl, async (t) => {
  const { ask, log, station } = await start(t, ANSWERS);
  const facts = await ask(
    '/facts?a=1&b=x%20y+&c',
    '-d',
    '{"t":1}',
    '-H',
    'Content-Type: application/json',
    '-A',
    'it',
  );
  t.match(facts.head, /^HTTP\/1\.1 200 OK[\s\S]*Content-Type: application\/json/);
  t.same(JSON.parse(facts.body), {
    method: 'POST',
    query: { a: '1', b: 'x y+', c: true },
    raw: 'a=1&b=x%20y+&c',
    version: '1.1',
    type: 'application/json',
    body: '{"t":1}',
    agent: 'it',
    protocol: 'http',
  });
  t.match(await ask('/text'), {
    status: 200,
    body: 'text',
    head: /Content-Type: text\/plain; charset=utf-8/,
  });
  t.match(await ask('/bytes'), { status: 200, head: /Content-Type: application\/octet-stream/ });
  t.match(await ask('/nothing'), { status: 204, body: '' });
  t.match(await ask('/empty'), { status: 204, body: '' });
  t.match(await ask('/created'), {
    status: 201,
    body: '<a/>',
    head: /Content-Type: application\/xml\r\nSet-Cookie: a\r\nSet-Cookie: b/,
  });
  t.match(await ask('/gr%C3%BC%C3%9Fe'), { status: 200, body: 'utf-8' });
  t.match(await ask('/sleep'), { status: 200, body: 'slept' });
  t.match(await ask('/denied'), { status: 403, body: 'forbidden: not you\n' });
  t.match(await ask('/odd'), { status: 500 });
  t.match(await ask('/else'), { status: 404, body: 'not_found: no /else\n' });
  t.match(await ask('/text', '-I'), { status: 200, body: /^\s*$/, head: /Content-Length: 4/ });
  t.match(await ask('/text', '-0'), { status: 200, body: 'text' });
  t.same(
    log.filter(({ message }) => message === 'connect' || message === 'close'),
    [],
    'a connection means nothing',
  );
  t.equal(station.counters.messages, 13);
});

t.test('what fails is answered', curl, async (t) => {
  const { ask, station, log } = await start(t, ANSWERS);
  t.match(await ask('/error'), { status: 500, body: 'internal: the script failed\n' });
  for (const path of ['/status', '/framing', '/header']) t.match(await ask(path), { status: 500 }, path);
  t.match(await ask('/function'), { status: 500 });
  t.match(await ask('/large'), { status: 500, body: 'internal: the answer is too large\n' });
  t.equal(station.counters.sendsRefused, 1);
  t.equal(station.counters.scriptErrors, 4);
  t.match(await ask('/loop'), { status: 500, head: /Connection: close/ });
  t.equal(station.counters.budgetExceeded, 1);
  t.ok(log.some(({ message }) => message.includes('main.lua') && message.includes('boom')));
  const sent = await ask('/send');
  t.match(JSON.parse(sent.body), {
    sent: /^invalid_argument/,
    asked: /^invalid_argument/,
    joined: /^closed/,
  });
  t.match(await ask('/x', '--data-binary', `@${process.execPath}`), { status: 413 });
});

t.test('a script that answers no requests', curl, async (t) => {
  const { ask } = await start(t, 'function on_message() end');
  t.match(await ask('/'), { status: 404, body: 'not_found: the script answers no requests\n' });
});

t.test('a durable report that is not safe is answered 503', curl, async (t) => {
  const script = `
function on_request(req)
  if req.method == "POST" then mix.report("d", { v = req.body }, { durable = true }) return "kept" end
end`;
  let kept = true;
  const report = () =>
    kept ? Promise.resolve() : Promise.reject(new MoonwireError('overloaded', 'disk full'));
  const { ask } = await start(t, script, '', { report });
  t.match(await ask('/', '-d', '1'), { status: 200, body: 'kept' });
  kept = false;
  t.match(await ask('/', '-d', '2'), { status: 503 });
});

t.test('a connection is a client: its context lasts, its requests come in turn', async (t) => {
  const { port, engine, station } = await start(t, ANSWERS);
  const device = await Device.connect(port());
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  device.send(get('/count') + get('/sleep') + get('/count') + get('/nothing') + get('/count'));
  await device.until((text) => text.endsWith('\r\n\r\n3'));
  t.same(
    device.text.match(/\r\n\r\n([^H]+)/g)?.map((body) => body.trim()),
    ['1', 'slept', '2', '3'],
  );
  t.equal(engine.clients.size, 1);
  const [client] = station.clients;
  t.match(await engine.mesh.send(client!.id, { data: 'x' }), { code: 'invalid_argument' });
  device.send(get('/close'));
  await until(() => device.closed);
  t.match(device.text, /Connection: close[\s\S]*bye$/);
  await until(() => engine.clients.size === 0);
});

t.test('limits: connections, silence, messages a second', async (t) => {
  const { port, engine, station } = await start(
    t,
    ANSWERS,
    'limits: { connections: 2, idleSeconds: 1, messagesPerSecond: 1, messageOverflow: drop }',
  );
  const ask = 'GET /text HTTP/1.1\r\nHost: a\r\n\r\n';
  const [one, two, three] = [
    await Device.connect(port()),
    await Device.connect(port()),
    await Device.connect(port()),
  ];
  await until(() => three!.closed);
  one!.send(ask);
  await one!.until((text) => text.endsWith('text'));
  await until(() => one!.closed);
  two!.send(ask + ask);
  await two!.until((text) => text.includes(' 429 '));
  t.equal(station.counters.messagesDropped, 1);
  t.equal(engine.servers[0]!.listener!.counters.refusedLimit, 1);
});

t.test('who leaves before the answer harms nobody', async (t) => {
  const { port, engine } = await start(t, ANSWERS);
  const device = await Device.connect(port());
  device.send('GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
  await until(() => engine.clients.size === 1);
  device.socket.resetAndDestroy();
  await until(() => engine.clients.size === 0);
  t.pass('its client is gone');
});

t.test('who takes nothing of an answer is closed', async (t) => {
  // More than the system's buffers hold.
  const script = 'local part = ("x"):rep(2 ^ 20)\nfunction on_request() return part end';
  const { port, station, engine } = await start(
    t,
    script,
    'limits: { sendBufferBytes: 16MiB, sendStallSeconds: 1 }',
  );
  const device = await Device.connect(port());
  device.socket.pause();
  device.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(30));
  await until(() => station.counters.closedStalled === 1);
  await until(() => engine.clients.size === 0);
  t.ok(station.counters.sends < 30);
});

t.test('stopping waits for answers that are on their way', async (t) => {
  const { port, engine } = await start(t, 'function on_request() mix.sleep(0.5) return "done" end');
  const device = await Device.connect(port());
  device.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => engine.clients.size === 1);
  await engine.stop();
  await until(() => device.closed);
  t.match(device.text, /200 OK[\s\S]*done$/);
});
