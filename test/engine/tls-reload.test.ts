import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificates, replaceFile } from '../support/certificates.js';
import { until } from '../support/engine.js';
import { missing } from '../support/need.js';
import { OpensslClient } from '../support/openssl.js';
import { ask, own, startTls } from '../support/tls-engine.js';

const skip = missing('openssl', 'openssl');

t.test('pre-shared keys', { skip }, async (t) => {
  const certificates = makeCertificates(t);
  const keys = join(certificates.folder, 'keys.psk');
  writeFileSync(keys, '# meters\nmeter-1:00112233445566778899aabbccddeeff\n');
  const test = await startTls(t, `{ psk: ${keys} }`, own(certificates, `psk: ${keys}`));
  const psk = (identity: string, key: string) => ['-psk_identity', identity, '-psk', key];
  const known = psk('meter-1', '00112233445566778899aabbccddeeff');
  const versions = ['-tls1_2', '-tls1_3'];
  const came = [test.port(), test.port(1)].flatMap((port) =>
    versions.map((version) => ask(OpensslClient.start(t, port, version, '-cipher', 'PSK', ...known))),
  );
  for (const facts of await Promise.all(came)) {
    t.match(facts, { psk_identity: 'meter-1', resumed: false }, facts.version);
  }
  const frugal = OpensslClient.start(t, test.port(), '-tls1_2', '-cipher', 'PSK-AES128-CCM8', ...known);
  t.equal((await ask(frugal)).cipher, 'PSK-AES128-CCM8');
  const wrong = psk('meter-1', '00112233445566778899aabbccddee00');
  const unknown = psk('meter-2', '00112233445566778899aabbccddeeff');
  const refused = [wrong, unknown].flatMap((args) =>
    versions.map((version) => OpensslClient.start(t, test.port(), version, '-cipher', 'PSK', ...args).end()),
  );
  await Promise.all(refused);
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

  replaceFile(server.cert, next.cert);
  await until(() => test.log.some(({ level }) => level === 'error'));
  const reason = test.log.find(({ level }) => level === 'error')?.reason;
  t.equal(reason, `${server.key} is not the key of ${server.cert}`);
  await OpensslClient.start(t, test.port()).until(/subject=CN = server/);

  replaceFile(server.key, next.key);
  await until(() => test.log.some(({ message }) => message.includes('read again')));
  await OpensslClient.start(t, test.port()).until(/subject=CN = next/);
  t.equal((await ask(before)).version, 'TLSv1.3', 'an open connection stays');
});
