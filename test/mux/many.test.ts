import t from 'tap';
import { type MuxStream, Session } from '../../src/mux/index.js';
import { TRANSPORTS } from './transports.js';

/** Sends one byte, waits for its echo and for the stream to close. */
function echo(stream: MuxStream): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = 0;
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    stream.on('close', () => resolve(received));
    stream.on('error', reject);
    stream.end('x');
  });
}

for (const [acceptBy, count] of [
  ['event', 10_000],
  ['iterator', 2000],
] as const) {
  t.test(
    `${count} streams opened at once over TCP, accepted by ${acceptBy}, echoed and closed`,
    async (t) => {
      const [near, far] = await TRANSPORTS.tcp!();
      const client = new Session(near, { role: 'client' });
      const server = new Session(far, { role: 'server' });
      if (acceptBy === 'event') server.on('stream', (stream) => stream.pipe(stream));
      else {
        (async () => {
          for await (const stream of server) stream.pipe(stream);
        })();
      }
      const received = await Promise.all(Array.from({ length: count }, () => echo(client.open())));
      t.ok(received.every((bytes) => bytes === 1));
      t.match(server.counters, { accepted: count, backlogFull: 0, refused: 0 });
      await client.drain();
      t.equal((await server.closed).remote?.code, 'none');
      t.equal(client.streamCount + server.streamCount, 0);
    },
  );
}
