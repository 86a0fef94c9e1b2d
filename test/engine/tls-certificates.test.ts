import { writeFileSync } from 'node:fs';
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
  const openssl = certificates.openssl('x509', '-in', gate.cert, '-noout', '-fingerprint', '-sha256');
  const tried = async (version: string): Promise<void> => {
    const start = (n: number, ...args: string[]) => OpensslClient.start(t, test.port(n), version, ...args);
    const file = join(certificates.folder, `session${version}`);
    const refused = Promise.all([
      start(0).end(),
      start(0, ...show(stranger)).end(),
      start(1, ...show(stranger)).end(),
    ]);
    const [trusted, anonymous, known] = await Promise.all([
      ask(start(0, ...show(gate))),
      ask(start(1)),
      ask(start(1, ...show(client))),
      ask(start(0, ...show(client), '-sess_out', file)),
    ]);
    t.match(trusted, { subject: { CN: 'gate-7' }, issuer: { CN: 'test authority' } });
    t.match(trusted.san, ['DNS:gate-7.example', 'URI:urn:dev:7']);
    t.match(openssl.replaceAll(':', '').toLowerCase(), trusted.fingerprint!);
    t.ok(trusted.valid_to! > Date.now() / 1000);
    t.notOk('subject' in anonymous);
    t.match(known, { subject: { CN: 'client' } });
    const again = await ask(start(0, '-sess_in', file));
    t.match(again, { resumed: true, subject: { CN: 'client' } }, 'resumed, and still known');
    await refused;
  };
  await Promise.all([tried('-tls1_2'), tried('-tls1_3')]);
  t.equal(test.engine.servers[0]!.station.counters.opened, 6, 'nobody else came in');
  t.equal(test.engine.servers[1]!.station.counters.opened, 4);
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
