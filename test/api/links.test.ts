import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import { startEngine } from '../../src/main.js';
import { recordingLogger, until } from '../support/engine.js';

const LINES = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(f) return { text = f } end }
function on_connect(id, conn) conn:attach("meter-1") end
function on_command(cmd, conn) return "done" end`;

/** What one script does when it is told to, over the API. */
const ADMIN = `
function on_message(msg, conn)
  local action, name, port = msg.data:match("(%S+) (%S+) ?(%S*)")
  local ok, err
  if action == "add" then
    ok, err = mix.link.add({ name = name, tcp = { host = "127.0.0.1", port = tonumber(port) }, entry = "lines.lua", options = {}, temporary = true })
  elseif action == "update" then
    ok, err = mix.link.update(name, { tcp = { host = "127.0.0.1", port = tonumber(port) }, entry = "lines.lua" })
  elseif action == "key" then
    ok, err = mix.link.add({ name = name, tcp = { host = "127.0.0.1", port = 1, tls = { ca = "/etc/hostname" } }, entry = "lines.lua" })
  elseif action == "remove" then
    ok, err = mix.link.remove(name)
  end
  local names = {}
  for _, link in ipairs(mix.link.list()) do names[#names + 1] = link.name .. (link.added and "+" or "") end
  conn:send(tostring(ok) .. "|" .. tostring(err) .. "|" .. table.concat(names, ","))
end`;

/** A device that is there, and who is connected to it. */
async function device(t: Test) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.resume());
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { sockets, port: (server.address() as { port: number }).port };
}

/** An engine as it runs, with its store in `folder`. */
async function start(t: Test, folder: string, more = '') {
  writeFileSync(join(folder, 'lines.lua'), LINES);
  writeFileSync(join(folder, 'admin.lua'), ADMIN);
  writeFileSync(join(folder, 'broken.lua'), 'function (');
  writeFileSync(join(folder, 'fails.lua'), 'function init() error("not today") end');
  const text = `
engine:
  name: barn
  apiServer: { port: 0 }
  meshPoint: { port: 0 }
  servers: [{ name: admin, port: 0, bind: 127.0.0.1, protocol: websocket, entry: admin.lua }]
  links: [{ name: fixed, tcp: { host: 127.0.0.1, port: 1 }, entry: lines.lua }]
  ${more}
script: { roots: [.] }
store: { path: ${folder}/data }
`;
  const { config } = parseConfig(text, join(folder, 'test.yaml'), { cwd: folder, env: {} });
  const logger = recordingLogger();
  const gateway = await startEngine(config, logger);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= gateway.stop();
    return stopped;
  };
  t.teardown(stop);
  const request = async (method: string, path: string, body?: unknown) => {
    // An engine that stops waits for connections that are kept open.
    const headers = { connection: 'close' };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await fetch(`http://127.0.0.1:${gateway.api.port}${path}`, init);
    const answer = await response.text();
    return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) };
  };
  const names = async (): Promise<string[]> =>
    (await request('GET', '/v1/links')).body.links.map(({ name }: { name: string }) => name);
  return { gateway, request, names, stop, log: logger.lines };
}

const tcp = (name: string, port: number, more = {}) => ({
  name,
  tcp: { host: '127.0.0.1', port },
  entry: 'lines.lua',
  ...more,
});

t.test('links come, change, stay over a restart, and go', async (t) => {
  const folder = t.testdir();
  const [one, two] = [await device(t), await device(t)];
  const first = await start(t, folder);
  const { request, gateway } = first;
  const added = await request('POST', '/v1/links', tcp('pump', one.port));
  t.match(added, { status: 201, body: { name: 'pump', kind: 'tcp', added: true } });
  await until(() => gateway.engine.devices.has('meter-1'));
  t.match((await request('GET', '/v1/links/pump')).body, {
    state: 'open',
    address: '127.0.0.1',
    client: /^\d+$/,
    since: Number,
    opened: 1,
  });
  t.match((await request('GET', '/v1/links/fixed')).body, {
    added: false,
    state: /waiting|connecting/,
    last_error: /refused/,
    next_try: Number,
  });
  await request('POST', '/v1/links', tcp('brief', one.port, { temporary: true }));

  const client = gateway.engine.devices.get('meter-1')!.id;
  const changed = await request('PUT', '/v1/links/pump', tcp('pump', two.port));
  t.equal(changed.status, 200);
  await until(() => two.sockets.size === 1 && gateway.engine.devices.has('meter-1'));
  t.not(gateway.engine.devices.get('meter-1')!.id, client, 'a new client');
  await first.stop();

  const second = await start(t, folder);
  t.same((await second.names()).sort(), ['fixed', 'pump'], 'the temporary one is gone');
  await until(() => two.sockets.size === 1);
  t.equal((await second.request('DELETE', '/v1/links/pump')).status, 204);
  await until(() => two.sockets.size === 0);
  await second.stop();
  const third = await start(t, folder);
  t.same(await third.names(), ['fixed']);
});

