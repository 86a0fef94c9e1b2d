/** The files that `tls` names, read and checked: what is wrong with them is told by the file's name. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { ClientTls, ServerTls } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import { type PskTable, parsePskTable } from './tlspsk.js';

/** A certificate with its key. */
export interface Credential {
  /** PEM; the chain, the own certificate first. */
  readonly cert: Buffer;
  /** PEM. */
  readonly key: Buffer;
  /** The own certificate. */
  readonly leaf: X509Certificate;
  /** DER of an OCSP response (RFC 6960) to hand to clients that ask. */
  readonly ocsp: Buffer | undefined;
  /** The file of the certificate. */
  readonly file: string;
}

/** What a server's `tls` names, as read. */
export interface ServerFiles {
  /** The first serves clients that ask for none of the names; none where keys are shared instead. */
  readonly credentials: readonly Credential[];
  readonly ca: Buffer | undefined;
  readonly crl: Buffer | undefined;
  readonly psk: PskTable | undefined;
}

/** What a client's `tls` names, as read. */
export interface ClientFiles {
  readonly credential: Credential | undefined;
  readonly ca: Buffer | undefined;
}

/** Longest file of certificates, and of pre-shared keys: 100,000 of them fit. */
const MAX_PEM_BYTES = 2 ** 20;
const MAX_PSK_BYTES = 2 ** 24;

/** The paths of all files that are named. */
export function namedFiles(tls: ServerTls): string[] {
  const { cert, key, ocsp, certificates, ca, crl, psk } = tls;
  return [cert, key, ocsp, ca, crl, psk, ...certificates.flatMap((each) => Object.values(each))].filter(
    (path): path is string => path !== undefined,
  );
}

/** Reads what a server needs. Throws MoonwireError `invalid_argument` that names the file and what is wrong. */
export function readServerFiles(tls: ServerTls): ServerFiles {
  const { cert, key, ocsp } = tls;
  const own = cert !== undefined && key !== undefined ? [{ cert, key, ocsp }] : [];
  return {
    credentials: [...own, ...tls.certificates].map(readCredential),
    ca: certificatesAt(tls.ca),
    crl: tls.crl === undefined ? undefined : readPem(tls.crl, 'X509 CRL'),
    psk: tls.psk === undefined ? undefined : parsePskTable(read(tls.psk, MAX_PSK_BYTES), tls.psk),
  };
}

/** Reads what a client needs; throws as {@link readServerFiles} does. */
export function readClientFiles({ cert, key, ca }: ClientTls): ClientFiles {
  return {
    credential: cert !== undefined && key !== undefined ? readCredential({ cert, key }) : undefined,
    ca: certificatesAt(ca),
  };
}

function readCredential(paths: { cert: string; key: string; ocsp?: string | undefined }): Credential {
  const cert = readPem(paths.cert, 'CERTIFICATE');
  const key = read(paths.key, MAX_PEM_BYTES);
  const leaf = attempt(paths.cert, 'is no certificate', () => new X509Certificate(cert));
  const secret = attempt(paths.key, 'is no private key without a passphrase', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(secret)) throw problem(paths.key, `is not the key of ${paths.cert}`);
  return {
    cert,
    key,
    leaf,
    ocsp: paths.ocsp === undefined ? undefined : readOcsp(paths.ocsp),
    file: paths.cert,
  };
}

function certificatesAt(path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  const bytes = readPem(path, 'CERTIFICATE');
  attempt(path, 'is no certificate', () => new X509Certificate(bytes));
  return bytes;
}

/** An OCSP response is a sequence (RFC 6960, 4.2.1); clients check what it says. */
function readOcsp(path: string): Buffer {
  const bytes = read(path, MAX_PEM_BYTES);
  if (bytes[0] !== 0x30) throw problem(path, 'is no OCSP response in DER');
  return bytes;
}

/** Text that stands between BEGIN and END lines (RFC 7468). */
function readPem(path: string, label: string): Buffer {
  const bytes = read(path, MAX_PEM_BYTES);
  if (!bytes.includes(`-----BEGIN ${label}-----`)) throw problem(path, `has no PEM block ${label}`);
  return bytes;
}

function read(path: string, max: number): Buffer {
  return attempt(path, 'cannot be read', () => {
    if (statSync(path).size > max) throw new Error(`more than ${max} bytes`);
    return readFileSync(path);
  });
}

function attempt<T>(path: string, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw problem(path, `${what}: ${messageOf(error)}`);
  }
}

function problem(path: string, what: string): MoonwireError {
  return new MoonwireError('invalid_argument', `${path} ${what}`, path);
}
