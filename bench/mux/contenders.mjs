// What is compared, each behind the same few functions: both ends in this process, over loopback TCP.
//   echo(bytes): opens a stream whose other end echoes, sends so many bytes, reads them back, closes it
//   pingPong(count, size): so many requests of so many bytes on one stream, each answered before the next
//   hold(count): opens streams, a byte each way, and leaves them open
import { once } from 'node:events';
import net from 'node:net';
import { Session } from '../../dist/mux.js';

const BLOCK = Buffer.alloc(64 * 1024, 7);

/** The blocks that make up `bytes`. */
function* blocks(bytes) {
  for (let left = bytes; left > 0; left -= BLOCK.length)
    yield left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
}

/** A connected pair of sockets without Nagle's delay. */
async function socketPair() {
  const server = net.createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const near = net.connect({ port: server.address().port, host: '127.0.0.1', noDelay: true });
  const [far] = await accepted;
  server.close();
  return [near, far];
}

/** The work, for streams that are a node:stream Duplex. */
function overDuplex(open) {
  return {
    echo: (bytes) =>
      new Promise((resolve, reject) => {
        const stream = open();
        const rest = [...blocks(bytes)];
        let received = 0;
        let next = 0;
        const pump = () => {
          while (next < rest.length - 1) if (!stream.write(rest[next++])) return;
          stream.end(rest[next]);
          stream.off('drain', pump);
        };
        stream.on('drain', pump);
        stream.on('data', (chunk) => {
          received += chunk.length;
        });
        stream.on('error', reject);
        stream.on('close', () => {
          if (received === bytes) resolve();
          else reject(new Error(`${received} of ${bytes} bytes came back`));
        });
        pump();
      }),
    pingPong: (count, size) =>
      new Promise((resolve, reject) => {
        const stream = open();
        const request = BLOCK.subarray(0, size);
        let left = count;
        let due = size;
        stream.on('data', (chunk) => {
          due -= chunk.length;
          if (due > 0) return;
          due = size;
          if (--left > 0) stream.write(request);
          else stream.end();
        });
        stream.on('error', reject);
        stream.on('close', resolve);
        stream.write(request);
      }),
    hold: (count) =>
      Promise.all(
        Array.from({ length: count }, async () => {
          const stream = open();
          stream.on('error', () => {});
          stream.write('x');
          await once(stream, 'data');
          return stream;
        }),
      ),
  };
}

/** node:net itself: every "stream" is a TCP connection. */
export async function rawTcp() {
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 });
  await once(server, 'listening');
  const options = { port: server.address().port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true };
  return {
    ...overDuplex(() => net.connect(options)),
    close: () => new Promise((done) => server.close(done)),
  };
}

/** This package. */
export async function moonwire() {
  const [near, far] = await socketPair();
  const client = new Session(near, { role: 'client' });
  const server = new Session(far, { role: 'server' });
  server.on('stream', (stream) => stream.on('error', () => {}).pipe(stream));
  return {
    ...overDuplex(() => client.open()),
    close: async () => {
      await client.close();
      await server.closed;
    },
  };
}

/** ChainSafe's yamux for Node, version 7 (8 needs Node 22); undefined when it is not installed. */
export async function loadYamux() {
  const loaded = await import('@chainsafe/libp2p-yamux').catch(() => undefined);
  if (!loaded) return undefined;
  const silent = Object.assign(() => {}, { trace() {}, error() {}, enabled: false });
  const factory = loaded.yamux({
    enableKeepAlive: false,
    maxInboundStreams: 20_000,
    maxOutboundStreams: 20_000,
  })({
    logger: { forComponent: () => silent },
  });
  const carry = async (muxer, socket) => {
    socket.on('error', () => {});
    muxer.sink(socket).catch(() => {});
    for await (const chunk of muxer.source) {
      socket.cork();
      for (const part of chunk instanceof Uint8Array ? [chunk] : chunk) socket.write(part);
      process.nextTick(() => socket.uncork());
      if (socket.writableNeedDrain) await once(socket, 'drain');
    }
  };
  return async () => {
    const [near, far] = await socketPair();
    const client = factory.createStreamMuxer({ direction: 'outbound' });
    const server = factory.createStreamMuxer({
      direction: 'inbound',
      onIncomingStream: (stream) => stream.sink(stream.source).catch(() => {}),
    });
    carry(client, near).catch(() => {});
    carry(server, far).catch(() => {});
    const echo = async (bytes) => {
      const stream = client.newStream();
      const sent = stream.sink(blocks(bytes));
      let received = 0;
      for await (const chunk of stream.source) received += chunk.byteLength;
      await sent;
      await stream.close();
      if (received !== bytes) throw new Error(`${received} of ${bytes} bytes came back`);
    };
    const pingPong = async (count, size) => {
      const stream = client.newStream();
      const request = BLOCK.subarray(0, size);
      let answered = () => {};
      const sent = stream.sink(
        (async function* () {
          for (let i = 0; i < count; i++) {
            const answer = new Promise((resolve) => {
              answered = resolve;
            });
            yield request;
            await answer;
          }
        })(),
      );
      let due = size;
      for await (const chunk of stream.source) {
        due -= chunk.byteLength;
        if (due > 0) continue;
        due = size;
        answered();
      }
      await sent;
      await stream.close();
    };
    const hold = (count) =>
      Promise.all(
        Array.from({ length: count }, async () => {
          const stream = client.newStream();
          stream
            .sink(
              (async function* () {
                yield BLOCK.subarray(0, 1);
                await new Promise(() => {});
              })(),
            )
            .catch(() => {});
          await stream.source[Symbol.asyncIterator]().next();
          return stream;
        }),
      );
    const close = async () => {
      await client.close();
      near.destroy();
      far.destroy();
    };
    return { echo, pingPong, hold, close };
  };
}
