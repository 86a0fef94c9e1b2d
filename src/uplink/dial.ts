/** Opens the byte stream to a centre: TCP, TLS, or either under a WebSocket. */

import { type Socket, connect as tcpConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { RegistryAddress } from '../config/address.js';
import type { EngineConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import { formatAddress } from '../transports/address.js';
import { socketError } from '../transports/failure.js';
import { clientOptions, type TlsClientOptions } from '../transports/tlsclient.js';

/** The subprotocol of uplinks over WebSockets. */
export const SUBPROTOCOL = 'moonwire.uplink.v1';
/** Longest WebSocket message taken; sessions write far less at a time. */
export const MAX_WS_MESSAGE_BYTES = 2 ** 20;
/** Milliseconds of silence after which the system probes whether the peer still exists. */
const KEEP_ALIVE_MS = 60_000;

/** How a centre is dialled. */
export interface DialOptions {
  /** Certificates and versions, for `tls` and `wss`; files are read anew for each attempt. */
  readonly tls?: EngineConfig['centerTls'];
  /** Milliseconds until the connection must stand, handshakes included; 10,000. */
  readonly timeoutMs?: number;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
}

/** An address as people write it. */
export function describeAddress({ scheme, host, port, path }: RegistryAddress): string {
  return `${scheme}://${formatAddress(host, port)}${path === '/' ? '' : path}`;
}

/**
 * Connects. Rejects with a MoonwireError whose sentence names the address: `not_connected`, `not_found`, `timeout`,
 * `unauthorized` for a certificate that is not trusted, `closed` when aborted.
 */
export async function dial(address: RegistryAddress, options: DialOptions = {}): Promise<Duplex> {
  const where = describeAddress(address);
  const abort = new AbortController();
  const onAbort = (): void => abort.abort(new MoonwireError('closed', 'given up', where));
  const timeoutMs = options.timeoutMs ?? 10_000;
  const timer = setTimeout(
    () => abort.abort(new MoonwireError('timeout', `${where} did not answer within ${timeoutMs} ms`, where)),
    timeoutMs,
  );
  options.signal?.addEventListener('abort', onAbort);
  if (options.signal?.aborted) onAbort();
  try {
    return await open(address, options, abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? abort.signal.reason : socketError(error, where);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

async function open(address: RegistryAddress, options: DialOptions, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const secure = address.scheme === 'tls' || address.scheme === 'wss';
  const tls = secure ? clientOptions(options.tls, address.host) : undefined;
  if (address.scheme === 'ws' || address.scheme === 'wss') return openWebSocket(address, tls, signal);
  const { host, port } = address;
  const socket: Socket = tls ? tlsConnect({ host, port, ...tls }) : tcpConnect({ host, port });
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  await settled(socket, tls ? 'secureConnect' : 'connect', signal, () => socket.destroy());
  return socket;
}

async function openWebSocket(
  { scheme, host, port, path }: RegistryAddress,
  tls: TlsClientOptions | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  // Loaded only where it is configured.
  const { createWebSocketStream, WebSocket } = await import('ws');
  signal.throwIfAborted();
  const socket = new WebSocket(`${scheme}://${formatAddress(host, port)}${path}`, [SUBPROTOCOL], {
    perMessageDeflate: false,
    maxPayload: MAX_WS_MESSAGE_BYTES,
    ...tls,
  });
  await settled(socket, 'open', signal, () => socket.terminate());
  return createWebSocketStream(socket);
}

interface Emitter {
  on(event: string, listener: (error: Error) => void): unknown;
  off(event: string, listener: (error: Error) => void): unknown;
}

/** Waits for `event`; an error or an abort comes first at times, and leaves nothing open. */
function settled(emitter: Emitter, event: string, signal: AbortSignal, destroy: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: unknown): void => {
      emitter.off(event, onOpen);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) {
        emitter.off('error', finish);
        resolve();
      } else {
        // The listener for errors stays: destroying may cause more, and nobody else listens.
        reject(error);
        destroy();
      }
    };
    const onOpen = (): void => finish();
    const onAbort = (): void => finish(signal.reason);
    emitter.on(event, onOpen);
    emitter.on('error', finish);
    signal.addEventListener('abort', onAbort);
  });
}
