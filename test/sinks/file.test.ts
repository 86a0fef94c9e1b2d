import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import t from 'tap';
import { RotatedFile } from '../../src/sinks/rotated-file.js';
import { StdoutSink } from '../../src/sinks/stdout.js';
import { random } from '../support/random.js';
import { delivery, idOf, idsTo, openFileDelivery, TestFeed, until } from './support.js';

const idsIn = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);

t.test('lines go on where they ended, after whole lines only', async (t) => {
  const path = join(t.testdir(), 'deep/out.jsonl');
  const open = () => new RotatedFile({ path, rotateBytes: 2 ** 20, rotateAge: 0, keep: 1 });
  const first = open();
  await first.append(Buffer.from('one\ntwo\n'));
  await first.append(Buffer.from('three\n'));
  await first.close();
  for (const torn of ['x', '{"half', 'y'.repeat(200_000)]) {
    appendFileSync(path, torn);
    const next = open();
    await next.append(Buffer.from('four\n'));
    await next.close();
    t.equal(readFileSync(path, 'utf8'), 'one\ntwo\nthree\nfour\n');
    truncateSync(path, 'one\ntwo\nthree\n'.length);
  }
  writeFileSync(path, 'no line at all');
  const last = open();
  await last.append(Buffer.from('one\n'));
  await last.close();
  t.equal(readFileSync(path, 'utf8'), 'one\n');
});

t.test('a long file makes way for a new one, and so many are kept', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'out');
  const file = new RotatedFile({ path, rotateBytes: 100, rotateAge: 0, keep: 3 });
  for (let i = 0; i < 50; i++) await file.append(Buffer.from(`${'x'.repeat(28)}${String(i).padStart(2)}\n`));
  await file.append(Buffer.from(`${'long'.repeat(100)}\n`));
  await file.append(Buffer.from('end\n'));
  await file.close();
  t.same(readdirSync(folder).sort(), ['out', 'out.1', 'out.2', 'out.3']);
  t.equal(readFileSync(path, 'utf8'), 'end\n');
  t.equal(readFileSync(`${path}.1`, 'utf8').length, 401, 'what is longer than a file has one of its own');
  t.match(readFileSync(`${path}.2`, 'utf8'), /x48\n\s*x*49\n$/);
});

t.test('an old file makes way for a new one', async (t) => {
  const path = join(t.testdir(), 'out');
  const open = (rotateAge: number) => new RotatedFile({ path, rotateBytes: 1e6, rotateAge, keep: 3 });
  const first = open(0.05);
  await first.append(Buffer.from('a\n'));
  const { birthtimeMs } = statSync(path);
  await until(() => Date.now() > birthtimeMs + 60);
  await first.append(Buffer.from('b\n'));
  t.equal(readFileSync(path, 'utf8'), 'b\n');
  await first.close();
  const later = open(3600);
  await later.append(Buffer.from('c\n'));
  await later.close();
  t.equal(readFileSync(path, 'utf8'), 'b\nc\n');
});

t.test('an address that cannot be written to waits until it can', async (t) => {
  const feed = await TestFeed.open(t, ['file']);
  const blocked = join(feed.folder, 'blocked');
  writeFileSync(blocked, '');
  const path = join(blocked, 'out.jsonl');
  const delivery = await feed.deliver({ file: { path } });
  feed.add(5);
  await until(() => delivery.status().error !== undefined);
  t.match(delivery.status(), { ok: false, error: /ENOTDIR|EEXIST/, pending: 5 });
  rmSync(blocked);
  await until(() => delivery.status().delivered === 5);
  t.same(idsIn(readFileSync(path, 'utf8')), idsTo(5));
});

t.test('a full disk', async (t) => {
  const feed = await TestFeed.open(t, ['file']);
  const delivery = await feed.deliver({ file: { path: '/dev/full' } });
  feed.add(5);
  await until(() => delivery.status().retried >= 10);
  t.match(delivery.status(), { ok: false, error: /ENOSPC/, delivered: 0, dead: 0, pending: 5 });
});

t.test('kill -9 at any moment: every committed report is in the file, in whole lines', async (t) => {
  const { below } = random(t);
  const path = join(t.testdir(), 'store');
  const out = join(path, 'out.jsonl');
  let committed = 0;
  for (let round = 0; round < 2; round++) {
    const victim = fork(join(import.meta.dirname, 'child.ts'), [path, `${committed + 1}`]);
    let left = 3 + below(40);
    victim.on('message', (last) => {
      committed = last as number;
      if (--left === 0) victim.kill('SIGKILL');
    });
    await once(victim, 'exit');
    // As if it had been killed in the middle of a line.
    appendFileSync(out, '{"id":"3-');
  }
  const { store, feed, sinks } = await openFileDelivery(path);
  await until(() => sinks.status()[0]!.pending === 0);
  await sinks.close();
  await feed.close();
  await store.close();
  const ids = idsIn(readFileSync(out, 'utf8'));
  const missing = idsTo(committed).filter((id) => !ids.includes(id));
  t.same(missing, []);
  t.comment(`${committed} reports, ${ids.length - new Set(ids).size} repeats`);
});

t.test('standard output: lines, and an error when the reader is gone', async (t) => {
  const output = new PassThrough({ highWaterMark: 1 });
  const sink = new StdoutSink(output);
  const writing = sink.deliver([delivery(1), delivery(2)]);
  const more = sink.deliver([delivery(3)]);
  let read = '';
  output.on('data', (chunk) => {
    read += chunk;
  });
  await Promise.all([writing, more]);
  t.same(idsIn(read), [1, 2, 3].map(idOf));
  const gone = new StdoutSink(
    new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('EPIPE')) }),
  );
  await t.rejects(gone.deliver([delivery(1)]), { message: 'EPIPE' });
  await t.rejects(gone.deliver([delivery(1)]));
});
