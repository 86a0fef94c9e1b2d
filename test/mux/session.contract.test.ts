import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import t, { type Test } from 'tap';
import {
  Heartbeat,
  type MuxStream,
  Session,
  type SessionOptions,
  TypedSession,
} from '../../src/mux/index.js';
import { TRANSPORTS } from './transports.js';
import { settle, textOf } from './wire.js';

// One suite over every transport; the opener is the client, then the server.

type Story = (t: Test, open: Session, accept: Session) => Promise<void>;

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function digest(stream: MuxStream): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) hash.update(chunk);
  return hash.digest('hex');
}

const STORIES: Record<string, [Story, Partial<SessionOptions>?]> = {
  'a request, half-closed, is answered to its end': [
    async (t, open, accept) => {
      const asking = open.open();
      asking.end('question');
      const stream = await accept.accept();
      t.equal(stream.id, asking.id);
      t.equal(await textOf(stream), 'question');
      stream.write('answer, ');
      stream.end('in parts');
      t.equal(await textOf(asking), 'answer, in parts');
      await settle();
      t.equal(open.streamCount + accept.streamCount, 0);
    },
  ],
  'a stream nobody writes to is announced, so that its peer may speak first': [
    async (t, open, accept) => {
      const listening = open.open();
      const [stream] = (await once(accept, 'stream')) as [MuxStream];
      stream.end('welcome');
      t.equal(await textOf(listening), 'welcome');
      listening.end();
      await finished(listening);
    },
  ],
  '3 MiB each way at once arrive unchanged': [
    async (t, open, accept) => {
      const [there, back] = [randomBytes(3 * 2 ** 20), randomBytes(3 * 2 ** 20)];
      const near = open.open();
      near.end(there);
      const far = await accept.accept();
      far.end(back);
      const [atFar, atNear] = await Promise.all([digest(far), digest(near)]);
      t.equal(atFar, sha(there));
      t.equal(atNear, sha(back));
    },
  ],
  'a reader that stops holds its writer, and nobody else': [
    async (t, open, accept) => {
      const stuck = open.open();
      let written = 0;
      const write = () => {
        while (stuck.write(Buffer.alloc(8192))) written += 8192;
        written += 8192;
      };
      stuck.on('drain', write);
      write();
      const unread = await accept.accept();
      for (let i = 0; i < 20; i++) {
        const quick = open.open();
        quick.end(`message ${i}`);
        const other = await accept.accept();
        t.equal(await textOf(other), `message ${i}`);
        other.end();
        quick.resume();
      }
      await settle(30);
      // Both ends' windows and buffers, and what the stream's Writable and Readable hold beyond them.
      t.ok(written <= 64 * 1024 + 3 * 65_536 + 8192, `${written} bytes were taken`);
      let read = 0;
      unread.on('data', (chunk: Buffer) => {
        read += chunk.length;
      });
      await once(stuck, 'drain');
      t.ok(read > 0, 'and goes on when it reads');
      stuck.removeListener('drain', write);
      stuck.end();
      await once(unread, 'end');
      t.equal(read, written);
    },
    { windowBytes: 64 * 1024 },
  ],
  'a reset reaches the other end with its code': [
    async (t, open, accept) => {
      const near = open.open();
      near.write('x');
      const far = await accept.accept();
      const failed = once(far, 'error');
      near.reset('enhance_your_calm');
      t.match((await failed)[0], { code: 'enhance_your_calm', wireCode: 10, remote: true });
      t.match(far.errored, { code: 'enhance_your_calm' });
      const other = open.open();
      other.on('error', () => {});
      other.write('y');
      const taken = await accept.accept();
      const cancelled = once(taken, 'error');
      other.destroy(new Error('anything else'));
      t.match((await cancelled)[0], { code: 'stream_cancelled' });
      const numbered = open.open();
      numbered.write('z');
      const seen = once(await accept.accept(), 'error');
      numbered.reset(77);
      t.match((await seen)[0], { code: 'unknown', wireCode: 77 });
    },
  ],
  '600 streams opened in one turn are all accepted, in order, by an iterator': [
    async (t, open, accept) => {
      const opened = Array.from({ length: 600 }, (_, i) => open.open().end(`${i}`));
      const texts: Promise<string>[] = [];
      const ids: number[] = [];
      for await (const stream of accept) {
        ids.push(stream.id);
        stream.end();
        texts.push(textOf(stream));
        if (ids.length === opened.length) break;
      }
      t.same(
        await Promise.all(texts),
        opened.map((_, i) => `${i}`),
      );
      t.same(
        ids,
        opened.map(({ id }) => id),
      );
      t.equal(accept.counters.backlogFull, 0);
      await Promise.all(opened.map((stream) => finished(stream.resume())));
    },
  ],
  'closing one end ends the other, with everything on it': [
    async (t, open, accept) => {
      const near = open.open();
      near.write('x');
      const far = await accept.accept();
      const failed = once(far, 'error');
      const iterated = (async () => {
        for await (const _ of accept);
      })();
      const end = await open.close();
      t.equal(end.error.code, 'session_closed');
      t.match(await accept.closed, { error: { code: 'peer_eof' }, remote: { code: 'none' } });
      t.equal(String((await accept.closed).debug), 'no error');
      t.match((await failed)[0], { code: 'session_closed' });
      t.ok(near.destroyed);
      await iterated;
    },
  ],
  'draining lets streams finish': [
    async (t, open, accept) => {
      const near = open.open();
      near.write('first, ');
      const far = await accept.accept();
      const gone = once(open, 'goaway');
      const drained = accept.drain();
      await gone;
      t.throws(() => open.open(), { code: 'remote_gone_away' });
      near.end('last');
      t.equal(await textOf(far), 'first, last');
      far.end();
      near.resume();
      t.equal((await drained).error.code, 'session_closed');
      t.equal((await open.closed).error.code, 'peer_eof');
    },
  ],
  'typed streams and heartbeats': [
    async (t, open, accept) => {
      const [near, far] = [new TypedSession(open), new TypedSession(accept)];
      const [mine, theirs] = [
        new Heartbeat(near, { intervalMs: 10 }),
        new Heartbeat(far, { intervalMs: 10 }),
      ];
      mine.start();
      theirs.start();
      near.open(4).end('command');
      const stream = await far.accept();
      t.equal(stream.streamType, 4);
      t.equal(await textOf(stream), 'command');
      stream.end();
      t.ok((await mine.beat()) > 0);
      t.ok((await theirs.beat()) > 0);
    },
  ],
};

for (const [name, pair] of Object.entries(TRANSPORTS)) {
  t.test(`over ${name}`, async (t) => {
    for (const [story, [run, options]] of Object.entries(STORIES)) {
      for (const opener of ['client', 'server'] as const) {
        await t.test(`${story}; the ${opener} opens`, async (t) => {
          const [near, far] = await pair();
          const client = new Session(near, { role: 'client', ...options });
          const server = new Session(far, { role: 'server', ...options });
          await (opener === 'client' ? run(t, client, server) : run(t, server, client));
          await Promise.all([client.close(), server.close()]);
          t.equal(client.streamCount + server.streamCount, 0);
          t.ok(near.destroyed && far.destroyed);
        });
      }
    }
  });
}
