import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { until } from '../../support/engine.js';
import { missing } from '../../support/need.js';
import { startLua } from '../../support/run-lua.js';

function listen(t: Test, server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

/** Starts an HTTP server and resolves with its URL, without a slash at the end. */
async function serve(t: Test, listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(t, createServer(listener))}`;
}

/** What a server got, its bytes as one-byte strings. */
interface Got {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  raw: string[];
  body: string;
}

/** A server that keeps what it gets and answers with `ok`. */
async function recorder(t: Test): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const url = await serve(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += (chunk as Buffer).toString('latin1');
    const { method, headers, rawHeaders } = request;
    got.push({ method: method!, url: request.url!, headers, raw: rawHeaders, body });
    response.end('ok');
  });
  return { url, got };
}

t.test('every option reaches the server', async (t) => {
  const { run } = await startLua(t);
  const { url, got } = await recorder(t);
  const [response, error] = await run(`return mix.http.request("put", "${url}/a%20b?x=1", {
    query = { q = "a b&\\255", n = 7, list = { "1", 2, true } },
    headers = { ["X-Station"] = "n\\195\\182rd", ["x-count"] = 12, ["Content-Type"] = "text/plain" },
    cookies = { session = "abc" },
    body = "\\0\\1\\255\\r\\n",
    auth = { username = "ann", password = "s:e\\195\\169" },
    timeout = 20,
  })`);
  t.equal(error, undefined);
  t.match(response, { status_code: 200, body: 'ok', body_size: 2 });
  const [first] = got;
  t.equal(first!.method, 'PUT');
  const { pathname, search } = new URL(first!.url, url);
  t.equal(pathname, '/a%20b');
  t.same(search.slice(1).split('&').sort(), ['list=1', 'list=2', 'list=true', 'n=7', 'q=a%20b%26%FF', 'x=1']);
  t.match(first!.headers, {
    'x-station': 'n\u00c3\u00b6rd',
    'x-count': '12',
    'content-type': 'text/plain',
    'content-length': '5',
    'user-agent': 'moonwire',
    cookie: 'session=abc',
    authorization: `Basic ${Buffer.from('ann:s:eé').toString('base64')}`,
  });
  t.ok(first!.raw.includes('X-Station'), 'names of headers are written as given');
  t.equal(first!.body, '\0\x01\xff\r\n');
});

t.test('short forms: a query as text, a table as JSON, credentials in the url, a method alone', async (t) => {
  const { run } = await startLua(t);
  const { url, got } = await recorder(t);
  const [response] = await run(`
    mix.http.request("POST", "${url}/", { query = "?a=1&b=%20", body = { n = 1, list = { "\\195\\164" } }, headers = {} })
    mix.http.request("POST", "${url}/", { body = "", cookies = {}, query = {} })
    return mix.http.request("GET", "${url.replace('//', '//user:p%40ss@')}/x#y", { timeout = "1m30s" })`);
  t.match(got[0], {
    url: '/?a=1&b=%20',
    headers: { 'content-type': 'application/json', 'content-length': String(got[0]!.body.length) },
  });
  t.same(JSON.parse(Buffer.from(got[0]!.body, 'latin1').toString()), { n: 1, list: ['ä'] });
  t.match(got[1], { body: '', headers: { 'content-length': '0' } });
  t.notOk('content-type' in got[1]!.headers);
  t.match(got[2], {
    method: 'GET',
    headers: { authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}` },
  });
  t.equal((response as { url: string }).url, `${url}/x#y`, 'the url of a response holds no credentials');
});

t.test('a response: bytes, canonical names of headers, cookies, any status', async (t) => {
  const { run } = await startLua(t);
  const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const url = await serve(t, (_, response) => {
    response.writeHead(404, [
      ['content-type', 'application/octet-stream'],
      ['x-rate-LIMIT', '7'],
      ['X-Name', 'é'],
      ['Set-Cookie', 'a="1 2"; Path=/; HttpOnly'],
      ['Set-Cookie', 'b=x=y'],
      ['__proto__', 'p'],
    ]);
    response.end(body);
  });
  const [response] = await run(`return mix.http.request("GET", "${url}")`);
  t.match(response, {
    status_code: 404,
    body: body.toString('latin1'),
    body_size: 256,
    headers: { 'Content-Type': 'application/octet-stream', 'X-Rate-Limit': '7', 'X-Name': '\xe9' },
    cookies: { a: '1 2', b: 'x=y' },
    url: `${url}/`,
  });
  const [head] = await run(`return mix.http.request("HEAD", "${url}")`);
  t.match(head, { status_code: 404, body: '', body_size: 0 });
});

