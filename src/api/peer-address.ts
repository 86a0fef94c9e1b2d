/** Addresses of peers, and what the `Host` and `Origin` headers of a request say about where it comes from. */

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** An IP address as people write it: IPv4 in IPv6 as IPv4. Empty when the socket is gone. */
export function normalAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase();
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** The name in `Host` without its port and brackets; undefined when it is none. */
function hostName(header: string | undefined): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(header ?? '') ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

/**
 * Whether `Host` names this machine by an address or as localhost. Any other name may have been pointed here by a
 * web page's owner (DNS rebinding), whose page would then count as ours.
 */
export function namesThisMachine(request: IncomingMessage): boolean {
  const { host } = request.headers;
  // Probes of HTTP/1.0 send none; browsers always do.
  if (host === undefined) return true;
  const name = hostName(host);
  return name !== undefined && (name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0);
}

/**
 * Whether a browser sent a request for a page that may do so: one from here, or from a listed origin. Programs send
 * no `Origin` and are not concerned. Without this any web page could use the API of whoever looks at it.
 */
export function mayComeFrom(request: IncomingMessage, origins: readonly string[]): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return origins.includes(origin) || origin === `http://${host}` || origin === `https://${host}`;
}
