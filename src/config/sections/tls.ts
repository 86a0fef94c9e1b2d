/** `tls`: certificates, keys and versions of a TLS server or link. */

import { isIP } from 'node:net';
import { choice, flag, isHost, list, optional, path, reader, required, section, setting } from '../values.js';

const version = choice(['TLSv1.2', 'TLSv1.3']);

const PROTOCOL = /^[\x21-\x7e]{1,255}$/;

/** A protocol by its ALPN name (RFC 7301). */
const protocol = reader(
  'the ALPN name of a protocol, 1 to 255 printable characters such as mqtt or http/1.1',
  (value) => (typeof value === 'string' && PROTOCOL.test(value) ? value : undefined),
  { type: 'string', pattern: PROTOCOL.source },
);

const CIPHERS = /^[A-Za-z0-9_+!@=:-]{1,2000}$/;

const ciphers = reader(
  'ciphers as OpenSSL names them, joined by colons',
  (value) => (typeof value === 'string' && CIPHERS.test(value) ? value : undefined),
  { type: 'string', pattern: CIPHERS.source },
);

/** Whoever knows it can read and forge session tickets, and may try guesses for as long as he likes. */
const MIN_SEED = 16;

const seed = reader(
  `a secret of ${MIN_SEED} to 1024 characters`,
  (value) =>
    typeof value === 'string' && value.length >= MIN_SEED && value.length <= 1024 ? value : undefined,
  { type: 'string', minLength: MIN_SEED, maxLength: 1024 },
  // Never repeated in a message.
  (value) => (typeof value === 'string' ? `${value.length} characters` : `a ${typeof value}`),
);

const hostName = reader(
  'a host name',
  (value) => (typeof value === 'string' && isHost(value) && isIP(value) === 0 ? value : undefined),
  { type: 'string' },
);

const common = {
  minVersion: setting(version, 'TLSv1.2', 'Oldest version spoken.'),
  maxVersion: setting(version, 'TLSv1.3', 'Newest version spoken.'),
  ciphers: optional(ciphers, 'Ciphers, the preferred one first; default: AEAD with forward secrecy.'),
  cert: optional(path(), 'Certificate chain, a PEM file, the own certificate first.'),
  key: optional(path(), 'Its private key, a PEM file.'),
};

const ocsp = optional(path(), 'OCSP response for the certificate, a DER file, handed to clients that ask.');

const certificate = section({
  cert: required(path(), 'Certificate chain, a PEM file, the own certificate first.'),
  key: required(path(), 'Its private key, a PEM file.'),
  ocsp,
});

const serverSettings = {
  ...common,
  ocsp,
  certificates: setting(
    list(certificate, 100),
    [],
    'Further certificates, for clients that ask for a name one of them has (SNI); cert serves all others.',
  ),
  ca: optional(path(), 'Authorities, a PEM file; when set, clients must show a certificate of theirs.'),
  clientCert: setting(
    choice(['required', 'optional']),
    'required',
    'With ca: whether clients without a certificate are turned away.',
  ),
  crl: optional(path(), 'With ca: lists of certificates its authorities have revoked, a PEM file.'),
  alpn: setting(
    list(protocol, 16),
    [],
    'Protocols spoken, by ALPN, the preferred one first; a client that offers only others is refused.',
  ),
  psk: optional(path(), 'Keys of devices that have no certificates: a file of lines "identity:hex key".'),
  ticketSeed: optional(
    seed,
    'Secret that several nodes share so that clients resume sessions at any of them; default: each has its own.',
  ),
};

/** Schema of `tls` of the registry and of the APIs. */
export const serverTls = section(serverSettings);

/** Schema of `tls` of servers of devices. */
export const deviceTls = section({
  ...serverSettings,
  plain: optional(
    flag(),
    'Lets clients in without TLS, too, on the same port; first bytes tell them apart, and silence means no TLS.',
  ),
});

/** Schema of a link's `tls`. */
export const clientTls = section({
  ...common,
  ca: optional(path(), 'Authorities to trust in place of the well-known ones, a PEM file.'),
  servername: optional(
    hostName,
    "Name to ask for, which the server's certificate must have; default: the host.",
  ),
  alpn: setting(list(protocol, 16), [], 'Protocols offered by ALPN, the preferred one first.'),
});
