/** Where a receiver listens. */

/** Host and port of an address such as `mqtt://host:1883`; the host without the brackets of IPv6. */
export function endpointOf(url: string, defaultPort: number): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) };
}
