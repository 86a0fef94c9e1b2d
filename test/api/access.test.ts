import t from 'tap';
import { Attempts } from '../../src/api/attempts.js';
import { startEngineWithApi } from '../support/api.js';
import { WebClient } from '../support/websocket.js';

const NOTHING = 'function on_connect() end';

const USERS = `{ users: [
  { username: reader, password: r, roles: [read] },
  { username: writer, password: 'w:1', roles: [write] },
  { username: far, password: f, roles: [read, write], host: '10.*.*.*' },
  { username: near, password: n, roles: [read, write], host: '127.*.0.1' },
] }`;

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

t.test('roles, hosts, passwords and tokens', async (t) => {
  const api = await startEngineWithApi(NOTHING, { access: USERS });
  t.teardown(api.stop);
  const statusOf = async (method: string, path: string, headers: Record<string, string>) =>
    (await api.request(method, path, method === 'POST' ? { c: '1', d: 'x' } : undefined, headers)).status;

  const anonymous = await api.request('GET', '/v1/clients');
  t.match(anonymous, { status: 401, body: { status: 401, code: 'unauthorized' } });
  t.match(anonymous.headers.get('www-authenticate'), /^Basic realm=/);
  t.equal(await statusOf('GET', '/healthz', {}), 200, 'probes need no password');
  t.equal(await statusOf('GET', '/readyz', {}), 200);
  t.equal(await statusOf('GET', '/metrics', {}), 401);
  t.equal(await statusOf('GET', '/openapi.json', {}), 401);

  t.equal(await statusOf('GET', '/v1/clients', basic('reader', 'r')), 200);
  t.equal(await statusOf('POST', '/v1/mesh/send', basic('reader', 'r')), 403);
  t.equal(await statusOf('DELETE', '/v1/clients/1', basic('reader', 'r')), 403);
  t.equal(await statusOf('POST', '/v1/mesh/send', basic('writer', 'w:1')), 200, 'a password with a colon');
  t.equal(await statusOf('GET', '/v1/clients', basic('writer', 'w:1')), 403);
  t.equal(await statusOf('GET', '/v1/nodes', basic('writer', 'w:1')), 200);
  t.equal(await statusOf('GET', '/v1/clients', basic('near', 'n')), 200);
  t.equal(await statusOf('GET', '/v1/clients', basic('far', 'f')), 401, 'from elsewhere only');
  t.equal(await statusOf('GET', '/v1/clients', bearer('r')), 200);
  t.equal(await statusOf('GET', '/v1/clients', bearer('f')), 401);
  for (const forged of [
    basic('reader', ''),
    basic('', 'r'),
    basic('reader', 'w:1'),
    { authorization: 'Basic !!!' },
    { authorization: `Digest ${'x'.repeat(20)}` },
  ])
    t.equal(await statusOf('GET', '/v1/clients', forged), 401, forged.authorization);
  t.notMatch(JSON.stringify(api.log), /w:1/, 'no password in the log');
});

t.test('many wrong passwords are too many, right ones too then', async (t) => {
  const api = await startEngineWithApi(NOTHING, { access: USERS });
  t.teardown(api.stop);
  for (let i = 0; i < 10; i++)
    t.equal((await api.request('GET', '/v1/clients', undefined, basic('reader', `${i}`))).status, 401);
  const limited = await api.request('GET', '/v1/clients', undefined, basic('reader', 'r'));
  t.match(limited, { status: 429, body: { code: 'rate_limited' } });
  t.ok(Number(limited.headers.get('retry-after')) > 0);
  await t.rejects(WebClient.connect(api.api.port, '/ws/v1', [], { headers: basic('writer', 'w:1') }), /429/);
  t.equal((await api.request('GET', '/healthz')).status, 200);
});

