/** Who may use the API: `access` of the configuration, looked at anew for each request. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import { type Logger, LogThrottle } from '../log.js';
import { Attempts } from './attempts.js';
import { isLoopback, normalAddress } from './peer-address.js';

/** What a request needs: nothing, any user, or a role. */
export type Need = 'open' | 'any' | 'read' | 'write';

type Access = Config['access'];
type Role = Access['users'][number]['roles'][number];

/** Someone who was let in. */
export interface Caller {
  /** `-` where there are no users. */
  readonly user: string;
  /** The peer's IP address. */
  readonly address: string;
  /** Whether they would be let in again: asked as time goes by, where a connection lasts. */
  stillWelcome(): boolean;
}

interface Credentials {
  /** undefined for a bearer token, which is a password alone. */
  readonly name: Buffer | undefined;
  readonly password: Buffer;
}

interface User {
  readonly username: string;
  readonly name: Buffer;
  readonly password: Buffer;
  readonly roles: readonly Role[];
  readonly host: RegExp;
}

/** Lets callers in, or tells why not. */
export class Gate {
  private known: { readonly access: Access; readonly users: readonly User[] } | undefined;
  private readonly attempts = new Attempts();
  /** Requests refused, by code. */
  readonly refused = { unauthorized: 0, forbidden: 0, rate_limited: 0 };

  private readonly throttle = new LogThrottle();

  constructor(
    private readonly access: () => Access,
    private readonly log: Logger,
  ) {}

  /** True while nobody needs to log in, and only this machine may come. */
  get localOnly(): boolean {
    const { users, open } = this.access();
    return users.length === 0 && !open;
  }

  /**
   * Lets the sender of a request in. Throws MoonwireError `unauthorized`, `forbidden`, or `rate_limited` after too
   * many wrong passwords from its address.
   */
  enter({ socket, headers }: IncomingMessage, need: Need): Caller {
    const address = normalAddress(socket.remoteAddress);
    const user = this.admit(address, headers.authorization, need);
    let seen = this.access();
    const stillWelcome = (): boolean => {
      const access = this.access();
      if (access === seen) return true;
      try {
        this.admit(address, headers.authorization, need);
        seen = access;
        return true;
      } catch {
        return false;
      }
    };
    return { user, address, stillWelcome };
  }

  /** The name of the user that these credentials are of. */
  private admit(address: string, authorization: string | undefined, need: Need): string {
    if (need === 'open') return '-';
    const { open } = this.access();
    const users = this.users();
    if (users.length === 0) {
      if (open || isLoopback(address)) return '-';
      return this.refuse('unauthorized', 'without access.users only this machine may use the API');
    }
    const wait = this.attempts.wait(address);
    if (wait > 0) return this.refuse('rate_limited', `too many wrong passwords; wait ${wait} s`);
    const credentials = parseAuthorization(authorization);
    if (!credentials) return this.refuse('unauthorized', 'needs a user name and password, or a token');
    const user = find(users, credentials, address);
    if (!user) {
      this.attempts.failed(address);
      const suppressed = this.throttle.pass(address);
      if (suppressed >= 0) this.log.warn('wrong user name, password or token', { address, suppressed });
      return this.refuse('unauthorized', 'wrong user name, password or token');
    }
    if (need !== 'any' && !user.roles.includes(need))
      return this.refuse('forbidden', `user ${user.username} lacks the role ${need}`);
    return user.username;
  }

  /** Seconds until the sender of a request may try again; 0 when it may now. */
  retryAfter({ socket }: IncomingMessage): number {
    return this.attempts.wait(normalAddress(socket.remoteAddress));
  }

  private users(): readonly User[] {
    const access = this.access();
    if (this.known?.access !== access) {
      this.known = {
        access,
        users: access.users.map(({ username, password, roles, host }) => ({
          username,
          name: digest(username),
          password: digest(password),
          roles,
          host: pattern(host),
        })),
      };
    }
    return this.known.users;
  }

  private refuse(code: 'unauthorized' | 'forbidden' | 'rate_limited', message: string): never {
    this.refused[code]++;
    throw new MoonwireError(code, message);
  }
}

/** The user with these credentials, found in a time that does not depend on how much of them is right. */
function find(users: readonly User[], { name, password }: Credentials, address: string): User | undefined {
  let found: User | undefined;
  for (const user of users) {
    const right = timingSafeEqual(user.password, password);
    const named = name === undefined || timingSafeEqual(user.name, name);
    if (right && named && user.host.test(address)) found ??= user;
  }
  return found;
}

/** `Basic` (RFC 7617) or `Bearer` (RFC 6750); undefined when it is neither. */
function parseAuthorization(header: string | undefined): Credentials | undefined {
  const [, scheme, rest] = /^(basic|bearer) +(\S{1,4096})$/i.exec(header ?? '') ?? [];
  if (scheme === undefined || rest === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return { name: undefined, password: digest(rest) };
  const pair = Buffer.from(rest, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { name: digest(pair.slice(0, colon)), password: digest(pair.slice(colon + 1)) };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

/** `*` stands for everything, or for any one part of an address. */
function pattern(host: string): RegExp {
  if (host === '*') return /^/;
  const parts = host.toLowerCase().split('*');
  return new RegExp(`^${parts.map((part) => part.replace(/[.]/g, '\\.')).join('[^.:]*')}$`);
}
