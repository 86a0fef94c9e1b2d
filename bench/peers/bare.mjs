// What a programmer would write on node:net or node:tls alone: the same framing, decoding and replies as lua/*.lua.
// `node bare.mjs echo|reading [cert key]` prints "listening on <port>".
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/** Frame → reply. */
const HANDLERS = {
  /** lua/echo.lua: the frame as a string to the handler, which sends a string. */
  echo() {
    const onMessage = (message, socket) => socket.write(message, 'latin1');
    return (frame, socket) => onMessage(frame.latin1Slice(), socket);
  },
  /** lua/reading.lua */
  reading() {
    let hottest = Number.NEGATIVE_INFINITY;
    const decode = (frame) => ({
      type: frame[2],
      device_id: frame.readUInt32BE(3) * 2 ** 32 + frame.readUInt32BE(7),
      temperature: frame.readInt32BE(11) / 100,
      sequence: frame.readUInt32BE(15),
    });
    const onMessage = (message) => {
      if (message.temperature > hottest) hottest = message.temperature;
    };
    const reply = (message) => {
      const bytes = Buffer.alloc(21);
      bytes.writeUInt16BE(19, 0);
      bytes.writeUInt16BE(message.sequence % 65536, 2);
      bytes[4] = 1;
      bytes.writeUInt32BE(Math.floor(message.device_id / 2 ** 32), 5);
      bytes.writeUInt32BE(message.device_id % 2 ** 32, 9);
      bytes.writeUInt32BE(message.sequence, 13);
      return bytes;
    };
    return (frame, socket) => {
      const message = decode(frame);
      onMessage(message);
      socket.write(reply(message));
    };
  },
};

const MAX_FRAME = 65_536;
const [handler, cert, key] = process.argv.slice(2);
const handle = HANDLERS[handler]();

const serve = (socket) => {
  let held;
  socket.on('data', (bytes) => {
    let rest = held ? Buffer.concat([held, bytes]) : bytes;
    // Replies to frames that came together leave together, as the engine's do.
    socket.cork();
    while (rest.length >= 2) {
      const length = rest.readUInt16BE(0) + 2;
      if (length > MAX_FRAME) return socket.destroy();
      if (rest.length < length) break;
      handle(rest.subarray(0, length), socket);
      rest = rest.subarray(length);
    }
    socket.uncork();
    held = rest.length > 0 ? rest : undefined;
  });
  socket.on('error', () => socket.destroy());
};
const server =
  cert === undefined
    ? createServer({ noDelay: true }, serve)
    : createTlsServer({ noDelay: true, cert: readFileSync(cert), key: readFileSync(key) }, serve);
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on ${server.address().port}\n`));
process.on('SIGTERM', () => process.exit(0));
