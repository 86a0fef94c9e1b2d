// What is compared, each behind the same few functions: both ends in this process, over loopback TCP.
import net from 'node:net';
import { Session } from '../../dist/mux.js';

/** A connected pair of sockets without Nagle's delay, and the function that closes the server. */
export async function socketPair() {
  const server = net.createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const accepted = new Promise((resolve) => server.once('connection', resolve));
  const client = net.connect({ port: server.address().port, host: '127.0.0.1', noDelay: true });
  const other = await accepted;
  server.close();
  return [client, other];
}

/** node:net itself: every "stream" is a TCP connection. `open` resolves when connected. */
export async function rawTcp() {
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 16384 });
  await new Promise((resolve) => server.once('listening', resolve));
  const options = { port: server.address().port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true };
  return {
    name: 'node:net',
    open: () => net.connect(options),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** This package: every stream is echoed by the other end. */
export async function moonwire() {
  const [near, far] = await socketPair();
  const client = new Session(near, { role: 'client' });
  const server = new Session(far, { role: 'server' });
  server.on('stream', (stream) => stream.pipe(stream));
  return {
    name: 'moonwire/mux',
    open: () => client.open(),
    close: async () => {
      await client.close();
      await server.closed;
    },
  };
}
