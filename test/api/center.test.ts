import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import { type CenterProcess, type Gateway, startCenter, startEngine } from '../../src/main.js';
import { Device, recordingLogger, until } from '../support/engine.js';
import { WebClient } from '../support/websocket.js';

const LINES = `
function on_connect(id, conn)
  conn:subscribe("all", "room:" .. mix.node.name)
  conn:attach(mix.node.name .. "-" .. id)
  conn:set_context_value("raw", "\\255")
  conn:send(id .. "\\n")
end
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function protocol_encode(data) return tostring(data) .. "\\n" end
function on_message(line, conn) conn:send("echo " .. line .. "\\n") end
`;

interface Cluster {
  center: CenterProcess;
  engines: Gateway[];
  get(path: string): Promise<{ status: number; body: unknown }>;
  send(method: string, path: string, body?: object): Promise<{ status: number; text: string }>;
}

/** A centre and two engines, `north` and `south`, in this process. */
async function startCluster(t: Test): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-api-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'main.lua'), LINES);
  const configOf = (name: string, yaml: string) => {
    mkdirSync(join(folder, name));
    const text = `${yaml}\nscript: { roots: [${folder}] }\nstore: { path: ${join(folder, name)} }\n`;
    return parseConfig(text, join(folder, 'test.yaml'), { cwd: folder }).config;
  };
  const log = recordingLogger();
  const center = await startCenter(
    configOf('center', 'center: { registry: { port: 0 }, apiServer: { port: 0 } }'),
    log,
  );
  const engines: Gateway[] = [];
  t.teardown(async () => {
    for (const engine of engines) await engine.stop();
    await center.stop();
  });
  for (const name of ['north', 'south']) {
    const registry = `centerRegistry: 127.0.0.1:${center.center.listener!.port}`;
    const yaml = `engine:
  name: ${name}
  ${registry}
  meshPoint: { port: 0 }
  apiServer: { port: 0 }
  servers: [{ name: lines, port: 0, bind: 127.0.0.1, entry: main.lua }]`;
    engines.push(await startEngine(configOf(name, yaml), log));
  }
  await until(() => center.center.registry.size === 2);
  const url = `http://${center.api.address}`;
  return {
    center,
    engines,
    get: async (path) => {
      const response = await fetch(url + path);
      return { status: response.status, body: await response.json() };
    },
    send: async (method, path, body) => {
      const response = await fetch(url + path, { method, ...(body && { body: JSON.stringify(body) }) });
      return { status: response.status, text: await response.text() };
    },
  };
}

async function connect(engine: Gateway): Promise<Device & { id: string }> {
  const device = await Device.connect(engine.engine.servers[0]!.listener!.port);
  await until(() => device.text.includes('\n'));
  return Object.assign(device, { id: device.text.trim() });
}

