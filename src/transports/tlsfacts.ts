/** What is known of an encrypted connection and of who is at its other end. */

import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { TlsFacts } from './connection.js';

const PSK_IDENTITY = Symbol('pskIdentity');
type NamedSocket = TLSSocket & { [PSK_IDENTITY]?: string };

/** Notes whose key a client proves to have; its handshake fails if it does not. */
export function notePskIdentity(socket: TLSSocket, identity: string): void {
  (socket as NamedSocket)[PSK_IDENTITY] = identity;
}

/**
 * The facts of a socket; undefined when it is not encrypted, or closed. What a certificate says is told only when it is
 * trusted.
 */
export function tlsFacts(socket: Socket): TlsFacts | undefined {
  if (!isEncrypted(socket) || socket.destroyed) return undefined;
  const { servername, alpnProtocol } = socket;
  const identity = socket[PSK_IDENTITY];
  const certificate = socket.authorized ? socket.getPeerCertificate() : undefined;
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    resumed: identity === undefined && socket.isSessionReused(),
    ...(servername && { servername }),
    ...(alpnProtocol && { alpn: alpnProtocol }),
    ...(identity !== undefined && { psk_identity: identity }),
    // Node gives an empty object for none.
    ...(certificate?.raw && certificateFacts(certificate)),
  };
}

function certificateFacts(certificate: PeerCertificate): Partial<TlsFacts> {
  return {
    subject: { ...certificate.subject },
    issuer: { ...certificate.issuer },
    san: alternativeNames(certificate.subjectaltname ?? ''),
    serial: certificate.serialNumber,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    valid_to: Date.parse(certificate.valid_to) / 1000,
  };
}

/**
 * The names of a certificate, such as `DNS:gate.example` or `URI:urn:dev:mac:0024befffe804ff1`, from Node's one line
 * for all. A name with a comma or quote in it stands there as a JSON string, so that it cannot pass for two.
 */
export function alternativeNames(line: string): string[] {
  const names = line.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
  return names.map((name) => name.trim().replace(/"(?:[^"\\]|\\.)*"/g, (text) => JSON.parse(text) as string));
}

function isEncrypted(socket: Socket): socket is NamedSocket {
  return (socket as Partial<TLSSocket>).encrypted === true;
}
