// A crowd of TLS clients: `node crowd.mjs PORT COUNT` dials all at once, those that are refused again a moment later,
// prints {"seconds","refused"} when all are in, and keeps them open until it is ended.
import { connect } from 'node:tls';

const [port, count] = process.argv.slice(2).map(Number);
const AGAIN_MS = 250;
const started = performance.now();
let inside = 0;
let refused = 0;

function dial() {
  let secure = false;
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
    secure = true;
    inside++;
    if (inside < count) return;
    process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000, refused })}\n`);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    // To a client of TLS 1.3 the handshake is over before it is to the server.
    if (secure) inside--;
    refused++;
    setTimeout(dial, AGAIN_MS * (1 + Math.random()));
  });
}

for (let i = 0; i < count; i++) dial();
