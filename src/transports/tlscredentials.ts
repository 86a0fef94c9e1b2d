/** What a TLS server presents and demands, kept up to date while it runs. */

import { constants, createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import {
  createSecureContext,
  type SecureContext,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import type { ServerTls } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { ciphersOf } from './tlsciphers.js';
import { notePskIdentity } from './tlsfacts.js';
import { namedFiles, readServerFiles, type ServerFiles } from './tlsfiles.js';
import { dayOf, ticketKeys } from './tlstickets.js';

/** How often files and the day are looked at, in milliseconds. Polled, since watching misses files that are replaced. */
const LOOK_MS = 1000;
/** Seconds for which a session can be resumed, at most until its day is over and with it the key of its ticket. */
const SESSION_SECONDS = 43_200;
/** A certificate with less than this left, in milliseconds and as a share of its life, should have been renewed. */
const RENEWAL_MS = 14 * 86_400_000;
const RENEWAL_SHARE = 1 / 6;

interface Contexts {
  /** For the first certificate. */
  readonly options: TlsOptions;
  /** For the others, in their order. */
  readonly further: readonly SecureContext[];
}

/**
 * The certificates, keys and tickets of servers. A certificate that was replaced on disk, or the next day's ticket key,
 * is used from the next handshake on; open connections stay. Files that cannot be used are told in the log, and what
 * was read before stays in use.
 */
export class TlsCredentials {
  private readonly seed: string | Uint8Array;
  private readonly servers = new Set<Server>();
  private readonly timer: NodeJS.Timeout;
  private stamp: string;
  private day = dayOf(Date.now());
  private files: ServerFiles;
  private contexts: Contexts;

  /** Throws MoonwireError `invalid_argument` when a file or the list of ciphers cannot be used. */
  constructor(
    private readonly tls: ServerTls,
    private readonly log: Logger,
  ) {
    this.seed = tls.ticketSeed ?? randomBytes(32);
    this.stamp = this.stampOf();
    this.files = readServerFiles(tls);
    this.contexts = this.makeContexts(this.files);
    this.warnOfExpiry();
    this.timer = setInterval(() => this.refresh(), LOOK_MS).unref();
  }

  /** What `createServer` of node:tls and node:https is given. */
  get options(): TlsOptions {
    const { tls } = this;
    return {
      ...this.contexts.options,
      ...(tls.ca !== undefined && {
        requestCert: true,
        // Node would turn away clients without a certificate, too; `serve` turns away those that are not trusted.
        rejectUnauthorized: tls.clientCert === 'required',
      }),
      ...(tls.alpn.length > 0 && { ALPNProtocols: [...tls.alpn] }),
      ...(tls.certificates.length > 0 && {
        SNICallback: (name, done) => done(null, this.contextFor(name)),
      }),
      ...(tls.psk !== undefined && {
        pskCallback: (socket: TLSSocket, identity: string) => {
          const key = this.files.psk?.get(identity);
          if (key) notePskIdentity(socket, identity);
          return key ?? null;
        },
      }),
    };
  }

  /** Keeps a server, made with these options, on what is newest. */
  serve(server: Server): void {
    this.servers.add(server);
    if (this.tls.clientCert === 'optional') {
      server.prependListener('secureConnection', (socket) => {
        if (!socket.authorized && socket.getPeerX509Certificate() !== undefined) socket.destroy();
      });
    }
    if ([this.tls, ...this.tls.certificates].some(({ ocsp }) => ocsp !== undefined)) {
      server.on('OCSPRequest', (certificate: Buffer | null, _issuer, done) => {
        const asked = this.files.credentials.find(({ leaf }) => certificate?.equals(leaf.raw));
        done(null, asked?.ocsp ?? null!);
      });
    }
  }

  /** Stops looking at the files. */
  close(): void {
    clearInterval(this.timer);
    this.servers.clear();
  }

  /** Looks whether there is anything newer. Runs by itself once a second. */
  refresh(): void {
    const stamp = this.stampOf();
    const day = dayOf(Date.now());
    if (stamp === this.stamp && day === this.day) return;
    const filesChanged = stamp !== this.stamp;
    this.stamp = stamp;
    this.day = day;
    try {
      const files = filesChanged ? readServerFiles(this.tls) : this.files;
      this.contexts = this.makeContexts(files);
      this.files = files;
      for (const server of this.servers) server.setSecureContext(this.contexts.options);
      if (!filesChanged) return;
      this.log.info('TLS: certificates and keys were read again');
      this.warnOfExpiry();
    } catch (error) {
      this.log.error('TLS: changed files cannot be used; what was read before stays in use', {
        reason: messageOf(error),
      });
    }
  }

  private makeContexts(files: ServerFiles): Contexts {
    const { tls } = this;
    const common: TlsOptions = {
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion,
      ciphers: ciphersOf(tls),
      honorCipherOrder: true,
      secureOptions: secureOptions(tls),
      sessionIdContext: sessionContext(tls, files),
      sessionTimeout: SESSION_SECONDS,
      ticketKeys: ticketKeys(this.seed, this.day),
      ...(files.ca && { ca: files.ca }),
      ...(files.crl && { crl: files.crl }),
    };
    const [own, ...further] = files.credentials;
    try {
      const options = { ...common, ...(own && { cert: own.cert, key: own.key }) };
      // The server makes its own of these options; here it is tried.
      createSecureContext(options);
      return {
        options,
        further: further.map(({ cert, key }) => createSecureContext({ ...common, cert, key })),
      };
    } catch (error) {
      throw new MoonwireError('invalid_argument', `TLS cannot be set up: ${messageOf(error)}`);
    }
  }

  /** The context for a name a client asks for (RFC 6066, 3); undefined for that of the first certificate. */
  private contextFor(name: string): SecureContext | undefined {
    const [own, ...further] = this.files.credentials;
    if (own?.leaf.checkHost(name) !== undefined) return undefined;
    return this.contexts.further[further.findIndex(({ leaf }) => leaf.checkHost(name) !== undefined)];
  }

  /** What tells a changed file; one that is missing for a moment, while it is replaced, counts as unchanged. */
  private stampOf(): string {
    const stamps = namedFiles(this.tls).map((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found && `${found.mtimeMs} ${found.size} ${found.ino}`;
    });
    return stamps.includes(undefined) ? this.stamp : stamps.join();
  }

  private warnOfExpiry(): void {
    for (const { leaf, file } of this.files.credentials) {
      const end = Date.parse(leaf.validTo);
      const share = (end - Date.parse(leaf.validFrom)) * RENEWAL_SHARE;
      if (end - Date.now() > Math.min(RENEWAL_MS, share)) continue;
      this.log.warn(`TLS: a certificate ends soon or has ended: ${leaf.validTo}`, { file });
    }
  }
}

/**
 * Sessions are resumed only where the same was demanded of the client (RFC 8446, 4.6.1): one of a server that asks for
 * no certificate opens no door that does, and a changed authority or revocation ends what was allowed before.
 */
function sessionContext({ clientCert }: ServerTls, { ca, crl }: ServerFiles): string {
  const hash = createHash('sha256').update(ca ? clientCert : 'none');
  for (const file of [ca, crl])
    hash.update(
      createHash('sha256')
        .update(file ?? '')
        .digest(),
    );
  return hash.digest('hex').slice(0, 32);
}

function secureOptions({ psk }: ServerTls): number {
  // A client that prefers ChaCha20 has no AES in hardware.
  const always = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA;
  // A resumed session no longer tells whose key it began with.
  return psk === undefined ? always : always | constants.SSL_OP_NO_TICKET;
}
