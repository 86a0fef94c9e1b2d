import { type ErrorCode, MoonwireError, messageOf } from '../errors.js';

/** What the system's error codes mean to a user: our code, and how the sentence about the place goes on. */
const MEANINGS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EADDRINUSE: ['conflict', 'is taken: something listens there already'],
  EACCES: ['forbidden', 'needs more rights (ports below 1024 need root or CAP_NET_BIND_SERVICE)'],
  EADDRNOTAVAIL: ['invalid_argument', 'is not an address of this machine'],
  EINVAL: ['invalid_argument', 'is not an IP address and port'],
  EAFNOSUPPORT: ['invalid_argument', 'is of an address family this machine does not have'],
  ERR_SOCKET_BAD_PORT: ['invalid_argument', 'is not a port: 0 to 65535 is allowed'],
  ECONNREFUSED: ['not_connected', 'refused the connection: nothing listens there'],
  ECONNRESET: ['not_connected', 'reset the connection'],
  EPIPE: ['not_connected', 'closed the connection'],
  EHOSTUNREACH: ['not_connected', 'cannot be reached'],
  ENETUNREACH: ['not_connected', 'cannot be reached: no route to its network'],
  ETIMEDOUT: ['timeout', 'did not answer'],
  ENOTFOUND: ['not_found', 'is not a known host name'],
  EAI_AGAIN: ['not_connected', 'cannot be looked up: the name server did not answer'],
  EMFILE: ['overloaded', 'cannot be opened: too many open files (raise the limit, ulimit -n)'],
  ENFILE: ['overloaded', 'cannot be opened: the system has too many open files'],
  EMSGSIZE: ['too_large', 'cannot take a datagram of this size'],
};

/** The system's code of an error (`ECONNRESET`), or an empty string. */
export function systemCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Codes of OpenSSL and Node for a peer whose certificate is not trusted; those of alerts begin with ERR_SSL. */
const NOT_TRUSTED = /^(?!ERR_SSL_).*(CERT|SELF_SIGNED|VERIFY|ALTNAME|CRL)/;

/** Why TLS failed, in OpenSSL's words without the places in its code. */
export function tlsReason(error: Error & { reason?: string }): string {
  return error.reason ?? error.message;
}

/**
 * Translates what a socket throws or emits into an error with a stable code and one clear sentence.
 * `where` is the address ("host:port") the sentence is about.
 */
export function socketError(error: unknown, where: string): MoonwireError {
  if (error instanceof MoonwireError) return error;
  const code = systemCode(error);
  if (NOT_TRUSTED.test(code)) {
    return new MoonwireError('unauthorized', `${where} is not trusted: ${messageOf(error)}`, where, {
      cause: error,
    });
  }
  if (code.startsWith('ERR_SSL_')) {
    const message = `${where}: TLS failed: ${tlsReason(error as Error)}`;
    return new MoonwireError('not_connected', message, where, { cause: error });
  }
  const [ours, meaning] = MEANINGS[code] ?? ['not_connected', `failed: ${messageOf(error)}`];
  const sentence = MEANINGS[code] ? `${where} ${meaning} (${code})` : `${where} ${meaning}`;
  return new MoonwireError(ours, sentence, where, { cause: error });
}
