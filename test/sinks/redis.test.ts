import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { openSink } from '../../src/sinks/registry.js';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { TestRedis } from '../support/redis.js';
import { delivery, feedRecord, idOf, idsTo, report, sinkConfig, TestFeed, until } from './support.js';

const run = promisify(execFile);
const skip = missing('redis-server', 'redis-server') || missing('openssl', 'openssl');
const STREAM = 'moonwire:reports';

/** What Debian's own client prints, as JSON. */
async function ask(port: number, ...command: string[]): Promise<unknown> {
  const { stdout } = await run('redis-cli', ['-p', `${port}`, '--json', ...command], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
}

/** The ids of the reports in a stream, in its order. */
async function idsIn(port: number, stream = STREAM): Promise<string[]> {
  const entries = (await ask(port, 'XRANGE', stream, '-', '+')) as [string, string[]][];
  return entries.map(([, fields]) => fields[1]!);
}

t.test('entries have all there is to know', { skip }, async (t) => {
  const redis = await TestRedis.start(t, '--requirepass', 'x y');
  const feed = await TestFeed.open(t, ['redis']);
  const url = `redis://127.0.0.1:${redis.port}`;
  await feed.deliver({ redis: { url, password: 'x y', db: 2, stream: 's' } });
  feed.feed.append(feedRecord([[7, 'ä', 1.5, 1, { t: 21.5, raw: Buffer.from('ok') }, 'a/b', 'good']]), 1);
  const ask2 = async () =>
    (await ask(redis.port, '-a', 'x y', '--no-auth-warning', '-n', '2', 'XRANGE', 's', '-', '+')) as [
      string,
      string[],
    ][];
  await until(async () => (await ask2()).length === 1);
  const [[, list]] = (await ask2()) as [[string, string[]]];
  const fields = Object.fromEntries(
    Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i], list[2 * i + 1]]),
  );
  t.match(fields, {
    id: idOf(7),
    engine: 'barn',
    node: '3',
    device_id: 'ä',
    time: '1.5',
    received: /^\d+\.?\d*$/,
    topic: 'a/b',
    quality: 'good',
    values: '{"t":21.5,"raw":"ok"}',
  });
});

t.test('what comes again is in the stream once', { skip }, async (t) => {
  const redis = await TestRedis.start(t);
  const sink = await openSink(sinkConfig({ redis: { url: `redis://127.0.0.1:${redis.port}` } }));
  t.teardown(() => sink.close());
  const { signal } = new AbortController();
  const some = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => delivery(from + i));
  await sink.deliver(some(1, 10), signal);
  await sink.deliver(some(5, 15), signal);
  await sink.close();
  await sink.deliver(some(1, 20), signal);
  t.same(await idsIn(redis.port), idsTo(20));
  for (let from = 21; from < 25_000; from += 5000) await sink.deliver(some(from, from + 4999), signal);
  t.equal(await ask(redis.port, 'ZCARD', `${STREAM}:ids`), 20_000, 'the ids kept are bounded');
  await ask(redis.port, 'SET', 'other:ids', 'not a sorted set');
  const other = await openSink(
    sinkConfig({ redis: { url: `redis://127.0.0.1:${redis.port}`, stream: 'other' } }),
  );
  await t.rejects(other.deliver(some(1, 3), signal), { message: /WRONGTYPE/ });
  t.equal(await ask(redis.port, 'EXISTS', 'other'), 0, 'nothing was added that could not be noted');
  await other.close();
});

t.test('streams are bounded', { skip }, async (t) => {
  const redis = await TestRedis.start(t);
  const url = `redis://127.0.0.1:${redis.port}`;
  const sink = await openSink(sinkConfig({ redis: { url, maxLength: 100 } }));
  t.teardown(() => sink.close());
  const { signal } = new AbortController();
  for (let i = 0; i < 10; i++) {
    await sink.deliver(
      Array.from({ length: 100 }, (_, n) => delivery(100 * i + n)),
      signal,
    );
  }
  const length = (await ask(redis.port, 'XLEN', STREAM)) as number;
  t.ok(length >= 100 && length < 300, `${length}`);
});

t.test(
  'nothing is lost or doubled while Redis hangs, and is killed and started again',
  { skip },
  async (t) => {
    const redis = await TestRedis.start(t, '--appendonly', 'yes', '--appendfsync', 'always');
    const feed = await TestFeed.open(t, ['redis']);
    const url = `redis://127.0.0.1:${redis.port}`;
    const settings = { redis: { url }, timeout: 0.5, batch: { records: 50 } };
    let delivery = await feed.deliver(settings);
    const count = 3000;
    for (let i = 0; i < 3; i++) {
      const noted = feed.values.get('redis')!;
      feed.add(count / 6);
      await until(() => delivery.status().delivered > 0);
      redis.signal('SIGSTOP');
      feed.add(count / 6);
      await until(() => !delivery.status().ok);
      redis.signal('SIGCONT');
      await until(() => delivery.status().ok);
      await redis.stop();
      await until(() => !delivery.status().ok || delivery.status().pending === 0);
      await redis.start();
      await until(() => delivery.status().pending < count / 6);
      // The process that delivers ends too, and what it noted last is not on disk.
      await delivery.close();
      await feed.values.set('redis', noted);
      await feed.reopen();
      delivery = await feed.deliver(settings);
    }
    await until(async () => (await idsIn(redis.port)).length >= count);
    await until(() => delivery.status().pending === 0);
    t.same(await idsIn(redis.port), idsTo(count), 'each once, in order');
  },
);

t.test('over TLS', { skip }, async (t) => {
  const { ca, server, client } = makeCertificates(t);
  const tlsPort = await freePort();
  const files = ['--tls-cert-file', server.cert, '--tls-key-file', server.key, '--tls-ca-cert-file', ca];
  const redis = await TestRedis.start(t, '--tls-port', `${tlsPort}`, ...files);
  const feed = await TestFeed.open(t, ['good', 'strange']);
  const url = `rediss://127.0.0.1:${tlsPort}`;
  await feed.deliver({ name: 'good', redis: { url, tls: { ca, ...client } } });
  const strange = await feed.deliver({ name: 'strange', redis: { url, stream: 'other' } });
  feed.feed.append(feedRecord([report(1)]), 1);
  await until(async () => (await idsIn(redis.port)).length === 1);
  await until(() => strange.status().error !== undefined);
  t.match(strange.status(), { delivered: 0, error: /certificate/ });
});
