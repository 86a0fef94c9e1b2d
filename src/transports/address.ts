/**
 * "host:port", with IPv6 addresses in brackets and IPv4 peers of a dual-stack socket in their own form
 * (`::ffff:192.0.2.1` is `192.0.2.1`). Empty when the socket no longer knows its address.
 */
export function formatAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return '';
  const own = unmapped(host);
  return own.includes(':') ? `[${own}]:${port}` : `${own}:${port}`;
}

/**
 * What counts as one address where addresses are counted: an IPv4 address, or the /64 of an IPv6 address, since a
 * site is given that many at least (RFC 6177). `host` as the system prints it.
 */
export function addressGroup(host: string): string {
  const own = unmapped(host);
  if (!own.includes(':')) return own;
  const [head = '', tail] = own.split('%', 1)[0]!.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  // What `::` stands for is zeros.
  while (before.length + after.length < 8) before.push('0');
  return [...before, ...after].slice(0, 4).join(':');
}

function unmapped(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}