t.test('a body is bounded, whether its length is told or not', async (t) => {
  const { run } = await startLua(t);
  const MiB = 1024 * 1024;
  let closedEarly = 0;
  const url = await serve(t, (request, response) => {
    const size = Number(request.url!.slice(2));
    response.on('close', () => {
      if (!response.writableFinished) closedEarly++;
    });
    if (request.url === '/tiny') {
      for (let i = 0; i < 20_000; i++) response.write(String(i % 10));
      response.end();
      return;
    }
    if (request.url![1] === 'l') response.setHeader('Content-Length', size);
    const more = () => {
      for (let i = 0; i < 4 && !response.destroyed; i++) response.write(Buffer.alloc(65_536, 'x'));
    };
    if (size <= MiB) response.end(Buffer.alloc(size, 'x'));
    else {
      response.on('drain', more);
      more();
    }
  });
  const [tiny] = await run(`return mix.http.request("GET", "${url}/tiny").body`);
  t.equal(tiny, '0123456789'.repeat(2000), 'one that comes in tiny pieces');
  for (const kind of ['l', 'c']) {
    const [full] = await run(`return mix.http.request("GET", "${url}/${kind}${MiB}").body_size`);
    t.equal(full, MiB, 'what a Lua string can hold');
    t.same(await run(`return mix.http.request("GET", "${url}/${kind}${100 * MiB}")`), [
      undefined,
      `too_large: ${url.slice(7)} answered with more than ${MiB} bytes`,
    ]);
  }
  await until(() => closedEarly === 2);
  t.pass('the rest is not read');
  t.match(await run(`return mix.http.request("POST", "${url}", { body = { string.rep("x", ${MiB}) } })`), [
    undefined,
    /^too_large: a body has at most/,
  ]);
});

t.test('time is bounded as a whole: no answer, an answer that drips', async (t) => {
  const { run, engine } = await startLua(t);
  const url = await serve(t, (request, response) => {
    if (request.url === '/silent') return;
    response.writeHead(200, { 'Content-Length': 1000 });
    const drip = setInterval(() => response.write('x'), 10);
    response.on('close', () => clearInterval(drip));
  });
  const silent = await run(
    `return mix.http.request("GET", "${url}/silent?token=secret", { timeout = 0.05 })`,
  );
  t.same(silent, [undefined, `timeout: ${url.slice(7)} gave no complete answer within 0.05 s`]);
  const drip = await run(`return mix.http.request("GET", "${url}/drip", { timeout = "80ms" })`);
  t.match(drip, [undefined, /^timeout: .* within 0.08 s/]);
  t.same(engine.services.http.counters, { requests: 2, failed: 2, refused: 0 });
});

t.test('redirects: followed, counted, methods and secrets kept or dropped', async (t) => {
  const { run } = await startLua(t);
  const other = await recorder(t);
  const got: string[] = [];
  const url = await serve(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { authorization = '', cookie = '' } = request.headers;
    got.push([request.method, request.url, body, authorization !== '' ? 'auth' : '', cookie].join(' '));
    const [, status, target] = /^\/(\d+)(.*)$/.exec(request.url!) ?? [];
    if (status === undefined) return response.end('there');
    const to =
      { '/away': other.url, '/loop': request.url!, '/utf8': '/\u00c3\u00a4', '/file': 'file:///etc/passwd' }[
        target!
      ] ?? '/there';
    return response.writeHead(Number(status), { Location: to }).end('moved');
  });
  const options = '{ body = "b", auth = { username = "u", password = "p" }, cookies = { c = 1 } }';
  for (const status of [301, 302, 303, 307, 308]) {
    const [response] = await run(`return mix.http.request("POST", "${url}/${status}", ${options})`);
    t.match(response, { status_code: 200, body: 'there', url: `${url}/there` });
  }
  t.same(
    got.filter((line) => line.includes('/there')),
    [
      ...['GET /there  auth c=1', 'GET /there  auth c=1', 'GET /there  auth c=1'],
      ...['POST /there b auth c=1', 'POST /there b auth c=1'],
    ],
  );
  t.match(await run(`return mix.http.request("GET", "${url}/302/utf8").url`), [`${url}/%C3%A4`]);
  await run(`return mix.http.request("POST", "${url}/307/away", ${options})`);
  t.match(other.got, [{ method: 'POST', body: 'b' }]);
  t.notOk('authorization' in other.got[0]!.headers);
  t.notOk('cookie' in other.got[0]!.headers);
  got.length = 0;
  t.match(await run(`return mix.http.request("GET", "${url}/302/loop")`), [
    undefined,
    /^too_large: more than 10 redirects/,
  ]);
  t.equal(got.length, 11);
  t.match(await run(`return mix.http.request("GET", "${url}/302/file")`), [
    undefined,
    /^invalid_argument: the url must be http or https/,
  ]);
});

