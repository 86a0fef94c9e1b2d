// Ports for servers that cannot take any free one themselves.
import { once } from 'node:events';
import { createServer } from 'node:net';

/** So many free TCP ports of 127.0.0.1, from below the range that the system gives out itself. */
export async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await once(server.close(), 'close');
    ports.add(port);
  }
  return [...ports];
}
