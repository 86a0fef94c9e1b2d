// The functions of protocols.mjs on node:net alone. `node devices.mjs gt06|modbus` prints "listening on <port>".
import { createServer } from 'node:net';
import { PROTOCOLS } from './protocols.mjs';

const { length, decode, reply } = PROTOCOLS[process.argv[2]];

const server = createServer({ noDelay: true }, (socket) => {
  let held;
  socket.on('data', (bytes) => {
    let rest = held ? Buffer.concat([held, bytes]) : bytes;
    socket.cork();
    while (rest.length > 0) {
      const whole = length(rest);
      if (whole === 0) break;
      if (whole > 0) {
        const message = decode(rest.subarray(0, whole));
        if (message) socket.write(reply(message));
      }
      rest = rest.subarray(whole > 0 ? whole : 1);
    }
    socket.uncork();
    held = rest.length > 0 ? rest : undefined;
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
process.on('SIGTERM', () => process.exit(0));
