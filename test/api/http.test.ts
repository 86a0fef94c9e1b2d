import t from 'tap';
import * as v from 'valibot';
import { ROUTES } from '../../src/api/routes.js';
import { startEngineWithApi } from '../support/api.js';
import { Device, until } from '../support/engine.js';

const LINES = `
function on_connect(id, conn)
  conn:subscribe("all", "room:" .. id)
  conn:attach("dev-" .. id)
  conn:set_context({ user = "u" .. id, raw = "\\255" })
  conn:send(id .. "\\n")
end
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return line:sub(1, -2) end
function protocol_encode(data)
  if type(data) == "table" then return mix.json_encode(data) .. "\\n" end
  if data == "bad" then return 1 end
  return data .. "\\n"
end
function on_message(line, conn) conn:send("echo " .. line .. "\\n") end
`;

async function join(port: number): Promise<Device & { id: string }> {
  const device = await Device.connect(port);
  await until(() => device.text.includes('\n'));
  return Object.assign(device, { id: device.text.trim() });
}

t.test('mesh.send and mesh.publish answer as CONNMIX does', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());

  const raw = await fetch(`${api.url}/v1/mesh/send`, {
    method: 'POST',
    body: JSON.stringify({ c: device.id, d: 'hello', t: 'text' }),
  });
  t.equal(raw.status, 200);
  t.equal(await raw.text(), '{"E":null,"r":{"s":true}}');
  await device.until((text) => text.endsWith('hello\n'));

  t.same((await api.request('POST', '/v1/mesh/send', { c: Number(device.id), d: 'number' })).body, {
    E: null,
    r: { s: true },
  });
  t.same((await api.request('POST', '/v1/mesh/send', { c: device.id, d: { a: [1] } })).body.E, null);
  await device.until((text) => text.endsWith('{"a":[1]}\n'));
  const bytes = Buffer.from([0, 255, 1]);
  await api.request('POST', '/v1/mesh/send', { c: device.id, d: bytes.toString('base64'), t: 'binary' });
  await device.until((text) => text.endsWith('\0\xff\x01\n'));

  const published = await fetch(`${api.url}/v1/mesh/publish`, {
    method: 'POST',
    body: JSON.stringify({ c: 'all', d: 'x' }),
  });
  t.equal(await published.text(), '{"E":null,"r":{"s":1,"f":0,"t":1}}');
  t.same((await api.request('POST', '/v1/mesh/publish', { c: 'nobody', d: 'x' })).body.r, {
    s: 0,
    f: 0,
    t: 0,
  });
  t.same((await api.request('POST', '/v1/mesh/publish', { c: 'all', d: 'bad' })).body.r, {
    s: 0,
    f: 1,
    t: 1,
  });

  const audit = api.log.filter(({ action }) => action !== undefined);
  t.match(audit[0], {
    user: '-',
    address: '127.0.0.1',
    action: 'mesh.send',
    target: `client ${device.id}`,
    outcome: 'done',
  });
  t.notMatch(JSON.stringify(api.log), 'hello', 'data is never logged');
});

t.test('bad calls get their code, and nothing else changes', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await join(api.test.port());
  const before = device.text;
  const send = async (body: unknown) => (await api.request('POST', '/v1/mesh/send', body)).body;
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const [what, body, message] of [
    ['no JSON', '{', /^the body is not JSON/],
    ['empty', '', /^the body is not JSON/],
    ['a list', [], /^c is missing/],
    ['null', 'null', /must be an object/],
    ['no client', { d: 'x' }, /^c is missing/],
    ['no data', { c: '1' }, /^d is missing/],
    ['an id that is no number', { c: 'one', d: 'x' }, /^c must be a client id/],
    ['a negative id', { c: -1, d: 'x' }, /^c must be a client id/],
    ['a fraction', { c: 1.5, d: 'x' }, /^c must be a client id/],
    ['an id beyond 2^53', { c: '9999999999999999', d: 'x' }, /^c must be a client id/],
    ['a list as id', { c: ['1'], d: 'x' }, /^c must be a client id/],
    ['another type', { c: '1', d: 'x', t: 'blob' }, /^t must be text or binary/],
    ['bad base64', { c: '1', d: 'abc', t: 'binary' }, /^d must be base64/],
    ['base64 with others', { c: '1', d: 'ab*=', t: 'binary' }, /^d must be base64/],
    ['binary that is no text', { c: '1', d: 5, t: 'binary' }, /^d must be base64/],
    ['deep', `{"c":"1","d":${deep}}`, /nested deeper/],
  ] as const) {
    const answer = await send(body);
    t.equal(answer.E.c, 101, what);
    t.match(answer.E.m, message, what);
    t.same(Object.keys(answer), ['E'], what);
  }
  t.match((await send({ c: '12345', d: 'x' })).E, { c: 401, m: /^not_connected/ });
  t.match((await send({ c: device.id, d: 'bad' })).E, { c: 401 });
  t.same((await send('{"c":"77","d":"x","__proto__":{"t":"binary"}}')).E.c, 401);
  t.equal(({} as { t?: string }).t, undefined, 'no prototype was changed');
  t.match((await api.request('POST', '/v1/mesh/publish', { c: '', d: 'x' })).body.E, { c: 101 });
  t.match((await api.request('POST', '/v1/mesh/publish', { c: 'x'.repeat(257), d: 'x' })).body.E, { c: 101 });
  t.equal(device.text, before);
});

