import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import type { LinkConfig, ServerConfig } from '../../src/config/schema.js';
import { Device, startTestEngine, type TestEngine, until } from '../support/engine.js';

const ECHO = `
function init() mix.every(60, function() end) end
function on_connect(id, conn) conn:attach(mix.server.option("device") or "d") end
function protocol_input(buf) return buf:length() end
function protocol_decode(s) return s end
function on_message(m, conn) conn:send(m) end`;

/** One server or link as the engine takes it. */
function configured(e: TestEngine, list: 'servers' | 'links', yaml: string): ServerConfig | LinkConfig {
  const { config } = parseConfig(`engine: { ${list}: [${yaml}] }`, `${e.folder}/more.yaml`, {
    cwd: e.folder,
  });
  return config.engine[list][0]!;
}

const server = (e: TestEngine, name: string, entry = 'main.lua', port = 0) =>
  configured(
    e,
    'servers',
    `{ name: ${name}, port: ${port}, bind: 127.0.0.1, entry: ${entry} }`,
  ) as ServerConfig;
const link = (e: TestEngine, name: string, port: number, more = '') =>
  configured(
    e,
    'links',
    `{ name: ${name}, tcp: { host: 127.0.0.1, port: ${port} }, entry: main.lua${more} }`,
  ) as LinkConfig;

/** A device that answers what it is sent, and keeps its sockets. */
async function device(t: Test) {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return { sockets, port: (listener.address() as { port: number }).port };
}

/** An engine with one server. */
async function start(t: Test, scripts: Record<string, string> = {}) {
  const e = await startTestEngine(
    { 'main.lua': ECHO, ...scripts },
    'servers: [{ name: first, port: 0, bind: 127.0.0.1, entry: main.lua }]',
  );
  t.teardown(() => e.stop());
  let changes = 0;
  const ignore = (): void => {};
  e.engine.observers.add({
    clientOpened: ignore,
    clientClosed: ignore,
    channelOpened: ignore,
    channelClosed: ignore,
    deviceAttached: ignore,
    deviceDetached: ignore,
    partsChanged: () => {
      changes++;
    },
  });
  return { ...e, changes: () => changes };
}

t.test('a server comes, serves, and goes; its port is free again', async (t) => {
  const e = await start(t);
  const { changes: live } = e.engine;
  const added = await live.addServer(server(e, 'second'));
  t.equal(e.changes(), 1);
  const { port } = added.listener!;
  const client = await Device.connect(port);
  client.send('hello');
  await client.until((text) => text === 'hello');
  t.ok(e.engine.devices.has('d'));

  await t.rejects(live.addServer(server(e, 'second')), { code: 'conflict', message: /there already/ });
  await t.rejects(live.addServer(server(e, 'third', 'main.lua', port)), { code: 'conflict' });
  t.equal(e.engine.servers.length, 2, 'the one without a port is not there');

  await live.remove('second');
  await until(() => client.closed);
  t.equal(e.engine.clients.size, 0);
  t.equal(e.engine.devices.size, 0);
  t.equal(e.changes(), 2);
  const again = await live.addServer(server(e, 'second', 'main.lua', port));
  t.equal(again.listener!.port, port);
  await t.rejects(live.remove('nobody'), { code: 'not_found' });
});

t.test('what cannot be used leaves everything as it was', async (t) => {
  const e = await start(t, {
    'broken.lua': 'function (',
    'fails.lua': 'function init() mix.every(0.01, function() end) error("no") end',
    'wrong.lua': 'on_message = 1',
  });
  const { changes: live } = e.engine;
  for (const entry of ['broken.lua', 'fails.lua', 'wrong.lua']) {
    await t.rejects(live.addServer(server(e, 'x', entry)), { message: new RegExp(entry) });
  }
  t.same(
    e.engine.servers.map(({ config }) => config.name),
    ['first'],
  );
  t.equal(e.changes(), 0);
  const { port } = await device(t);
  const kept = await live.addLink(link(e, 'plc', port));
  await until(() => kept.station.clients.size === 1);
  const broken = { ...link(e, 'plc', port), entry: `${e.folder}/fails.lua` };
  await t.rejects(live.replaceLink(broken), { message: /fails.lua/ });
  t.equal(e.engine.links[0], kept);
  t.equal(kept.station.clients.size, 1, 'the old one is open still');
  await live.addServer(server(e, 'x'));
});