t.test('the table of attempts is bounded, and forgets', async (t) => {
  const attempts = new Attempts();
  for (let i = 0; i < 10; i++) attempts.failed('192.0.2.1', 0);
  t.equal(attempts.wait('192.0.2.1', 1000), 59);
  t.equal(attempts.wait('192.0.2.2', 1000), 0);
  t.equal(attempts.wait('192.0.2.1', 60_000), 0);
  attempts.failed('192.0.2.1', 60_000);
  t.equal(attempts.wait('192.0.2.1', 60_001), 0, 'the count begins anew');
  for (let i = 0; i < 10; i++) attempts.failed(`2001:db8:1:2:${i}::1`, 0);
  t.ok(attempts.wait('2001:db8:1:2:ffff::', 1) > 0, 'a network of one owner counts as one');
  for (let i = 0; i < 30_000; i++) attempts.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 0);
  t.equal(attempts.wait('2001:db8:1:2:ffff::', 1), 0, 'the oldest are forgotten');
});

t.test('a changed configuration holds at once, for open WebSockets too', async (t) => {
  const api = await startEngineWithApi(NOTHING, { access: USERS });
  t.teardown(api.stop);
  const ws = await WebClient.connect(api.api.port, '/ws/v1', [], { headers: basic('writer', 'w:1') });
  api.setAccess(`{ users: [{ username: writer, password: 'w:1', roles: [write] }] }`);
  ws.send('ping');
  t.equal(await ws.message(1), 'pong', 'still welcome');
  t.equal((await api.request('GET', '/v1/clients', undefined, basic('reader', 'r'))).status, 401);
  api.setAccess('{ users: [{ username: writer, password: changed, roles: [write] }] }');
  ws.send('{"m":"mesh.publish","p":{"c":"x","d":"x"},"i":1}');
  t.equal((await ws.end())[0], 1008);
  t.equal(ws.received.length, 1);
  t.equal((await api.request('POST', '/v1/mesh/send', { c: '1', d: 'x' }, bearer('changed'))).status, 200);
});

t.test('WebSockets need the role write', async (t) => {
  const api = await startEngineWithApi(NOTHING, { access: USERS });
  t.teardown(api.stop);
  const connect = (headers: Record<string, string>) =>
    WebClient.connect(api.api.port, '/ws/v1', [], { headers });
  await t.rejects(connect({}), /401/);
  await t.rejects(connect(basic('reader', 'r')), /403/);
  const ws = await connect(bearer('w:1'));
  ws.ws.close();
});

t.test('web pages of elsewhere cannot use the API', async (t) => {
  const api = await startEngineWithApi(NOTHING, { apiServer: '{ port: 0, cors: [https://good.example] }' });
  t.teardown(api.stop);
  const send = (headers: Record<string, string>) =>
    api.request('POST', '/v1/mesh/send', { c: '1', d: 'x' }, headers);
  t.match(await send({ origin: 'https://evil.example' }), { status: 403, body: { code: 'forbidden' } });
  t.equal((await send({ origin: 'null' })).status, 403);
  t.equal((await send({ origin: api.url })).status, 200, 'its own pages');
  const good = await send({ origin: 'https://good.example' });
  t.equal(good.status, 200);
  t.equal(good.headers.get('access-control-allow-origin'), 'https://good.example');
  const preflight = await api.request('OPTIONS', '/v1/mesh/send', undefined, {
    origin: 'https://good.example',
  });
  t.equal(preflight.status, 204);
  t.match(preflight.headers.get('access-control-allow-headers'), 'authorization');
  t.equal(
    (await api.request('OPTIONS', '/v1/mesh/send', undefined, { origin: 'https://evil.example' })).status,
    403,
  );
  const missing = await api.request('GET', '/v1/none', undefined, { origin: 'https://good.example' });
  t.equal(missing.headers.get('access-control-allow-origin'), 'https://good.example', 'errors too');
  const plain = await api.request('GET', '/v1/clients');
  t.equal(plain.headers.get('access-control-allow-origin'), null);
});
