import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import t, { type Test } from 'tap';
import { moonwire } from '../support/cli.js';

t.test('usage', async (t) => {
  for (const [args, problem] of [
    [['send', '1'], /missing required argument 'data'/],
    [['send', 'abc', 'x'], /must be a decimal number/],
    [['send', '1', 'xyz', '--binary'], /hexadecimal bytes/],
    [['send', '1', '{', '--value'], /data are JSON/],
    [['send', '1', '00', '--value', '--binary'], /exclude each other/],
    [['publish', 'c', 'x', '--type', 'odd'], /text or binary/],
    [['clients', '--limit', '0'], /whole number from 1/],
    [['clients', '--after', 'x'], /decimal number/],
    [['ps', '--api', 'a:b:c'], /host:port/],
    [['top', '--interval', '0'], /whole number/],
  ] as const) {
    const { code, stderr } = await moonwire(args);
    t.equal(code, 2, args.join(' '));
    t.match(stderr, problem);
  }
});

/** A server that is not Moonwire. */
async function stranger(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('who does not answer, or not as Moonwire does', async (t) => {
  for (const [name, listener, code, problem] of [
    ['text', (_, response) => response.end('hello'), 1, /is not the API of Moonwire/],
    ['list', (_, response) => response.end('[]'), 1, /is not the API of Moonwire/],
    ['status', (_, response) => response.writeHead(418).end('tea'), 1, /answers with status 418/],
    ['reset', (request) => request.socket.destroy(), 3, /127\.0\.0\.1:\d+ (reset|closed|failed)/],
    ['short', (_, response) => response.writeHead(200, { 'content-length': 9 }).end('{'), 3, /reset/],
  ] as [string, RequestListener, number, RegExp][]) {
    const api = await stranger(t, listener);
    const { code: ended, stderr } = await moonwire(['ps', '--api', api]);
    t.equal(ended, code, `${name}: ${stderr}`);
    t.match(stderr, problem, name);
    t.notMatch(stderr, /\n\s+at /, 'no stack');
  }
  const closed = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  for (const args of [['ps'], ['send', '1', 'x'], ['top', '--once'], ['trace', '1']]) {
    const { code, stderr } = await moonwire([...args, '--api', `127.0.0.1:${port}`]);
    t.equal(code, 3, args[0]);
    t.match(stderr, /nothing listens there/);
  }
  t.equal((await moonwire(['ps', '--api', 'no-such-host.invalid'])).code, 3);

  const timeout = await stranger(t, (_, response) => {
    response.end('{"E":{"c":401,"m":"timeout: node 3 did not answer"}}');
  });
  t.equal((await moonwire(['send', '1', 'x', '--api', timeout])).code, 4, 'it may have been sent');
  const reset = await stranger(t, (request) => request.socket.destroy());
  const unknown = await moonwire(['publish', 'c', 'x', '--api', reset]);
  t.equal(unknown.code, 4);
  t.match(unknown.stderr, /may have been done/);
  for (const [how, problem] of [
    [(response: ServerResponse) => response.end(), /ended before the client did/],
    [(response: ServerResponse) => response.destroy(), /ended the connection in the middle/],
  ] as const) {
    const broken = await stranger(t, ({ url }, response) => {
      if (!url!.endsWith('/trace')) return response.end('{}');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"time":1,"client":"1","event":"in","hex":"61"}\n\n', () => how(response));
      return undefined;
    });
    const lost = await moonwire(['trace', '1', '--json', '--api', broken]);
    t.equal(lost.code, 1);
    t.equal(lost.stdout.split('\n').length, 2);
    t.match(lost.stderr, problem);
  }
});
