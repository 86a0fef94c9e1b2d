import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { startTestEngine, until } from '../support/engine.js';
import { missing } from '../support/need.js';

const skip = missing('openssl', 'openssl');

/** Tells the device what it knows of the connection. */
const LINK = `
function on_connect(id, conn) conn:send(mix.json_encode(conn:tls())) end`;

/** A device that speaks TLS, and wants a certificate where `mutual`. */
async function device(t: Test, { ca, server }: Certificates, mutual = false) {
  const open = new Set<TLSSocket>();
  const received: { text: string; client: unknown; alpn: string | false | null }[] = [];
  const listener = createServer(
    {
      cert: readFileSync(server.cert),
      key: readFileSync(server.key),
      ALPNProtocols: ['modbus-security', 'x'],
      ...(mutual && { ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true }),
    },
    (socket) => {
      open.add(socket.on('error', () => {}));
      socket.on('data', (bytes) => {
        const client = socket.getPeerCertificate().subject?.CN;
        received.push({ text: bytes.toString(), client, alpn: socket.alpnProtocol });
      });
    },
  );
  listener.listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    listener.close();
  });
  return { port: (listener.address() as AddressInfo).port, received };
}

async function start(t: Test, ...links: string[]) {
  const lines = links.map(
    (tcp, n) =>
      `  - { name: l${n}, entry: main.lua, reconnect: { minSeconds: 0.1, maxSeconds: 0.2 }, tcp: ${tcp} }`,
  );
  const test = await startTestEngine({ 'main.lua': LINK }, `links:\n${lines.join('\n')}`);
  t.teardown(() => test.stop());
  return test;
}

t.test('a link over TLS', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { ca } = certificates;
  const plc = await device(t, certificates);
  const where = `port: ${plc.port}`;
  const test = await start(
    t,
    `{ host: localhost, ${where}, tls: { ca: ${ca}, alpn: [modbus-security] } }`,
    `{ host: 127.0.0.1, ${where}, tls: { ca: ${ca}, servername: localhost, maxVersion: TLSv1.2 } }`,
    `{ host: 127.0.0.1, ${where}, tls: { ca: ${ca}, servername: other.example } }`,
    `{ host: 127.0.0.1, ${where}, tls: {} }`,
  );
  await until(() => plc.received.length === 2);
  const facts = plc.received.map(({ text, alpn }) => ({ ...JSON.parse(text), agreed: alpn }));
  facts.sort((a, b) => b.version.localeCompare(a.version));
  t.match(facts, [
    { version: 'TLSv1.3', agreed: 'modbus-security', alpn: 'modbus-security', subject: { CN: 'server' } },
    {
      version: 'TLSv1.2',
      agreed: false,
      subject: { CN: 'server' },
      san: ['IP Address:127.0.0.1', 'DNS:localhost'],
    },
  ]);
  const said = (link: string) =>
    test.log.find(({ at, message }) => at === link && / did not open: /.test(message));
  await until(() => said('l2') !== undefined && said('l3') !== undefined);
  t.match(
    said('l2')!.message,
    /127\.0\.0\.1:\d+ is not trusted: Hostname\/IP does not match .*other\.example/,
  );
  t.match(said('l3')!.message, /127\.0\.0\.1:\d+ is not trusted: unable to verify/);
  t.equal(plc.received.length, 2);
});

t.test('a link with a certificate of its own', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { ca, client } = certificates;
  const plc = await device(t, certificates, true);
  const test = await start(
    t,
    `{ host: localhost, port: ${plc.port}, tls: { ca: ${ca}, cert: ${client.cert}, key: ${client.key} } }`,
    `{ host: localhost, port: ${plc.port}, tls: { ca: ${ca}, maxVersion: TLSv1.2 } }`,
  );
  await until(() => plc.received.length === 1);
  t.equal(plc.received[0]!.client, 'client');
  await until(() => test.log.some(({ at, message }) => at === 'l1' && /did not open: /.test(message)));
  t.equal(plc.received.length, 1);
});

t.test('files that cannot be used keep an engine from starting', { skip }, async (t) => {
  const { ca, client, server } = makeCertificates(t);
  await t.rejects(
    start(t, `{ host: localhost, port: 1, tls: { cert: ${server.cert}, key: ${client.key} } }`),
    { code: 'invalid_argument', message: /^link l0: .*client\.key is not the key of .*server\.pem$/ },
  );
  await t.rejects(start(t, `{ host: localhost, port: 1, tls: { ca: ${ca.replace('.pem', '.key')} } }`), {
    message: /^link l0: .*ca\.key has no PEM block CERTIFICATE$/,
  });
});