t.test('of two that add one name at once, one succeeds', async (t) => {
  const e = await start(t, { 'main.lua': `${ECHO} function init() mix.sleep(0.05) end` });
  const { changes: live } = e.engine;
  const results = await Promise.allSettled([
    live.addServer(server(e, 'same')),
    live.addLink(link(e, 'same', 1)),
  ]);
  t.match(results, [{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'conflict' } }]);
  t.equal(e.engine.servers.length + e.engine.links.length, 2);
});

t.test('an engine that stops ends what is being added', async (t) => {
  const e = await start(t, { 'slow.lua': 'function init() mix.sleep(1000) end' });
  const adding = e.engine.changes.addServer(server(e, 'slow', 'slow.lua'));
  const refused = t.rejects(adding, { code: 'closed' });
  await e.engine.stop();
  await refused;
  await t.rejects(e.engine.changes.addServer(server(e, 'late')), { code: 'closed' });
  t.equal(e.engine.servers.length, 1);
});

t.test('a removed link takes its requests, its bus and its lease with it', async (t) => {
  const { port, sockets } = await device(t);
  const e = await start(t, {
    'main.lua': `${ECHO}
function on_connect(id, conn)
  for i = 1, 3 do
    mix.after(0, function()
      local _, err = conn:request("ask", { timeout = 600 })
      mix.report("asked", { err = err })
    end)
  end
end`,
  });
  const { engine } = e;
  await engine.changes.addLink(link(e, 'plc', port, ', bus: { name: line, retries: 0 }'));
  await until(() => engine.buses.all.get('line')?.report().waiting.request === 2);
  await engine.changes.remove('plc');
  t.same(engine.links, []);
  t.equal(engine.buses.all.size, 0);
  await until(() => sockets.size === 0);
  await until(() => e.reports.length === 3);
  for (const { values } of e.reports) t.match(values, { err: /^closed: / });

  await engine.changes.addLink(link(e, 'plc', port, ', bus: { name: line }'));
  t.same(await engine.leases.take('plc', 'me', 60), ['plc']);
  await t.rejects(engine.changes.addLink(link(e, 'other', port, ', bus: { name: line }')), {
    code: 'conflict',
    message: /lent/,
  });
  await engine.changes.remove('plc');
  await engine.changes.addLink(link(e, 'other', port, ', bus: { name: line }'));
  await until(() => engine.links[0]!.station.clients.size === 1);
});

t.test('links come and go under traffic fifty times, and nothing stays', async (t) => {
  const { port, sockets } = await device(t);
  const e = await start(t);
  const { engine } = e;
  const client = await Device.connect(e.port());
  let sent = 0;
  const traffic = setInterval(() => {
    client.send('x');
    sent++;
  }, 1);
  t.teardown(() => clearInterval(traffic));
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Interval').length;
  const before = timers();
  for (let round = 0; round < 50; round++) {
    const options = `, options: { device: m${round} }, bus: { name: b${round} }`;
    await engine.changes.addLink(link(e, 'coming', port, options));
    if (round % 3 > 0) await until(() => engine.devices.has(`m${round}`));
    if (round % 3 === 2) {
      await engine.changes.replaceLink(link(e, 'coming', port, ', options: { device: other }'));
      await until(() => engine.devices.has('other'));
    }
    await engine.changes.remove('coming');
  }
  clearInterval(traffic);
  await until(() => client.text.length === sent);
  await until(() => sockets.size === 0);
  t.equal(engine.links.length, 0);
  t.equal(engine.clients.size, 1, 'the client of the server');
  t.equal(engine.buses.all.size, 0);
  t.same([...engine.devices.keys()], ['d']);
  // Neither timers of scripts nor those of stations and waits.
  await until(
    () => timers() <= before,
    () => `${timers()} timers, ${before} before`,
  );
  t.match(client.closed, false);
  connect(e.port(), '127.0.0.1')
    .on('error', () => {})
    .end();
});
