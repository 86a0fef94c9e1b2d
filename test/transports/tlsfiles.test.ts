import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ciphersOf } from '../../src/transports/tlsciphers.js';
import { alternativeNames } from '../../src/transports/tlsfacts.js';
import { namedFiles, readClientFiles, readServerFiles } from '../../src/transports/tlsfiles.js';
import { parsePskTable } from '../../src/transports/tlspsk.js';
import { dayOf, ticketKeys } from '../../src/transports/tlstickets.js';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { clientTls, serverTls } from '../support/tls.js';

t.test(
  'what is wrong with a file is told by its name',
  { skip: missing('openssl', 'openssl') },
  async (t) => {
    const { ca, client, server, folder, openssl } = makeCertificates(t);
    const file = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    const junk = file('junk.pem', 'nothing of the kind');
    const broken = file('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const huge = file('huge.pem', '');
    truncateSync(huge, 2 ** 20 + 1);
    const locked = join(folder, 'locked.key');
    openssl('pkey', '-in', server.key, '-aes256', '-passout', 'pass:secret', '-out', locked);
    const { cert, key } = server;
    for (const [tls, message] of [
      [{ cert: join(folder, 'none.pem'), key }, /none\.pem cannot be read: ENOENT/],
      [{ cert: junk, key }, /junk\.pem has no PEM block CERTIFICATE/],
      [{ cert: broken, key }, /broken\.pem is no certificate: /],
      [{ cert: huge, key }, /huge\.pem cannot be read: more than 1048576 bytes/],
      [{ cert, key: junk }, /junk\.pem is no private key without a passphrase: /],
      [{ cert, key: locked }, /locked\.key is no private key without a passphrase: /],
      [{ cert, key: client.key }, /client\.key is not the key of .*server\.pem/],
      [{ cert, key, ca: junk }, /junk\.pem has no PEM block CERTIFICATE/],
      [{ cert, key, ca, crl: ca }, /ca\.pem has no PEM block X509 CRL/],
      [{ cert, key, ocsp: junk }, /junk\.pem is no OCSP response in DER/],
      [{ psk: junk }, /junk\.pem:1 must be "identity:hex key"/],
      [
        { cert, key, certificates: [{ cert: client.cert, key }] },
        /server\.key is not the key of .*client\.pem/,
      ],
    ] as const) {
      t.throws(() => readServerFiles(serverTls(tls)), { code: 'invalid_argument', message });
    }
    t.throws(() => readClientFiles(clientTls({ ca: broken })), { code: 'invalid_argument' });

    const further = { cert: client.cert, key: client.key };
    const all = serverTls({ cert, key, ca, certificates: [further] });
    t.same(namedFiles(all), [cert, key, ca, further.cert, further.key]);
    t.equal(readServerFiles(all).credentials.length, 2);
    copyFileSync(ca, join(folder, 'copy.pem'));
    t.ok(readClientFiles(clientTls({ ca: join(folder, 'copy.pem') })).ca);
  },
);

t.test('tables of pre-shared keys', async (t) => {
  const parse = (text: string) => parsePskTable(Buffer.from(text), 'keys');
  const key = '00112233445566778899aabbccddeeff';
  const table = parse(`# meters\r\n\r\nmeter-1:${key}\r\n  urn:dev:2:${key.toUpperCase()}${key}  \n`);
  t.same([...table.keys()], ['meter-1', 'urn:dev:2']);
  t.equal(table.get('meter-1')?.toString('hex'), key);
  t.equal(table.get('urn:dev:2')?.length, 32);
  const long = 'é'.repeat(64);
  t.ok(parse(`${long}:${key}`).has(long));
  for (const [text, message] of [
    ['', /^keys holds no key$/],
    [`a:${key}\nb`, /^keys:2 must be "identity:hex key"/],
    [`:${key}`, /^keys:1 must be "identity/],
    [`${long}x:${key}`, /^keys:1 .*1 to 128 bytes/],
    [`a:${key.slice(2)}`, /^keys:1 .*16 to 64 bytes in hex/],
    [`a:${key.repeat(5)}`, /^keys:1 .*16 to 64 bytes in hex/],
    [`a:${key}0`, /^keys:1 /],
    [`a:${key.slice(1)}g`, /^keys:1 /],
    [`a:${key}\na:${key}`, /^keys:2 repeats the identity a$/],
  ] as const) {
    t.throws(() => parse(text), { code: 'invalid_argument', message });
  }
});

t.test('ticket keys follow from the seed and the day', async (t) => {
  const day = dayOf(Date.UTC(2026, 10, 21, 23, 59, 59, 999));
  t.equal(day, '2026-11-21');
  t.equal(dayOf(Date.UTC(2026, 10, 22)), '2026-11-22');
  const keys = ticketKeys('a seed of all nodes', day);
  t.equal(keys.length, 48);
  t.same(keys, ticketKeys(Buffer.from('a seed of all nodes'), day));
  t.notSame(keys, ticketKeys('a seed of all nodes', '2026-11-22'));
  t.notSame(keys, ticketKeys('another seed of them', day));
});

t.test('names of a certificate cannot be smuggled in', async (t) => {
  t.same(alternativeNames(''), []);
  t.same(alternativeNames('DNS:a.example, IP Address:192.0.2.1, URI:urn:dev:1'), [
    'DNS:a.example',
    'IP Address:192.0.2.1',
    'URI:urn:dev:1',
  ]);
  t.same(alternativeNames('DNS:"a.example, DNS:\\"b.example", DNS:c'), [
    'DNS:a.example, DNS:"b.example',
    'DNS:c',
  ]);
});

t.test('ciphers', async (t) => {
  t.notMatch(ciphersOf({}), /PSK|CBC|RC4|:AES/);
  t.match(ciphersOf({ psk: 'keys' }), /PSK-AES128-CCM8/);
  t.match(ciphersOf({ ciphers: 'AES128-SHA' }), /^TLS_.*:AES128-SHA$/, 'TLS 1.3 stays as it is');
  t.equal(ciphersOf({ ciphers: 'TLS_AES_256_GCM_SHA384' }), 'TLS_AES_256_GCM_SHA384');
});
