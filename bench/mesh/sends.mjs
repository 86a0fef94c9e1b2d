// Sends from the API of one engine to a client of another, there and back to `done`.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { open } from '../support/clients.mjs';
import { median } from '../support/statistics.mjs';
import { startCluster } from './cluster.mjs';

const MESSAGES = 20_000;

/** Sends over one API connection with `inFlight` waiting at a time; round trips in milliseconds, and the whole. */
async function drive(socket, client, inFlight) {
  const times = [];
  const began = new Map();
  let next = 0;
  const start = performance.now();
  await new Promise((resolve, reject) => {
    const send = () => {
      if (next === MESSAGES) return;
      const i = next++;
      began.set(i, performance.now());
      socket.send(JSON.stringify({ m: 'mesh.send', p: { c: client, d: 'hello', t: 'text' }, i }));
    };
    const answered = (text) => {
      const { E, i } = JSON.parse(text);
      if (E) return reject(new Error(E.m));
      times.push(performance.now() - began.get(i));
      began.delete(i);
      if (times.length === MESSAGES) {
        socket.off('message', answered);
        resolve();
      } else send();
    };
    socket.on('message', answered);
    for (let i = 0; i < inFlight; i++) send();
  });
  return { times, seconds: (performance.now() - start) / 1000 };
}

/** Rows for the same engine (no mesh) and another one, at 1 and 100 in flight. */
export async function sendRows(note) {
  const cluster = await startCluster(2);
  const sockets = [];
  try {
    const [first, second] = cluster.engines;
    const rows = [];
    const api = new WebSocket(`ws://127.0.0.1:${first.ports.api}/ws/v1`, { perMessageDeflate: false });
    await once(api, 'open');
    sockets.push(api);
    for (const [where, engine] of [
      ['the same engine', first],
      ['another engine', second],
    ]) {
      const [socket] = await open(engine.ports.tcp, 1);
      sockets.push(socket);
      const [hello] = await once(socket, 'data');
      const client = /id (\d+)/.exec(hello)[1];
      socket.resume();
      for (const inFlight of [1, 100]) {
        note(`sends to a client of ${where}, ${inFlight} in flight`);
        await drive(api, client, inFlight);
        const { times, seconds } = await drive(api, client, inFlight);
        rows.push({
          what: `Send from an API to a client of ${where}, ${inFlight} in flight`,
          figure: `${Math.round(times.length / seconds)}/s`,
          details: `round trip ${median(times).toFixed(2)} ms in the median, ${times
            .toSorted((a, b) => a - b)
            .at(-Math.ceil(times.length / 100))
            .toFixed(2)} ms for the slowest hundredth`,
        });
      }
    }
    return rows;
  } finally {
    for (const socket of sockets) (socket.terminate ?? socket.destroy).call(socket);
    await cluster.stop();
  }
}
