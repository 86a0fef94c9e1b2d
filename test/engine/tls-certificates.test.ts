import { appendFileSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { OpensslClient } from '../support/openssl.js';
import { ask, own, startTls } from '../support/tls-engine.js';

const skip = missing('openssl', 'openssl');

t.test('client certificates', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { ca, client } = certificates;
  const stranger = makeCertificates(t).client;
  const gate = certificates.issue(
    'gate-7',
    'subjectAltName=DNS:gate-7.example,URI:urn:dev:7,DNS:odd\\,DNS:x',
  );
  const test = await startTls(
    t,
    own(certificates, `ca: ${ca}`),
    own(certificates, `ca: ${ca}, clientCert: optional`),
  );
  const show = ({ cert, key }: { cert: string; key: string }) => ['-cert', cert, '-key', key];
  for (const version of ['-tls1_2', '-tls1_3']) {
    const trusted = await ask(OpensslClient.start(t, test.port(), version, ...show(gate)));
    t.match(trusted, { subject: { CN: 'gate-7' }, issuer: { CN: 'test authority' } });
    t.match(trusted.san, ['DNS:gate-7.example', 'URI:urn:dev:7']);
    const openssl = certificates.openssl('x509', '-in', gate.cert, '-noout', '-fingerprint', '-sha256');
    t.match(openssl.replaceAll(':', '').toLowerCase(), trusted.fingerprint!);
    t.ok(trusted.valid_to! > Date.now() / 1000);

    const file = join(certificates.folder, 'session');
    const first = OpensslClient.start(t, test.port(), version, ...show(client), '-sess_out', file);
    await ask(first);
    const again = await ask(OpensslClient.start(t, test.port(), version, '-sess_in', file));
    t.match(again, { resumed: true, subject: { CN: 'client' } }, 'resumed, and still known');

    await OpensslClient.start(t, test.port(), version).end();
    for (const n of [0, 1]) await OpensslClient.start(t, test.port(n), version, ...show(stranger)).end();
    const anonymous = await ask(OpensslClient.start(t, test.port(1), version));
    t.notOk('subject' in anonymous);
    t.match(await ask(OpensslClient.start(t, test.port(1), version, ...show(client))), {
      subject: { CN: 'client' },
    });
  }
  t.equal(test.engine.servers[0]!.station.counters.opened, 6, 'nobody else came in');
  t.equal(test.engine.servers[1]!.station.counters.opened, 4);
});

t.test('pre-shared keys', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const keys = join(certificates.folder, 'keys.psk');
  writeFileSync(keys, '# meters\nmeter-1:00112233445566778899aabbccddeeff\n');
  const test = await startTls(t, `{ psk: ${keys} }`, own(certificates, `psk: ${keys}`));
  const psk = (identity: string, key: string) => ['-psk_identity', identity, '-psk', key];
  const known = psk('meter-1', '00112233445566778899aabbccddeeff');
  for (const port of [test.port(), test.port(1)]) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const facts = await ask(OpensslClient.start(t, port, version, '-cipher', 'PSK', ...known));
      t.match(facts, { psk_identity: 'meter-1', resumed: false }, version);
    }
  }
  const frugal = OpensslClient.start(t, test.port(), '-tls1_2', '-cipher', 'PSK-AES128-CCM8', ...known);
  t.equal((await ask(frugal)).cipher, 'PSK-AES128-CCM8');
  const wrong = psk('meter-1', '00112233445566778899aabbccddee00');
  const unknown = psk('meter-2', '00112233445566778899aabbccddeeff');
  for (const args of [wrong, unknown]) {
    for (const version of ['-tls1_2', '-tls1_3']) {
      await OpensslClient.start(t, test.port(), version, '-cipher', 'PSK', ...args).end();
    }
  }
  t.equal(test.engine.servers[0]!.station.counters.opened, 3, 'nobody else came in');
  const certified = await ask(OpensslClient.start(t, test.port(1), '-CAfile', certificates.ca));
  t.notOk('psk_identity' in certified, 'with a certificate, both kinds of client are served');

  appendFileSync(keys, 'meter-2:00112233445566778899aabbccddeeff\n');
  await until(() => test.log.some(({ message }) => message.includes('read again')));
  const added = OpensslClient.start(t, test.port(), '-tls1_2', '-cipher', 'PSK', ...unknown);
  t.equal((await ask(added)).psk_identity, 'meter-2');
});

t.test('replaced certificates are used without a restart', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { server } = certificates;
  const next = certificates.issue('next', 'subjectAltName=IP:127.0.0.1');
  const test = await startTls(t, own(certificates));
  const before = OpensslClient.start(t, test.port());
  await before.until(/subject=CN = server/);

  copyFileSync(next.cert, server.cert);
  await until(() => test.log.some(({ level }) => level === 'error'));
  const reason = test.log.find(({ level }) => level === 'error')?.reason;
  t.equal(reason, `${server.key} is not the key of ${server.cert}`);
  await OpensslClient.start(t, test.port()).until(/subject=CN = server/);

  copyFileSync(next.key, server.key);
  await until(() => test.log.some(({ message }) => message.includes('read again')));
  await OpensslClient.start(t, test.port()).until(/subject=CN = next/);
  t.equal((await ask(before)).version, 'TLSv1.3', 'an open connection stays');
});

t.test('revoked certificates, and sessions of those who had them', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const { ca, client, folder } = certificates;
  const good = certificates.issue('good', 'extendedKeyUsage=clientAuth');
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    join(folder, 'ca.cnf'),
    '[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 2\n',
  );
  const signer = ['-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
  const crl = join(folder, 'crl.pem');
  certificates.openssl('ca', ...signer, '-gencrl', '-out', crl);
  const test = await startTls(t, own(certificates, `ca: ${ca}, crl: ${crl}`));
  const show = ({ cert, key }: { cert: string; key: string }) => ['-cert', cert, '-key', key];
  const session = join(folder, 'session');
  const first = OpensslClient.start(t, test.port(), ...show(client), '-sess_out', session);
  t.equal((await ask(first)).subject?.CN, 'client');

  certificates.openssl('ca', ...signer, '-revoke', client.cert);
  certificates.openssl('ca', ...signer, '-gencrl', '-out', crl);
  await until(() => test.log.some(({ message }) => message.includes('read again')));
  await OpensslClient.start(t, test.port(), ...show(client)).end();
  await OpensslClient.start(t, test.port(), '-sess_in', session).end();
  t.equal((await ask(OpensslClient.start(t, test.port(), ...show(good)))).subject?.CN, 'good');
  t.equal(test.engine.servers[0]!.station.counters.opened, 2);
});