t.test('what keeps an answer away is told by code', async (t) => {
  const { run } = await startLua(t);
  const closed = await serve(t, (request) => request.socket.destroy());
  const switching = await listen(
    t,
    createTcpServer((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    ),
  );
  const noise = await listen(
    t,
    createTcpServer((socket) => socket.end('+OK not HTTP\r\n\r\n')),
  );
  const headers = await serve(t, (_, response) =>
    response.writeHead(200, { 'X-A': 'a'.repeat(20_000) }).end(),
  );
  const free = createTcpServer();
  const port = await listen(t, free);
  await new Promise((resolve) => free.close(resolve));
  const cases: [string, RegExp][] = [
    [
      `http://user:secret@127.0.0.1:${port}/?token=secret`,
      /^not_connected: 127\.0\.0\.1:\d+ refused the connection/,
    ],
    [`${closed}/secret`, /^not_connected: /],
    [`http://127.0.0.1:${switching}/secret`, /^decode_error: .* gave no HTTP response/],
    [`http://127.0.0.1:${noise}/secret`, /^decode_error: 127\.0\.0\.1:\d+ does not answer in HTTP/],
    [`${headers}/secret`, /^too_large: .* too many headers/],
    ['http://name.invalid/secret', /^(not_found|not_connected): name\.invalid:80 /],
  ];
  for (const [url, expected] of cases) {
    const [response, error] = await run(`return mix.http.request("GET", "${url}")`);
    t.equal(response, undefined);
    t.match(error, expected, url);
    t.notMatch(error, /secret/);
  }
});

t.test('a certificate nobody vouches for is refused', { skip: missing('openssl', 'openssl') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const request = [
    'req',
    '-x509',
    ...curve,
    '-nodes',
    ...subject,
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', request, { stdio: 'ignore' });
  let reached = 0;
  const server = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
    reached++;
    response.end();
  });
  const port = await listen(t, server);
  const { run } = await startLua(t);
  const [response, error] = await run(`return mix.http.request("GET", "https://127.0.0.1:${port}/")`);
  t.equal(response, undefined);
  t.match(error, /^unauthorized: 127\.0\.0\.1:\d+ is not trusted: self-signed certificate/);
  t.equal(reached, 0);
});

