/**
 * "host:port", with IPv6 addresses in brackets and IPv4 peers of a dual-stack socket in their own form
 * (`::ffff:192.0.2.1` is `192.0.2.1`). Empty when the socket no longer knows its address.
 */
export function formatAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return '';
  if (host.startsWith('::ffff:') && host.includes('.')) return `${host.slice(7)}:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
