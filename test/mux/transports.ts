/** Connected pairs of every kind of transport a session runs on; each closes its server at once. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import tls from 'node:tls';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';

type Pair = () => Promise<[near: Duplex, far: Duplex]>;

async function overServer(
  server: net.Server,
  where: net.ListenOptions,
  connect: () => net.Socket,
  event: string,
) {
  server.listen(where);
  await once(server, 'listening');
  const accepted = once(server, event) as Promise<[Duplex]>;
  const near = connect();
  const [far] = await accepted;
  server.close();
  return [near, far] as [Duplex, Duplex];
}

const LOCAL = { port: 0, host: '127.0.0.1' };

const tcp: Pair = () => {
  const server = net.createServer();
  return overServer(
    server,
    LOCAL,
    () => net.connect((server.address() as AddressInfo).port, '127.0.0.1'),
    'connection',
  );
};

const unix: Pair = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-mux-'));
  const path = join(folder, 's');
  try {
    return await overServer(net.createServer(), { path }, () => net.connect(path), 'connection');
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** A pre-shared key needs no certificate. */
const tlsPair: Pair = () => {
  const psk = Buffer.alloc(16, 7);
  const version = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'PSK' } as const;
  const server = tls.createServer({ ...version, pskCallback: () => psk });
  const connect = () =>
    tls.connect({
      ...version,
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      pskCallback: () => ({ psk, identity: 'engine' }),
      checkServerIdentity: () => undefined,
    });
  return overServer(server, LOCAL, connect, 'secureConnection');
};

const webSocket: Pair = async () => {
  const server = new WebSocketServer(LOCAL);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  const near = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [far] = await accepted;
  server.close();
  return [createWebSocketStream(near), createWebSocketStream(far)];
};

/** Memory that delivers in pieces of random sizes, 1 … 40 bytes mostly. */
export function splittingPair(below: (limit: number) => number): [Duplex, Duplex] {
  const [near, far] = duplexPair();
  for (const side of [near, far]) {
    const push = side.push.bind(side);
    side.push = (chunk: Uint8Array | null) => {
      if (chunk === null) return push(null);
      let more = true;
      for (let at = 0; at < chunk.length; ) {
        const end = at + 1 + below(below(4) === 0 ? 4000 : 40);
        more = push(chunk.subarray(at, end));
        at = end;
      }
      return more;
    };
  }
  return [near, far];
}

/** Each kind of transport by its name. */
export const TRANSPORTS: Record<string, Pair> = {
  memory: async () => duplexPair(),
  tcp,
  tls: tlsPair,
  websocket: webSocket,
  unix,
};