t.test('what is wrong is told with its place, and leaves all as it was', async (t) => {
  const folder = t.testdir();
  const { port } = await device(t);
  const { request, names } = await start(t, folder, 'addedLinks: { max: 2 }');
  await request('POST', '/v1/links', tcp('pump', port));
  const wrong: [object, number, object][] = [
    [{ name: 'x', tcp: { host: 'h', port: 70_000 }, entry: 'lines.lua' }, 400, { where: 'tcp.port' }],
    [{ name: 'x', entry: 'lines.lua' }, 400, { detail: /exactly one of serial, tcp/ }],
    [tcp('x', port, { colour: 1 }), 400, { where: 'colour', detail: /not a known setting/ }],
    [tcp('x', port, { entry: 'none.lua' }), 400, { where: 'entry', detail: /must be a readable file/ }],
    [tcp('x', port, { entry: '/etc/hostname' }), 403, { where: 'entry', detail: /script.roots/ }],
    [tcp('x', port, { entry: 'broken.lua' }), 400, { where: 'entry', detail: /broken.lua:1/ }],
    [tcp('x', port, { entry: 'fails.lua' }), 400, { where: 'entry', detail: /not today/ }],
    [tcp('x', port, { temporary: 'yes' }), 400, { where: 'temporary' }],
    [tcp('x', port, { options: { a: 'x'.repeat(40_000) } }), 413, { code: 'too_large' }],
    [tcp('admin', port), 409, { detail: /there already/ }],
    [tcp('fixed', port), 409, {}],
  ];
  for (const [body, status, problem] of wrong)
    t.match(
      await request('POST', '/v1/links', body),
      { status, body: problem },
      JSON.stringify(body).slice(0, 80),
    );
  t.match(await request('POST', '/v1/links', []), { status: 400 });
  const broken = tcp('pump', port, { entry: 'broken.lua' });
  t.match(await request('PUT', '/v1/links/pump', broken), { status: 400 });
  t.match(await request('PUT', '/v1/links/nobody', tcp('nobody', port)), { status: 404 });
  t.match(await request('PUT', '/v1/links/fixed', tcp('fixed', port)), {
    status: 403,
    body: { detail: /configuration/ },
  });
  t.match(await request('DELETE', '/v1/links/fixed'), { status: 403 });
  t.match(await request('DELETE', '/v1/links/nobody'), { status: 404 });
  t.match((await request('GET', '/v1/links/pump')).body, { opened: 1, state: 'open' });

  const both = await Promise.all([1, 2].map(() => request('POST', '/v1/links', tcp('same', port))));
  t.same(
    both.map(({ status }) => status).sort(),
    both.some(({ status }) => status === 503) ? [201, 503] : [201, 409],
  );
  t.match(await request('POST', '/v1/links', tcp('more', port)), {
    status: 503,
    body: { code: 'queue_full' },
  });
  t.same((await names()).sort(), ['fixed', 'pump', 'same']);
});

t.test('the metrics of a link go with it', async (t) => {
  const { port } = await device(t);
  const { request, gateway } = await start(t, t.testdir());
  const metrics = async () => (await fetch(`http://127.0.0.1:${gateway.api.port}/metrics`)).text();
  await request('POST', '/v1/links', tcp('pump', port, { bus: {} }));
  await until(() => gateway.engine.devices.has('meter-1'));
  t.match(await metrics(), /moonwire_server_up\{server="pump",kind="link"\} 1/);
  t.match((await request('GET', '/v1/buses/pump')).body, { connected: true });
  await request('DELETE', '/v1/links/pump');
  t.notMatch(await metrics(), /pump/);
  t.match(await request('GET', '/v1/buses/pump'), { status: 404 });
});

t.test('scripts change links where they may', async (t) => {
  const { WebSocket } = await import('ws');
  const { port, sockets } = await device(t);
  for (const allowed of [true, false]) {
    const { gateway, log } = await start(t, t.testdir(), `addedLinks: { byScripts: ${allowed} }`);
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.engine.servers[0]!.listener!.port}`);
    t.teardown(() => socket.terminate());
    await once(socket, 'open');
    const tell = async (text: string): Promise<string> => {
      socket.send(text);
      const [answer] = await once(socket, 'message');
      return String(answer);
    };
    if (!allowed) {
      t.match(await tell(`add pump ${port}`), /^nil\|forbidden: .*byScripts is off\|fixed$/);
      continue;
    }
    t.equal(await tell(`add pump ${port}`), 'pump|nil|fixed,pump+');
    await until(() => sockets.size === 1);
    t.match(await tell('add pump 1'), /^nil\|conflict: /);
    t.match(await tell('add bad 70000'), /^nil\|invalid_argument: tcp.port must be/);
    t.match(await tell('key stolen'), /^nil\|forbidden: tcp.tls.ca must lie in/);
    t.equal(await tell('update pump 1'), 'pump|nil|fixed,pump+');
    await until(() => sockets.size === 0);
    t.match(await tell('remove fixed'), /^nil\|forbidden: .*configuration/);
    t.equal(await tell('remove pump'), 'true|nil|fixed');
    t.notOk(log.some(({ level }) => level === 'error'));
  }
});