t.test('clients, devices, channels and engines are listed, filtered and paged', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const devices = [await join(api.test.port()), await join(api.test.port()), await join(api.test.port())];
  const ids = devices.map(({ id }) => id);
  const get = async (path: string) => (await api.request('GET', path)).body;

  t.same(
    (await get('/v1/clients')).clients.map(({ id }: { id: string }) => id),
    ids,
  );
  const first = await get('/v1/clients?limit=2');
  t.equal(first.clients.length, 2);
  t.equal(first.next, ids[1]);
  const second = await get(`/v1/clients?limit=2&after=${first.next}`);
  t.same(
    second.clients.map(({ id }: { id: string }) => id),
    [ids[2]],
  );
  t.notOk('next' in second);
  const idsOf = async (query: string) =>
    (await get(`/v1/clients?${query}`)).clients.map(({ id }: { id: string }) => id);
  t.same(await idsOf(`device=dev-${ids[1]}`), [ids[1]]);
  t.same(await idsOf(`channel=room:${ids[2]}`), [ids[2]]);
  t.same(await idsOf(`channel=all&device=dev-${ids[0]}`), [ids[0]]);
  t.same(await idsOf(`channel=room:${ids[1]}&device=dev-${ids[0]}`), []);
  t.same(await idsOf('server=s'), ids);
  t.same(await idsOf('server=other'), []);
  t.same(await idsOf('engine=other'), []);
  t.match(await get('/v1/clients?limit=0'), { status: 400, code: 'invalid_argument', where: 'limit' });
  t.match(await get('/v1/clients?after=x'), { status: 400, code: 'invalid_argument' });

  devices[0]!.send('hi\n');
  await devices[0]!.until((text) => text.includes('echo hi'));
  const one = await get(`/v1/clients/${ids[0]}`);
  t.match(one, {
    id: ids[0],
    engine: 'test',
    server: 's',
    transport: 'tcp',
    devices: [`dev-${ids[0]}`],
    channels: 2,
    channel_names: ['all', `room:${ids[0]}`],
    context: { user: `u${ids[0]}`, raw: '/w==' },
    bytes_in: 3,
    messages: 1,
  });
  t.match(
    one.frames.map(({ direction, hex }: { direction: string; hex: string }) => [direction, hex]).slice(1),
    [
      ['in', '68690a'],
      ['out', Buffer.from('echo hi\n').toString('hex')],
    ],
  );
  t.match(await api.request('GET', '/v1/clients/99'), { status: 404, body: { code: 'not_found' } });
  t.match(await api.request('GET', '/v1/clients/x'), { status: 400, body: { code: 'invalid_argument' } });

  t.same(await get('/v1/devices?limit=1'), {
    devices: [{ id: `dev-${ids[0]}`, attached: true, client: ids[0], engine: 'test' }],
    next: `dev-${ids[0]}`,
  });
  t.match(await get(`/v1/devices/dev-${ids[1]}`), { client: ids[1] });
  t.match(await get('/v1/devices/none'), { code: 'not_found' });
  t.same(await get('/v1/channels?limit=1'), { channels: [{ name: 'all', subscribers: 3 }], next: 'all' });
  t.match(await get('/v1/engines'), {
    engines: [{ name: 'test', version: '1.2.3', clients: 3, servers: [{ name: 's' }] }],
  });
  t.match(await get('/v1/engines/test'), { name: 'test', api: `127.0.0.1:${api.api.port}` });
  t.match(await get('/v1/engines/none'), { status: 404 });
  t.same(await get('/version'), { version: '1.2.3', apis: ['v1'], role: 'engine', name: 'test' });
  t.same(await get('/v1/nodes'), {
    nodes: [{ id: 0, name: 'test', api_server: `127.0.0.1:${api.api.port}` }],
  });

  t.match(await api.request('DELETE', `/v1/clients/${ids[0]}`), { status: 204, body: '' });
  await until(() => devices[0]!.closed);
  t.match(await api.request('DELETE', `/v1/clients/${ids[0]}`), { status: 404 });
  t.match(
    api.log.find(({ action }) => action === 'disconnect'),
    { target: `client ${ids[0]}`, outcome: 'done' },
  );
});

