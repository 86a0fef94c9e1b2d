/** Addresses written as `host:port` or `scheme://host:port`. */

import { isHost } from './values.js';

/** A host and a port. */
export interface Address {
  /** Host name or IP address, without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Where a centre is reached. */
export interface RegistryAddress extends Address {
  readonly scheme: 'tcp' | 'tls' | 'ws' | 'wss';
  /** Path of a WebSocket address, beginning with a slash; `/` otherwise. */
  readonly path: string;
}

/** Reads `host`, `host:port`, `[v6]:port`; undefined when it is none of these. */
export function parseAddress(text: string, defaultPort: number): Address | undefined {
  const match = /^(?:\[([^\]]{2,45})\]|([^:[\]/@\s]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const host = match[1] ?? match[2]!;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return isHost(host) && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** Reads `host:port` or `tcp:// tls:// ws:// wss://` and an address; undefined when it is none of these. */
export function parseRegistryAddress(text: string, defaultPort: number): RegistryAddress | undefined {
  const match = /^(?:(tcp|tls|ws|wss):\/\/)?([^/\s]+)(\/[^\s]*)?$/.exec(text);
  if (!match) return undefined;
  const scheme = (match[1] ?? 'tcp') as RegistryAddress['scheme'];
  const address = parseAddress(match[2]!, defaultPort);
  const path = match[3] ?? '/';
  if (!address || (path !== '/' && !scheme.startsWith('ws'))) return undefined;
  return { scheme, ...address, path };
}
