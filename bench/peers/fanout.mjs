// Bare servers that write one message to all of their clients: what a publish costs without a gateway.
//   node peers/fanout.mjs tcp|ws     says where it listens; each line of standard input is written to all clients
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [kind] = process.argv.slice(2);
const clients = new Set();
const hello = 'id 0\n';

if (kind === 'ws') {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 1024, perMessageDeflate: false });
  server.on('connection', (socket) => {
    clients.add(socket);
    socket.on('close', () => clients.delete(socket)).on('error', () => {});
    socket.send(hello);
  });
  server.on('listening', () => process.stdout.write(`listening on ${server.address().port}\n`));
} else {
  const server = createServer({ noDelay: true }, (socket) => {
    clients.add(socket);
    socket
      .on('close', () => clients.delete(socket))
      .on('error', () => {})
      .resume();
    socket.write(hello);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    process.stdout.write(`listening on ${server.address().port}\n`);
  });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (kind === 'ws') for (const client of clients) client.send(line);
  else {
    const bytes = Buffer.from(line);
    for (const client of clients) client.write(bytes);
  }
});
