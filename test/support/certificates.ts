/** Certificates for tests, made by openssl and thrown away with the test. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** PEM files of a certificate. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** PEM files of an authority and of certificates it signed. */
export interface Certificates {
  readonly folder: string;
  readonly ca: string;
  /** For 127.0.0.1 and localhost. */
  readonly server: Issued;
  readonly client: Issued;
  /** Signs another one; `name`: of its files, and its common name. */
  issue(name: string, extension: string): Issued;
  /** Runs openssl in the folder, where the authority is ca.pem and ca.key; returns what it prints. */
  openssl(...args: string[]): string;
}

/** Puts a copy of a file in the place of another, whole at once. */
export function replaceFile(path: string, by: string): void {
  copyFileSync(by, `${path}.new`);
  renameSync(`${path}.new`, path);
}

export function makeCertificates(t: Pick<Test, 'teardown'>): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): string =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', encoding: 'utf8' });
  const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl(
    'req',
    '-x509',
    ...keyOptions,
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  const issue = (name: string, extension: string): Issued => {
    const [cert, key] = [file(`${name}.pem`), file(`${name}.key`)];
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key'];
    openssl(
      ...['req', '-x509', ...keyOptions, ...signer, '-subj', `/CN=${name}`],
      ...[
        '-addext',
        extension,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
        '-keyout',
        key,
        '-out',
        cert,
      ],
    );
    return { cert, key };
  };
  return {
    folder,
    issue,
    openssl,
    ca: file('ca.pem'),
    server: issue('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost'),
    client: issue('client', 'extendedKeyUsage=clientAuth'),
  };
}