t.test('the API of the centre reaches and tells of what is on all engines', async (t) => {
  const cluster = await startCluster(t);
  const { center, engines, get, send } = cluster;
  const devices: Awaited<ReturnType<typeof connect>>[] = [];
  for (const engine of engines) devices.push(await connect(engine), await connect(engine));
  const ids = devices.map(({ id }) => id);
  await until(() => center.center.registry.counts().clients === 4);
  await until(() => center.center.registry.counts().devices === 4);

  await t.test('nodes and engines', async (t) => {
    t.match(await get('/version'), { body: { apis: ['v1'], role: 'center' } });
    t.same((await get('/v1/nodes')).body, {
      nodes: engines.map(({ engine, api }) => ({
        id: engine.parts.node(),
        name: engine.options.name,
        api_server: api.address,
      })),
    });
    t.match((await get('/v1/engines')).body, {
      engines: ['north', 'south'].map((name) => ({
        name,
        connected: true,
        clients: 2,
        servers: [{ name: 'lines' }],
      })),
    });
    t.match((await get('/v1/engines/south')).body, { name: 'south' });
  });

  await t.test('clients, page by page and by filter', async (t) => {
    const list = async (query: string) => {
      const { clients, next } = (await get(`/v1/clients?${query}`)).body as {
        clients: { id: string; engine: string }[];
        next?: string;
      };
      return { ids: clients.map(({ id }) => id), next };
    };
    t.same(await list(''), { ids, next: undefined });
    t.same(await list('limit=3'), { ids: ids.slice(0, 3), next: ids[2] });
    t.same(await list(`limit=3&after=${ids[2]}`), { ids: ids.slice(3), next: undefined });
    t.same(await list('limit=2'), { ids: ids.slice(0, 2), next: ids[1] }, 'the page ends with an engine');
    t.same(await list('limit=4'), { ids, next: undefined });
    t.same((await list('engine=south')).ids, ids.slice(2));
    t.same((await list('channel=room:north')).ids, ids.slice(0, 2));
    t.same((await list(`device=south-${ids[3]}`)).ids, [ids[3]]);
    t.same((await list('device=none')).ids, []);
    t.same((await list('server=lines&channel=all')).ids, ids);
  });

  await t.test('one client, devices, channels', async (t) => {
    t.match((await get(`/v1/clients/${ids[2]}`)).body, {
      id: ids[2],
      engine: 'south',
      context: { raw: '/w==' },
      channel_names: ['all', 'room:south'],
    });
    t.match(await get('/v1/clients/99'), { status: 404, body: { code: 'not_found' } });
    t.match(await get(`/v1/clients/${Number(ids[2]) + 1000}`), { status: 404, body: { code: 'not_found' } });
    t.match((await get(`/v1/devices/north-${ids[0]}`)).body, { client: ids[0], engine: 'north' });
    t.match((await get('/v1/devices?limit=1')).body, { devices: [{ id: `north-${ids[0]}` }] });
    const [north, south] = engines.map(({ engine }) => engine.parts.node());
    t.same((await get('/v1/channels')).body, {
      channels: [
        { name: 'all', nodes: [north, south] },
        { name: 'room:north', nodes: [north] },
        { name: 'room:south', nodes: [south] },
      ],
    });
  });

  await t.test('send, publish, calls over the WebSocket, and no queues', async (t) => {
    t.equal(
      (await send('POST', '/v1/mesh/send', { c: ids[3], d: 'hello' })).text,
      '{"E":null,"r":{"s":true}}',
    );
    await devices[3]!.until((text) => text.endsWith('hello\n'));
    t.equal(
      (await send('POST', '/v1/mesh/publish', { c: 'all', d: 'news' })).text,
      '{"E":null,"r":{"s":4,"f":0,"t":4}}',
    );
    for (const device of devices) await device.until((text) => text.endsWith('news\n'));
    const ws = await WebClient.connect(center.api.port, '/ws/v1');
    ws.send(`{"m":"conn.call","p":{"c":"${ids[0]}","f":"set_context_value","a":["user",7]},"i":1}`);
    t.match(await ws.message(1), '"s":true');
    t.match((await get(`/v1/clients/${ids[0]}`)).body, { context: { user: 7 } });
    ws.send('{"m":"queue.pop","p":{"t":["work"]},"i":2}');
    t.match(await ws.message(2), '"c":201');
    ws.ws.close();
  });

  await t.test('a live trace of a client elsewhere, until it is disconnected', async (t) => {
    const response = await fetch(`http://${center.api.address}/v1/clients/${ids[1]}/trace`);
    const text = response.text();
    await until(() => engines[0]!.engine.client(Number(ids[1]))?.tracers !== undefined);
    devices[1]!.send('hi\n');
    await devices[1]!.until((received) => received.endsWith('echo hi\n'));
    t.equal((await send('DELETE', `/v1/clients/${ids[1]}`)).status, 204);
    await until(() => devices[1]!.closed);
    devices[1]!.socket.destroy();
    t.match(await text, /"event":"in","hex":"68690a"[\s\S]*"event":"close"[\s\S]*event: end/);
    t.match((await fetch(`http://${center.api.address}/v1/clients/99/trace`)).status, 404);
  });

  await t.test('an engine that answers nonsense is left out', async (t) => {
    const session = center.center.registry.engineOfNode(engines[0]!.engine.parts.node())!;
    const { request } = session;
    for (const answer of [
      'nonsense',
      null,
      { items: 5 },
      { items: [{ id: 'x' }] },
      { items: [], next: '5' },
    ]) {
      session.request = async () => answer;
      const { clients } = (await get('/v1/clients')).body as { clients: { engine: string }[] };
      t.same(
        clients.map(({ engine }) => engine),
        ['south', 'south'],
        JSON.stringify(answer),
      );
      t.match(await get(`/v1/clients/${ids[0]}`), { status: 500, body: { code: 'internal' } });
    }
    session.request = request;
  });

  await t.test('an engine that is gone', async (t) => {
    const trace = fetch(`http://${center.api.address}/v1/clients/${ids[2]}/trace`);
    const text = (await trace).text();
    await until(() => engines[1]!.engine.client(Number(ids[2]))?.tracers !== undefined);
    await engines[1]!.stop();
    t.match(await text, /event: end/);
    await until(() => center.center.registry.size === 1);
    t.match((await send('POST', '/v1/mesh/send', { c: ids[3], d: 'x' })).text, /"c":401,"m":"not_connected/);
    t.match(await get(`/v1/clients/${ids[2]}`), { status: 404 });
    t.match((await get('/v1/engines/south')).body, { connected: false, clients: 0 });
    t.same((await get('/v1/nodes')).body, {
      nodes: [{ id: engines[0]!.engine.parts.node(), name: 'north', api_server: engines[0]!.api.address }],
    });
  });
});

t.test('a centre whose feed cannot be opened serves, and its health says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-api-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'feed'), 'not a folder');
  const text = `center: { registry: { port: 0 }, apiServer: { port: 0 } }\nstore: { path: ${folder} }\n`;
  const center = await startCenter(parseConfig(text, join(folder, 'test.yaml')).config, recordingLogger());
  t.teardown(() => center.stop());
  const answer = await fetch(`http://127.0.0.1:${center.api.port}/v1/health`);
  t.match(await answer.json(), { status: 'degraded', reasons: [{ code: 'feed_failing' }] });
});