t.test('nothing can be smuggled into a request; bad requests are refused before they leave', async (t) => {
  const { run } = await startLua(t);
  const { url, got } = await recorder(t);
  const options: [string, RegExp][] = [
    [
      '{ headers = { ["X-A"] = "1\\r\\nX-Evil: 1" } }',
      /header X-A must be a string without control characters/,
    ],
    ['{ headers = { ["X-A"] = "1\\n" } }', /header X-A/],
    ['{ headers = { ["X-A"] = "\\0" } }', /header X-A/],
    ['{ headers = { ["X-A"] = {} } }', /header X-A/],
    ['{ headers = { ["X-A: 1\\r\\nX-Evil"] = "1" } }', /is not a header's name/],
    ['{ headers = { [""] = "1" } }', /is not a header's name/],
    ['{ headers = { "x" } }', /headers must be a table of names to values/],
    ['{ headers = "X-A: 1" }', /headers must be a table of names to values/],
    ['{ cookies = { a = "1; admin=1" } }', /cookie a must be a string without semicolons/],
    ['{ cookies = { a = "1\\r\\nX-Evil: 1" } }', /cookie a/],
    ['{ cookies = { ["a=1;b"] = "1" } }', /is not a cookie's name/],
    ['{ query = { a = { { 1 } } } }', /query a must be/],
    ['{ query = 7 }', /query must be a table/],
    ['{ auth = { username = "a:b", password = "secret" } }', /auth must be a table with username/],
    ['{ auth = { username = "a" } }', /auth must be a table with username/],
    ['{ auth = "secret" }', /auth must be a table/],
    ['{ timeout = 0 }', /timeout must be seconds or a duration/],
    ['{ timeout = -1 }', /timeout must be/],
    ['{ timeout = 86401 }', /timeout must be/],
    ['{ timeout = "1 h" }', /timeout must be/],
    ['{ timeout = "30" }', /timeout must be/],
    ['{ timeout = 0/0 }', /timeout must be/],
    ['{ header = {} }', /there is no option header \(known: query, cookies, body, headers, timeout, auth\)/],
    ['"secret"', /options must be a table/],
    ['{ headers = { a = string.rep("x", 40000) } }', /headers have at most 32768 bytes/],
    ['{ query = { a = string.rep("x", 9000) } }', /the url has at most 8192 characters/],
  ];
  for (const [given, expected] of options) {
    const [response, error] = await run(`return mix.http.request("GET", "${url}/", ${given})`);
    t.equal(response, undefined, given);
    t.match(error, /^(invalid_argument|too_large): /, given);
    t.match(error, expected, given);
    t.notMatch(error, /secret/);
  }
  for (const [method, address] of [
    ['GET / HTTP/1.1\\r\\nX: 1\\r\\n', url],
    ['', url],
    ['CONNECT', url],
    ['GET', 'ftp://127.0.0.1/'],
    ['GET', 'file:///etc/passwd'],
    ['GET', 'http://'],
    ['GET', '/relative'],
    ['GET', 'http://127.0.0.1:99999/'],
  ]) {
    t.match(await run(`return mix.http.request("${method}", "${address}")`), [
      undefined,
      /^invalid_argument: /,
    ]);
  }
  t.equal(got.length, 0);
  await run(`return mix.http.request("POST", "${url}/a\\r\\nX-Evil: 1", {
    body = "1234", headers = { ["Content-Length"] = "1", ["transfer-encoding"] = "chunked", Expect = "100-continue" } })`);
  t.match(got, [{ body: '1234', headers: { 'content-length': '4' } }]);
  for (const name of ['x-evil', 'transfer-encoding', 'expect']) t.notOk(name in got[0]!.headers, name);
});

t.test('requests under way are bounded; beyond it one fails at once, and the rest go on', async (t) => {
  const { run, engine } = await startLua(t);
  const waiting: (() => void)[] = [];
  const url = await serve(t, (_, response) => waiting.push(() => response.end('ok')));
  const request = `return mix.http.request("GET", "${url}")`;
  const running = Array.from({ length: 64 }, () => run(request));
  t.match(await run(request), [undefined, /^overloaded: 64 requests are under way/]);
  t.equal(engine.services.http.counters.refused, 1);
  await until(() => waiting.length === 64);
  for (const answer of waiting.splice(0)) answer();
  for (const [response] of await Promise.all(running)) t.match(response, { body: 'ok' });
  const again = run(request);
  await until(() => waiting.length === 1);
  waiting[0]!();
  t.match(await again, [{ body: 'ok' }]);
});

t.test('a connection is kept for the next request, and replaced when the server closed it', async (t) => {
  const { run } = await startLua(t);
  let connections = 0;
  let requests = 0;
  const server = createServer((request, response) => {
    // The third request on a connection meets a server that just closed it.
    if (++requests === 3) request.socket.destroy();
    else response.end(String(requests));
  });
  server.on('connection', () => connections++);
  const port = await listen(t, server);
  const url = `http://127.0.0.1:${port}`;
  t.match(await run(`return mix.http.request("GET", "${url}")`), [{ body: '1' }]);
  t.match(await run(`return mix.http.request("GET", "${url}")`), [{ body: '2' }]);
  t.equal(connections, 1);
  t.match(await run(`return mix.http.request("GET", "${url}")`), [{ body: '4' }], 'asked once more');
  t.equal(connections, 2);
});

t.test('a handler that waits when the engine stops does not go on', async (t) => {
  const { run, engine } = await startLua(t);
  let arrived = () => {};
  const request = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const url = await serve(t, () => arrived());
  let ended = false;
  void run(`return mix.http.request("GET", "${url}")`).finally(() => {
    ended = true;
  });
  await request;
  engine.services.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.notOk(ended);
});
