/** `tls`: certificates and versions of a TLS server or link. */

import { choice, optional, path, required, section, setting } from '../values.js';

const version = choice(['TLSv1.2', 'TLSv1.3']);
const common = {
  minVersion: setting(version, 'TLSv1.2', 'Oldest version spoken.'),
  maxVersion: setting(version, 'TLSv1.3', 'Newest version spoken.'),
};

/** Schema of a server's `tls`. */
export const serverTls = section({
  ...common,
  cert: required(path(), 'Certificate chain, a PEM file.'),
  key: required(path(), 'Private key, a PEM file.'),
  ca: optional(path(), 'Authorities, a PEM file; when set, clients must show a certificate of theirs.'),
});

/** Schema of a link's `tls`. */
export const clientTls = section({
  ...common,
  cert: optional(path(), 'Certificate chain shown to the server, a PEM file.'),
  key: optional(path(), 'Its private key, a PEM file.'),
  ca: optional(path(), 'Authorities to trust in place of the well-known ones, a PEM file.'),
});
