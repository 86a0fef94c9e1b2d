// Devices, simulated in this process.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** A frame of `size` bytes: its length, then a reading that peers/bare.mjs and lua/reading.lua can decode. */
export function frame(size) {
  const bytes = Buffer.alloc(size, 7);
  bytes.writeUInt16BE(size - 2, 0);
  // The device id, 64 bits from the fourth byte on, is a number a double can hold.
  bytes.writeUInt16BE(0, 3);
  return bytes;
}

function dial(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

function dialTls(port) {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', noDelay: true, rejectUnauthorized: false }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

/** Opens `count` connections, over TLS where said, a few at a time so that the backlog never fills. */
export async function open(port, count, { tls = false } = {}) {
  const make = tls ? dialTls : dial;
  const sockets = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(100, count - sockets.length) }, () => make(port));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** Closes all and resolves once they are gone. */
export function close(sockets) {
  return Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.once('close', resolve).destroy();
        }),
    ),
  );
}

/** A server that stops replying must not make a benchmark wait for ever. */
const SILENCE_MS = 30_000;

/**
 * Every socket sends `burst` frames in one write, waits for `reply` bytes for each, as many as it sent unless told, and
 * so on until `messages` frames were answered altogether.
 */
export async function exchange(sockets, bytes, burst, messages, reply = bytes.length) {
  const request = Buffer.concat(Array.from({ length: burst }, () => bytes));
  let left = Math.ceil(messages / burst);
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve, reject) => {
          let due = 0;
          const next = () => {
            if (left <= 0) {
              socket.setTimeout(0).off('data', received).off('close', lost).off('timeout', silent);
              resolve();
              return;
            }
            left--;
            due = burst * reply;
            socket.write(request);
          };
          const received = (answer) => {
            due -= answer.length;
            if (due < 0) reject(new Error('more bytes in reply than expected'));
            if (due === 0) next();
          };
          const lost = () => reject(new Error('the server closed a connection'));
          const silent = () => reject(new Error('the server stopped replying'));
          socket.setTimeout(SILENCE_MS).on('data', received).on('close', lost).on('timeout', silent);
          next();
        }),
    ),
  );
}
