/** How a TLS client presents itself and whom it trusts. */

import { isIP } from 'node:net';
import type { SecureVersion } from 'node:tls';
import type { ClientTls } from '../config/schema.js';
import { ciphersOf } from './tlsciphers.js';
import { readClientFiles } from './tlsfiles.js';

/** Options of node:tls. */
export interface TlsClientOptions {
  servername?: string;
  minVersion?: SecureVersion;
  maxVersion?: SecureVersion;
  ciphers?: string;
  cert?: Buffer;
  key?: Buffer;
  ca?: Buffer;
  ALPNProtocols?: string[];
}

/**
 * Options of node:tls for a connection to `host`, whose name the server's certificate must have unless `tls` says
 * otherwise. Reads the files anew. Throws MoonwireError `invalid_argument` for files that cannot be used.
 */
export function clientOptions(tls: ClientTls | undefined, host: string): TlsClientOptions {
  // An address is not asked for (RFC 6066, 3), but the certificate must have it all the same.
  const servername = tls?.servername ?? (isIP(host) === 0 ? host : undefined);
  const name = servername === undefined ? {} : { servername };
  if (!tls) return name;
  const { credential, ca } = readClientFiles(tls);
  return {
    ...name,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ciphers: ciphersOf(tls),
    ...(credential && { cert: credential.cert, key: credential.key }),
    ...(ca && { ca }),
    ...(tls.alpn.length > 0 && { ALPNProtocols: [...tls.alpn] }),
  };
}
