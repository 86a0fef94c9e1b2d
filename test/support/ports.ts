/** Ports for processes under test, which cannot be asked to take any free one. */

import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * So many TCP ports of 127.0.0.1 that are free, all different. From below the range that the system gives out itself
 * (32,768 and up on Linux), so that no connection or port 0 takes one before it is used.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    ports.add(port);
  }
  return [...ports];
}

/** A free TCP port of 127.0.0.1; see {@link freePorts}. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}
