import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createPublicKey, sign, verify } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/log.js';
import {
  BLOCK,
  clientId,
  formatClientId,
  nodeOf,
  parseClientId,
  SEQUENCES,
  Sequences,
} from '../../src/store/ids.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { takeLock } from '../../src/store/lock.js';
import { openStore } from '../../src/store/store.js';
import { FailingFs, LogRecorder, openJournal } from './support.js';

const log = silentLogger;

/** Starts a child of `child.ts` and resolves with its first message. */
async function start(t: Test, role: string, path: string): Promise<{ child: ChildProcess; first: unknown }> {
  // Bundled, since compiling the sources at each start would take most of the test's time.
  const outfile = join(t.testdirName, 'child.mjs');
  const entryPoints = [join(import.meta.dirname, 'child.ts')];
  buildSync({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  const child = fork(outfile, [role, path], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const first = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', () => reject(new Error('the child ended before it said anything')));
  });
  return { child, first };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

t.test('client ids', async (t) => {
  const id = clientId(2 ** 20 - 1, SEQUENCES - 1);
  t.equal(id, Number.MAX_SAFE_INTEGER, '53 bits are used, no more');
  t.equal(nodeOf(id), 2 ** 20 - 1);
  t.equal(nodeOf(clientId(0, SEQUENCES - 1)), 0);
  t.equal(nodeOf(clientId(1, 0)), 1);
  t.equal(formatClientId(id), '9007199254740991');
  for (const good of [0, 1, SEQUENCES, id]) {
    t.equal(parseClientId(formatClientId(good)), good);
    t.equal(parseClientId(good), good);
  }
  for (const bad of [
    '',
    '01',
    '-1',
    '1.5',
    '9007199254740992',
    '1e3',
    ' 1',
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    null,
    true,
    {},
  ]) {
    t.equal(parseClientId(bad), undefined, String(bad));
  }
});

t.test('sequences are never given out twice, over restarts and several blocks', async (t) => {
  const map = new MemoryKeyValue();
  let last = -1;
  for (const count of [1, 10, BLOCK / 2, BLOCK, 3 * BLOCK + 7]) {
    const sequences = await Sequences.open(map, log);
    for (let i = 0; i < count; i++) {
      const next = sequences.nextSequence();
      if (next <= last) t.fail(`${next} after ${last}`);
      last = next;
    }
    const reserved = Number(Buffer.from(map.get('sequence')!).readBigUInt64BE());
    t.ok(reserved > last, `${reserved} is reserved, ${last} was used`);
    t.ok(reserved - last <= 2 * BLOCK);
  }
  const end = Buffer.alloc(8);
  end.writeBigUInt64BE(BigInt(SEQUENCES));
  await map.set('sequence', end);
  const exhausted = await Sequences.open(map, log);
  t.throws(() => exhausted.nextSequence(), { code: 'overloaded' });
});

t.test('a store keeps key, node, epoch, ids and values, for its owner only', async (t) => {
  const path = join(t.testdir(), 'deep/data');
  const first = await openStore({ path, log, delayMs: 1 });
  t.equal(first.health().ok, true);
  t.equal(first.identity.node, 0);
  t.equal(first.identity.publicKey.length, 32);
  t.throws(() => first.identity.setNode(0), { code: 'invalid_argument' });
  t.throws(() => first.identity.setNode(2 ** 20), { code: 'invalid_argument' });
  await first.identity.setNode(77);
  await first.kv.set('x', Buffer.from('1'));
  const used = first.ids.nextSequence();
  await first.close();
  t.equal(statSync(join(path, 'state/segment-00000000000000')).mode & 0o777, 0o600);
  t.equal(statSync(join(path, 'state')).mode & 0o777, 0o700);
  t.same(readdirSync(path), ['state'], 'the lock is given up');

  const second = await openStore({ path, log });
  t.equal(second.identity.node, 77);
  t.equal(second.identity.storeEpoch, first.identity.storeEpoch);
  t.ok(second.identity.storeEpoch < 2 ** 48);
  t.same(second.identity.publicKey, first.identity.publicKey);
  const signature = sign(null, Buffer.from('hello'), first.identity.privateKey);
  const key = createPublicKey(second.identity.privateKey);
  t.ok(verify(null, Buffer.from('hello'), key, signature));
  t.same(second.kv.get('x'), Buffer.from('1'));
  t.same([...second.kv.keys()], ['x'], 'scripts see only their own');
  t.ok(second.ids.nextSequence() > used);
  await second.close();
});

t.test('without a path all is in memory', async (t) => {
  const store = await openStore({ log });
  await store.kv.set('x', Buffer.from('1'));
  t.equal(store.ids.nextSequence(), 0);
  t.match(store.health(), { ok: true, state: undefined });
  await store.flush();
  await store.close();
});

t.test('a path that cannot be a store is one clear error', async (t) => {
  const folder = t.testdir({ file: '' });
  await t.rejects(openStore({ path: join(folder, 'file'), log }), {
    code: 'invalid_argument',
    message: /cannot keep state in .*file/,
  });
});

t.test('a full disk at the start: the state is read, the engine runs, health tells', async (t) => {
  const path = t.testdir();
  const before = await openStore({ path, log });
  await before.identity.setNode(5);
  await before.close();
  const disk = new FailingFs();
  disk.code = 'ENOSPC';
  const lines = new LogRecorder();
  const store = await openStore({ path, log: lines, fs: disk.fs, delayMs: 1 });
  t.equal(store.identity.node, 5);
  t.equal(store.ids.nextSequence(), BLOCK);
  t.equal(store.health().ok, false);
  t.match(store.health().error, /ENOSPC/);
  t.match(lines.lines.join('\n'), /client ids could not be reserved/);
  await t.rejects(store.flush(), { code: 'overloaded' });
  await store.close();
});

t.test('one process at a time', async (t) => {
  const path = join(t.testdir(), 'store');
  const { child, first } = await start(t, 'hold', path);
  t.equal(first, 'open');
  const conflict = { code: 'conflict', message: `the store ${path} is in use by process ${child.pid}` };
  await t.rejects(openStore({ path, log }), conflict);
  await kill(child);
  const store = await openStore({ path, log });
  await t.rejects(openStore({ path, log }), { code: 'conflict' }, 'nor twice in one process');
  await store.close();
  const again = await openStore({ path, log });
  await again.close();
});

const noProc = process.platform !== 'linux' && 'there is no /proc';
t.test(
  'a process that has ended holds no lock, even if its parent never asks',
  { skip: noProc },
  async (t) => {
    // The shell's child ends soon; what the shell has become by then never asks how.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60']);
    t.teardown(() => parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line);
    const stat = () =>
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ');
    while (stat()[0] !== 'Z') await setTimeout(5);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const path = t.testdir({ [`lock.${pid}.${stat()[19]}.${boot}.0123456789abcdef`]: '' });
    const lock = await takeLock(path);
    await lock.release();
    t.same(readdirSync(path), []);
  },
);

t.test('a lock left by a dead process does not hold, whoever has its process id now', async (t) => {
  const rest = '0123456789abcdef';
  const left = [`lock.999999999.5.-.${rest}`, `lock.${process.pid}.1.0-0.${rest}`, `lock.1.-.-.${rest}`];
  const path = t.testdir({ ...Object.fromEntries(left.map((name) => [name, ''])), 'lock.x': '', lock: '' });
  const lock = await takeLock(path);
  const names = readdirSync(path).sort();
  t.same(names.slice(0, 1), ['lock']);
  t.match(names[1], `lock.${process.pid}.`);
  t.same(names.slice(2), ['lock.x'], 'the dead ones are gone, what is no lock stays');
  await t.rejects(takeLock(path), { code: 'conflict' });
  await lock.release();
  t.same(readdirSync(path).sort(), ['lock', 'lock.x']);
});

t.test('of many at once never two get it', async (t) => {
  const path = t.testdir();
  let wins = 0;
  for (let round = 0; round < 5; round++) {
    writeFileSync(join(path, 'lock.999999999.5.-.0123456789abcdef'), '');
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => takeLock(path)));
    const won = results.filter((result) => result.status === 'fulfilled');
    t.ok(won.length <= 1, `${won.length} hold it`);
    for (const { value } of won) await value.release();
    wins += won.length;
  }
  t.ok(wins > 0);
});

