import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { OpensslClient } from '../support/openssl.js';
import { ask, own, startTls } from '../support/tls-engine.js';

const skip = missing('openssl', 'openssl');

t.test('versions, ciphers and names', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const other = certificates.issue('other', 'subjectAltName=DNS:other.example,DNS:*.wild.example');
  const test = await startTls(
    t,
    own(certificates, `certificates: [{ cert: ${other.cert}, key: ${other.key} }]`),
    own(certificates, 'maxVersion: TLSv1.2, alpn: [mqtt, x-amzn-mqtt-ca]'),
    own(certificates, 'minVersion: TLSv1.3'),
    own(certificates, 'ciphers: ECDHE-ECDSA-AES256-GCM-SHA384'),
  );
  const trust = ['-CAfile', certificates.ca];

  const newest = await ask(OpensslClient.start(t, test.port(), ...trust, '-servername', 'localhost'));
  t.match(newest, { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', servername: 'localhost' });
  t.notOk(newest.resumed);
  t.notOk('subject' in newest, 'a client without a certificate');
  const older = await ask(OpensslClient.start(t, test.port(), ...trust, '-tls1_2'));
  t.match(older, { version: 'TLSv1.2', cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256' });

  const named = [
    ['other.example', 'other'],
    ['Deep.Wild.Example', 'other'],
    ['localhost', 'server'],
    ['nobody.example', 'server'],
  ] as const;
  const shown = async (servername: string, subject: string, version: string): Promise<void> => {
    const client = OpensslClient.start(t, test.port(), ...trust, '-servername', servername, version);
    const [, found] = await client.until(/subject=CN = (\w+)/);
    t.equal(found, subject, `${servername} ${version}`);
    t.equal((await ask(client)).servername, servername);
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    await Promise.all(named.map(([servername, subject]) => shown(servername, subject, version)));
  }

  const alpn = await ask(OpensslClient.start(t, test.port(1), ...trust, '-alpn', 'h2,mqtt'));
  t.match(alpn, { version: 'TLSv1.2', alpn: 'mqtt' });
  t.match(
    await OpensslClient.start(t, test.port(1), '-alpn', 'h2').end(),
    /no application protocol/,
    'none of those offered',
  );
  t.match(await OpensslClient.start(t, test.port(1), '-tls1_3').end(), /alert protocol version/);
  t.match(await OpensslClient.start(t, test.port(2), '-tls1_2').end(), /alert protocol version/);
  for (const old of ['-tls1_1', '-tls1']) {
    const ended = OpensslClient.start(t, test.port(), old, '-cipher', 'ALL:@SECLEVEL=0').end();
    t.match(await ended, /alert protocol version/, old);
  }
  const chosen = OpensslClient.start(t, test.port(3), '-tls1_2', ...trust);
  t.equal((await ask(chosen)).cipher, 'ECDHE-ECDSA-AES256-GCM-SHA384');
  t.equal((await ask(OpensslClient.start(t, test.port(3), ...trust))).version, 'TLSv1.3');
  const { counters } = test.engine.servers[1]!.listener!;
  t.equal(counters.refusedHandshakes, 2, 'refusals are counted');
  t.ok(test.log.some(({ message }) => message.startsWith('TLS handshake failed: ')));
});

t.test('a client cannot renegotiate', { skip }, async (t) => {
  const test = await startTls(t, own(makeCertificates(t)));
  const client = OpensslClient.start(t, test.port(), '-tls1_2');
  await ask(client);
  client.send('R');
  t.match(await client.end(), /no renegotiation/);
});

t.test('sessions are resumed at every node that shares the seed', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const seed = 'ticketSeed: a secret of all nodes';
  const one = await startTls(t, own(certificates, seed));
  const two = await startTls(
    t,
    own(certificates, seed),
    own(certificates),
    own(certificates, `${seed}, ca: ${certificates.ca}, clientCert: optional`),
  );
  for (const version of ['-tls1_2', '-tls1_3']) {
    const file = join(certificates.folder, 'session');
    const keep = [version, '-CAfile', certificates.ca, '-sess_out', file];
    const first = OpensslClient.start(t, one.port(), ...keep);
    t.notOk((await ask(first)).resumed);
    const resume = [version, '-CAfile', certificates.ca, '-sess_in', file];
    const resumed = async (port: number): Promise<boolean> =>
      (await ask(OpensslClient.start(t, port, ...resume))).resumed;
    t.ok(await resumed(two.port()), `${version}: the other node`);
    t.notOk(await resumed(two.port(1)), `${version}: a node with a seed of its own`);
    t.notOk(await resumed(two.port(2)), `${version}: a server that asks for more`);
  }
});

t.test('an OCSP response is handed to those who ask', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { folder, server } = certificates;
  const serial = certificates.openssl('x509', '-in', server.cert, '-noout', '-serial').trim().split('=')[1];
  writeFileSync(join(folder, 'index.txt'), `V\t491231235959Z\t\t${serial}\tunknown\t/CN=server\n`);
  const responder = [
    '-index',
    'index.txt',
    '-CA',
    'ca.pem',
    '-rsigner',
    'ca.pem',
    '-rkey',
    'ca.key',
    '-ndays',
    '2',
  ];
  const asked = ['-issuer', 'ca.pem', '-cert', server.cert, '-respout', 'response.der'];
  certificates.openssl('ocsp', ...responder, ...asked);
  t.ok(readFileSync(join(folder, 'response.der')).length > 0);
  const test = await startTls(t, own(certificates, `ocsp: ${join(folder, 'response.der')}`));
  for (const version of ['-tls1_2', '-tls1_3']) {
    const client = OpensslClient.start(t, test.port(), version, '-status', '-CAfile', certificates.ca);
    await client.until(/Cert Status: good/);
    t.equal((await ask(client)).version, version === '-tls1_2' ? 'TLSv1.2' : 'TLSv1.3');
  }
  await ask(OpensslClient.start(t, test.port(), '-CAfile', certificates.ca));
});
