/** What a peer speaks, by its first bytes. */

import { METHODS } from 'node:http';

/** TLS, HTTP/1, or what its server speaks otherwise. */
export type Spoken = 'tls' | 'http' | 'own';

/** Bytes after which it is certain: what begins as a request line of HTTP, and goes on as one for so long, is one. */
export const MOST_FIRST_BYTES = 1024;

const KNOWN = new Set(METHODS);
const LONGEST_METHOD = Math.max(...METHODS.map((method) => method.length));
const VERSION = Buffer.from('HTTP/');
const SPACE = 0x20;
const DELETE = 0x7f;

/**
 * What begins so; undefined where more bytes are needed to tell. `among`: what is looked for beside the server's own.
 */
export function spokenIn(
  head: Buffer,
  among: { readonly tls: boolean; readonly http: boolean },
): Spoken | undefined {
  const tls = among.tls ? beginsTls(head) : false;
  const http = among.http ? beginsRequest(head) : false;
  if (tls) return 'tls';
  if (http) return 'http';
  return tls === undefined || http === undefined ? undefined : 'own';
}

/** A record of a handshake, of SSL 3.0 to TLS 1.3 (RFC 8446, 5.1); undefined: too short to tell. */
function beginsTls(head: Buffer): boolean | undefined {
  const [type = 0x16, major = 3, minor = 0] = head;
  if (type !== 0x16 || major !== 3 || minor > 4) return false;
  return head.length >= 3 ? true : undefined;
}

/** A method, a target and a version of HTTP, a space between each (RFC 9112, 3); undefined: too short to tell. */
function beginsRequest(head: Buffer): boolean | undefined {
  const afterMethod = head.indexOf(SPACE);
  if (afterMethod < 0) {
    if (head.length > LONGEST_METHOD) return false;
    const begun = head.toString('latin1');
    return METHODS.some((method) => method.startsWith(begun)) ? undefined : false;
  }
  if (afterMethod > LONGEST_METHOD || !KNOWN.has(head.toString('latin1', 0, afterMethod))) return false;
  let at = afterMethod + 1;
  while (at < head.length && head[at]! > SPACE && head[at] !== DELETE) at++;
  if (at === head.length) return head.length >= MOST_FIRST_BYTES ? true : undefined;
  if (head[at] !== SPACE || at === afterMethod + 1) return false;
  const version = head.subarray(at + 1, at + 1 + VERSION.length);
  if (!version.equals(VERSION.subarray(0, version.length))) return false;
  return version.length === VERSION.length ? true : undefined;
}
