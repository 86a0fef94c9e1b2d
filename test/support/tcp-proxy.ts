/** A TCP proxy that can stop passing anything on while its connections stay open, as a half-open link does. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** From now on what comes on open connections is dropped; new ones work. */
  drop(): void;
  /** Resets every open connection. */
  cut(): void;
}

/** A proxy to a port of this machine, closed with the test. */
export async function openProxy(t: Pick<Test, 'teardown'>, target: () => number): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>();
  /** Those of which neither end hears of the other any more. */
  const lost = new Set<[Socket, Socket]>();
  let accepted = 0;
  const server = createServer({ noDelay: true }, (near) => {
    accepted++;
    const far = connect({ port: target(), host: '127.0.0.1', noDelay: true });
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('error', () => {});
      from.pipe(to);
      from.on('close', () => {
        if (!lost.has(pair)) to.destroy();
        else if (!to.destroyed) return;
        pairs.delete(pair);
        lost.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const sockets of pairs) for (const socket of sockets) socket.resetAndDestroy();
  };
  t.teardown(async () => {
    for (const sockets of pairs) for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    drop() {
      for (const pair of pairs) {
        lost.add(pair);
        for (const socket of pair) socket.unpipe().resume();
      }
    },
    cut,
  };
}
