// What a programmer would write on `ws`, `aedes` and `coap` alone to do the same as lua/echo_*.lua.
// `node echo.mjs websocket [cert key] | mqtt | coap` prints "listening on <port>".
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';

const SERVERS = {
  async websocket(cert, key) {
    const { WebSocketServer } = await import('ws');
    const server =
      cert === undefined
        ? createHttpServer({ noDelay: true })
        : createHttpsServer({ noDelay: true, cert: readFileSync(cert), key: readFileSync(key) });
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('message', (data, binary) => socket.send(data, { binary }));
      socket.on('error', () => socket.terminate());
    });
    return server;
  },

  async mqtt() {
    const { Aedes } = await import('aedes');
    const broker = await Aedes.createBroker();
    broker.on('publish', ({ topic, payload, qos }, client) => {
      if (client && topic === 'up') client.publish({ topic: 'down', payload, qos, retain: false }, () => {});
    });
    return createServer({ noDelay: true }, broker.handle);
  },

  async coap() {
    const { default: coap } = await import('coap');
    const server = coap.createServer((request, response) => response.end(request.payload));
    return {
      listen: (port, host, listening) => server.listen(port, host, listening),
      address: () => server._sock.address(),
    };
  },
};

const [name, ...files] = process.argv.slice(2);
const server = await SERVERS[name](...files);
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
process.on('SIGTERM', () => process.exit(0));