t.test('what is not there, and what is not for that method', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const none = await api.request('GET', '/v1/nothing');
  t.match(none, { status: 404, body: { status: 404, code: 'not_found' } });
  t.equal(none.headers.get('content-type'), 'application/problem+json');
  const wrong = await api.request('GET', '/v1/mesh/send');
  t.equal(wrong.status, 405);
  t.equal(wrong.headers.get('allow'), 'POST');
  t.equal((await api.request('POST', '/v1/clients')).status, 405);
  t.equal((await api.request('GET', '/healthz')).status, 200);
  t.equal((await api.request('GET', '/readyz')).status, 200);
  t.equal((await api.request('GET', '/metrics')).status, 404);
  t.equal((await api.request('GET', '/v1/devices/%E0%A4%A')).status, 404, 'a broken escape');
});

t.test('answers are what their schemas say', async (t) => {
  const api = await startEngineWithApi(
    LINES,
    {
      monitor: {
        health: () => ({
          status: 'degraded',
          ready: true,
          reasons: [{ code: 'queue_full', text: 'topic x is full', since: 1 }],
          uptime_seconds: 1,
          version: '1.2.3',
        }),
        metrics: () => 'moonwire_ready 1\n',
      },
    },
    '[{ name: line, tcp: { host: 127.0.0.1, port: 9 }, bus: {}, entry: main.lua }]',
  );
  t.teardown(api.stop);
  const { id } = await join(api.test.port());
  const values: Record<string, string> = {
    '/v1/engines/{name}': '/v1/engines/test',
    '/v1/clients/{id}': `/v1/clients/${id}`,
    '/v1/devices/{id}': `/v1/devices/dev-${id}`,
    '/v1/buses/{name}': '/v1/buses/line',
    '/v1/links/{name}': '/v1/links/line',
    '/v1/sinks/{name}': '/v1/sinks/broker',
  };
  for (const { method, path, answer } of ROUTES) {
    if (method !== 'GET' || path.endsWith('/trace')) continue;
    const { status, body } = await api.request('GET', values[path] ?? path);
    if (/\/commands\b/.test(path)) {
      t.match(body, { code: 'not_found', detail: /the centre/ }, path);
      continue;
    }
    t.equal(status, 200, path);
    if (typeof answer === 'string') t.type(body, 'string', path);
    else t.ok(v.safeParse(answer, body).success, path);
  }
});

t.test('HEAD answers without a body, and begins no trace', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const { id } = await join(api.test.port());
  t.match(await api.request('HEAD', '/v1/clients'), { status: 200, body: '' });
  t.equal((await api.request('HEAD', `/v1/clients/${id}/trace`)).status, 200);
  t.equal(api.test.engine.client(Number(id))!.tracers, undefined);
});

t.test('openapi.json describes every route', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const { body } = await api.request('GET', '/openapi.json');
  t.equal(body.openapi, '3.1.0');
  t.ok(Object.keys(body.paths).length >= 15);
  t.match(body.paths['/v1/mesh/send'].post.requestBody.content['application/json'].schema, {
    type: 'object',
    properties: { c: { anyOf: [{ type: 'string' }, { type: 'number' }] }, t: { enum: ['text', 'binary'] } },
  });
  t.match(
    body.paths['/v1/clients'].get.parameters.map(({ name }: { name: string }) => name),
    ['limit', 'after', 'engine', 'server', 'device', 'channel'],
  );
  t.match(body.paths['/v1/clients/{id}'].get.parameters, [{ name: 'id', in: 'path', required: true }]);
  t.ok(body.paths['/v1/clients'].get.responses[200].content['application/json'].schema.properties.clients);
});