t.test('kill -9: every acknowledged record and value is there, and no id comes twice', async (t) => {
  const path = join(t.testdir(), 'store');
  let lastSequence = -1;
  let acknowledged = -1;
  let total = 0;
  const until = performance.now() + 2500;
  for (let round = 0; round < 8 && performance.now() < until; round++) {
    const { child } = await start(t, 'write', path);
    await new Promise<void>((resolve) => {
      let left = 20 + round * 30;
      child.on('message', (message: { record: number; sequence: number }) => {
        acknowledged = message.record;
        if (message.sequence <= lastSequence) t.fail(`sequence ${message.sequence} after ${lastSequence}`);
        lastSequence = message.sequence;
        total++;
        if (--left === 0) resolve();
      });
    });
    await kill(child);
    const { journal, records } = await openJournal(join(path, 'journal'));
    const numbers = records.map(Number);
    t.ok(
      numbers.length > acknowledged,
      `round ${round}: ${numbers.length} records, ${acknowledged} acknowledged`,
    );
    t.ok(
      numbers.every((number, index) => number === index),
      'in order, none invented, none missing',
    );
    t.equal(journal.health().damagedParts, 0);
    await journal.close();
    const store = await openStore({ path, log });
    t.ok(Number(Buffer.from(store.kv.get('last')!).toString()) >= acknowledged);
    await store.close();
  }
  t.ok(total > 0);
});
