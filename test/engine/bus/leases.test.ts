import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { startEngineWithApi } from '../../support/api.js';
import { type TestEngine, until } from '../../support/engine.js';

/** Reports what it gets for lines it asks for. */
const SCRIPT = `
protocol = { name = "lines", frame = mix.frame.delimiter { ends = "\\n" },
  decode = function(f) return { text = f } end, encode = function(m) return m.ask .. "\\n" end }
function ask(conn, what)
  local reply, err = conn:request({ ask = what }, { timeout = 5, retries = 0 })
  mix.report(what, { text = reply and reply.text, err = err })
end
function on_connect(id, conn)
  mix.report("connect", {})
  if not asked then
    asked = true
    for _, what in ipairs { "one", "two" } do mix.after(0, function() ask(conn, what) end) end
  end
end`;

/** A device that answers each line when it is told to. */
async function device(t: Test) {
  const held: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => held.push(() => socket.write(bytes)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  return { held, sockets, port };
}

async function start(t: Test, bus = '{ name: house }') {
  const { held, sockets, port } = await device(t);
  const link = (name: string) =>
    `{ name: ${name}, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua, bus: ${bus} }`;
  const running = await startEngineWithApi(SCRIPT, {}, `[${link('a')}, ${link('b')}]`);
  t.teardown(() => running.stop());
  const path = (name: string, id: string) => `/v1/links/${name}/leases/${id}`;
  return {
    ...running,
    held,
    sockets,
    answerAll: () => {
      const answering = setInterval(() => held.shift()?.(), 5);
      t.teardown(() => clearInterval(answering));
    },
    lend: (name: string, id: string, seconds: unknown = 60) =>
      running.request('POST', path(name, id), { seconds }),
    giveBack: (name: string, id: string) => running.request('DELETE', path(name, id)),
  };
}

const told = ({ reports }: TestEngine, what: string) =>
  reports.filter(({ deviceId }) => deviceId === what).map(({ values }) => values);

t.test('a line is lent after the transaction under way, and what waits is served afterwards', async (t) => {
  const l = await start(t);
  // Each of the links asks twice; one request of all is under way.
  await until(() => l.held.length === 1 && l.sockets.size === 2);
  const lending = l.lend('b', 'scan');
  await until(() => l.test.engine.buses.all.get('house')!.report().lent);
  t.equal(l.sockets.size, 2, 'the transaction goes on');
  l.held.shift()!();
  t.match(await lending, { status: 200, body: { links: ['a', 'b'] } });
  await until(() => l.sockets.size === 0);
  t.equal(told(l.test, 'one').length, 1);
  t.match(told(l.test, 'one'), [{ text: 'one' }]);

  t.match(await l.lend('a', 'other'), { status: 409, body: { code: 'conflict' } });
  t.match(await l.giveBack('a', 'other'), { status: 404 });
  t.match(await l.lend('a', 'scan', 30), { status: 200 }, 'the same is renewed');
  t.match(await l.request('GET', '/v1/buses/house'), { body: { lent: true, connected: false } });

  t.equal((await l.giveBack('a', 'scan')).status, 204);
  await until(() => l.sockets.size === 2);
  l.answerAll();
  await until(() => told(l.test, 'one').length === 2 && told(l.test, 'two').length === 2);
  t.match(told(l.test, 'two'), [{ text: 'two' }, { text: 'two' }], 'nothing was lost');
  t.match(await l.request('GET', '/v1/buses/house'), { body: { lent: false, timeouts: 0, interrupted: 0 } });
  t.match(await l.giveBack('a', 'scan'), { status: 404 });
});

t.test('a lease that is not renewed ends by itself', async (t) => {
  const l = await start(t);
  l.answerAll();
  await until(() => told(l.test, 'two').length === 2);
  t.equal((await l.lend('a', 'scan', 1)).status, 200);
  await until(() => told(l.test, 'connect').length === 4 && l.sockets.size === 2);
  t.match(await l.request('GET', '/v1/buses/house'), { body: { lent: false } });
});

t.test('requests that wait too long say that the line is lent', async (t) => {
  const l = await start(t, '{ name: house, queueSeconds: 3 }');
  await until(() => l.held.length === 1 && l.sockets.size === 2);
  const lending = l.lend('a', 'scan');
  await until(() => l.test.engine.buses.all.get('house')!.report().lent);
  l.held.shift()!();
  await lending;
  await until(() => told(l.test, 'two').length === 2);
  t.match(told(l.test, 'two')[0], { err: /^timeout: had no turn on the line within 3 s: it is lent$/ });
});

t.test('an engine that stops takes its lines back and leaves nothing open', async (t) => {
  const l = await start(t);
  l.answerAll();
  await until(() => told(l.test, 'two').length === 2);
  await l.lend('a', 'scan');
  await l.stop();
  t.equal(l.sockets.size, 0);
  t.equal(told(l.test, 'connect').length, 2);
});

t.test('wrong requests are refused', async (t) => {
  const l = await start(t);
  t.match(await l.lend('nowhere', 'scan'), { status: 404, body: { code: 'not_found' } });
  t.match(await l.giveBack('nowhere', 'scan'), { status: 404 });
  for (const seconds of [0, 301, '5', null]) {
    t.match(await l.lend('a', 'scan', seconds), { status: 400, body: { where: 'seconds' } }, `${seconds}`);
  }
});
