/** `tls` of a configuration for tests, with the defaults filled in. */

import type { ClientTls, ServerTls } from '../../src/config/schema.js';

const VERSIONS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;

export function serverTls(given: Partial<ServerTls>): ServerTls {
  return { ...VERSIONS, certificates: [], clientCert: 'required', alpn: [], ...given };
}

export function clientTls(given: Partial<ClientTls>): ClientTls {
  return { ...VERSIONS, alpn: [], ...given };
}
