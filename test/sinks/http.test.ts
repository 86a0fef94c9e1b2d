import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { idOf, idsTo, TestFeed, until } from './support.js';

interface Request {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly ids: string[];
}

type React = (response: ServerResponse, request: Request, index: number) => void;

const ok: React = (response) => {
  response.end('{}');
};

/** A receiver that keeps what it took, and answers as `react` does. */
class Receiver {
  readonly requests: Request[] = [];
  /** Ids of reports in requests that were answered with 200, in the order they came. */
  readonly taken: string[] = [];
  react: React = ok;
  connections = 0;

  readonly handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const ids = (JSON.parse(body) as { reports: { id: string }[] }).reports.map(({ id }) => id);
    const request = { headers: incoming.headers, body, ids };
    this.requests.push(request);
    response.on('finish', () => response.statusCode === 200 && this.taken.push(...ids));
    this.react(response, request, this.requests.length - 1);
  };

  /** Listens until the test ends; returns the port. */
  async listen(t: Test, port = 0): Promise<number> {
    const server = createServer(this.handle).on('connection', () => this.connections++);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.close();
      server.closeAllConnections();
    });
    return (server.address() as AddressInfo).port;
  }
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}/in?x=1`;

t.test('batches are posted over one connection, signed, with an id that stays', async (t) => {
  const receiver = new Receiver();
  const url = urlOf(await receiver.listen(t));
  const feed = await TestFeed.open(t, ['http']);
  feed.add(20);
  receiver.react = (response, request, index) => {
    if (index === 0) response.statusCode = 503;
    ok(response, request, index);
  };
  const secret = `whsec_${Buffer.from('a key').toString('base64')}`;
  const headers = { Authorization: 'Bearer x' };
  const delivery = await feed.deliver({ http: { url, secret, headers }, batch: { records: 10 } });
  await until(() => receiver.taken.length === 20);
  t.same(receiver.taken, idsTo(20));
  t.equal(receiver.connections, 1);
  const [first, again, second] = receiver.requests as [Request, Request, Request];
  for (const { headers, body } of [first, again, second]) {
    const id = headers['webhook-id'];
    const signed = `${id}.${headers['webhook-timestamp']}.${body}`;
    const mac = createHmac('sha256', 'a key').update(signed).digest('base64');
    t.equal(headers['webhook-signature'], `v1,${mac}`);
    t.equal(headers['idempotency-key'], id);
    t.match(headers, { authorization: 'Bearer x', 'content-type': 'application/json' });
  }
  t.equal(again.headers['webhook-id'], first.headers['webhook-id']);
  t.not(second.headers['webhook-id'], first.headers['webhook-id']);
  t.same(JSON.parse(first.body).reports[0].values, { n: 1 });
  await until(() => delivery.status().delivered === 20);
  t.equal(delivery.status().retried, 10);
});

t.test('nothing is lost to 500, time-outs, cut connections and redirects', async (t) => {
  const receiver = new Receiver();
  const url = urlOf(await receiver.listen(t));
  const feed = await TestFeed.open(t, ['http']);
  const kinds: React[] = [
    (response) => response.writeHead(500).end('x'.repeat(100_000)),
    () => {},
    (response) => response.destroy(),
    (response) => response.writeHead(200, { 'content-length': 50 }).write('half', () => response.destroy()),
    (response) => response.writeHead(301, { location: '/elsewhere' }).end(),
    (response) => response.writeHead(401).end(),
    (response) => response.writeHead(404).end(),
  ];
  // Every other request fails, each time in another way.
  receiver.react = (response, request, index) =>
    index % 2 === 0
      ? kinds[(index / 2) % kinds.length]!(response, request, index)
      : ok(response, request, index);
  const delivery = await feed.deliver({ http: { url }, timeout: 0.5, batch: { records: 10 } });
  feed.add(100);
  await until(() => receiver.taken.length >= 100);
  await until(() => delivery.status().pending === 0);
  t.same(receiver.taken, idsTo(100), 'in order');
  t.match(delivery.status(), { delivered: 100, dead: 0 });
  t.ok(delivery.status().retried >= 100);
});

t.test('a receiver that says when to come back is heeded', async (t) => {
  const receiver = new Receiver();
  const url = urlOf(await receiver.listen(t));
  const feed = await TestFeed.open(t, ['http']);
  const times: number[] = [];
  receiver.react = (response, request, index) => {
    times.push(performance.now());
    if (index === 0) response.writeHead(429, { 'retry-after': '1' }).end();
    else if (index === 1)
      response.writeHead(503, { 'retry-after': new Date(Date.now() + 2000).toUTCString() }).end();
    else ok(response, request, index);
  };
  await feed.deliver({ http: { url } });
  feed.add(5);
  await until(() => receiver.taken.length === 5);
  t.ok(times[1]! - times[0]! >= 990);
  // A date has whole seconds.
  t.ok(times[2]! - times[1]! >= 900);
});

t.test(
  'what is refused becomes a dead letter with the reason; what is too large goes in parts',
  async (t) => {
    const receiver = new Receiver();
    const url = urlOf(await receiver.listen(t));
    const feed = await TestFeed.open(t, ['http']);
    receiver.react = (response, request, index) => {
      if (request.ids.length > 4) response.writeHead(413).end();
      else if (request.ids.includes(idOf(7))) response.writeHead(400).end('no\nsuch\u0000 device');
      else ok(response, request, index);
    };
    const delivery = await feed.deliver({ http: { url }, retry: { attempts: 2, minSeconds: 0.05 } });
    feed.add(16, 16);
    await until(() => delivery.status().pending === 0);
    t.same(
      receiver.taken,
      idsTo(16).filter((id) => id !== idOf(7)),
    );
    const letters = readFileSync(join(feed.folder, 'dead/http.jsonl'), 'utf8').trimEnd().split('\n');
    t.equal(letters.length, 1);
    t.match(JSON.parse(letters[0]!), { id: idOf(7), reason: 'status 400: no such device' });
  },
);

t.test('reports wait for a receiver that is not there', async (t) => {
  const port = await freePort();
  const feed = await TestFeed.open(t, ['http']);
  const delivery = await feed.deliver({ http: { url: urlOf(port) } });
  feed.add(30);
  await until(() => delivery.status().retried > 0);
  t.match(delivery.status(), { ok: false, dead: 0, error: /ECONNREFUSED/ });
  const receiver = new Receiver();
  await receiver.listen(t, port);
  await until(() => receiver.taken.length === 30);
  t.same(receiver.taken, idsTo(30));
});

t.test('https, with a certificate of the own', { skip: missing('openssl', 'openssl') }, async (t) => {
  const { ca, server, client } = makeCertificates(t);
  const receiver = new Receiver();
  const options = {
    cert: readFileSync(server.cert),
    key: readFileSync(server.key),
    ca: readFileSync(ca),
    requestCert: true,
  };
  const https = createTlsServer(options, receiver.handle).listen(0, '127.0.0.1');
  await once(https, 'listening');
  t.teardown(() => {
    https.close();
    https.closeAllConnections();
  });
  const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}/`;
  const feed = await TestFeed.open(t, ['strange', 'good']);
  const strange = await feed.deliver({ name: 'strange', http: { url } });
  await feed.deliver({ name: 'good', http: { url, tls: { ca, ...client } } });
  feed.add(5);
  await until(() => receiver.taken.length === 5);
  await until(() => strange.status().error !== undefined);
  t.match(strange.status(), { delivered: 0, error: /certificate/ }, 'an unknown authority is not trusted');
});
