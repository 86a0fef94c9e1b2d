/** TLS of connections to receivers. */

import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import type { ClientTls } from '../config/schema.js';

/** What Node and the libraries over it want to know. */
export interface TlsOptions extends Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers'> {
  readonly servername?: string;
  readonly ALPNProtocols?: string[];
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
}

/** The options, with the files read. Done again for each connection, since certificates change. */
export async function tlsOptions(tls: ClientTls | undefined): Promise<TlsOptions> {
  if (!tls) return {};
  const { minVersion, maxVersion, ciphers, servername, alpn } = tls;
  const [cert, key, ca] = await Promise.all(
    [tls.cert, tls.key, tls.ca].map((path) => path && readFile(path)),
  );
  return {
    minVersion,
    maxVersion,
    ...(ciphers !== undefined && { ciphers }),
    ...(servername !== undefined && { servername }),
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(ca && { ca }),
  };
}
