import { fork } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { openOutbox, TestTaker, until } from './outbox-support.js';

/** Processes that are killed; more in a nightly run. */
const ROUNDS = Number(process.env.MOONWIRE_ROUNDS ?? 3);
const child = new URL('./outbox-child.ts', import.meta.url);

/** What the processes of all rounds told. */
interface Told {
  /** Devices whose durable report has returned. */
  readonly returned: Set<string>;
  /** Reports taken, by "epoch:seq", and whose they are. */
  readonly taken: Map<string, string>;
}

/** Runs a process on the folder and kills it after it has done some work. */
async function round(folder: string, mode: 'alone' | 'linked', told: Told): Promise<void> {
  const running = fork(child, [folder, mode], { execArgv: process.execArgv });
  let returned = 0;
  const enough = new Promise<void>((resolve) => {
    const most = 10 + Math.floor(Math.random() * 60);
    running.on('message', (message: { returned?: string; taken?: [number, number, string][] }) => {
      if (message.returned !== undefined) told.returned.add(message.returned);
      for (const [epoch, seq, device] of message.taken ?? []) told.taken.set(`${epoch}:${seq}`, device);
      if (message.returned !== undefined && ++returned === most) resolve();
    });
  });
  const ended = once(running, 'exit');
  await Promise.race([enough, ended]);
  running.kill('SIGKILL');
  const [code, signal] = await ended;
  if (signal !== 'SIGKILL') throw new Error(`the process ended by itself: ${code}`);
}

t.test(
  'killed at random moments: every durable report that returned arrives, once by its number',
  { timeout: 60_000 + ROUNDS * 15_000 },
  async (t) => {
    const folder = t.testdir();
    const told: Told = { returned: new Set(), taken: new Map() };
    for (let i = 0; i < ROUNDS; i++) await round(folder, i % 2 === 0 ? 'alone' : 'linked', told);
    const outbox = await openOutbox(folder);
    const waiting = outbox.status().records;
    const taker = new TestTaker(outbox);
    outbox.connect(taker);
    await until(() => outbox.status().records === 0);
    t.equal(taker.times.size, waiting, 'as many as it said, each offered once');
    t.ok([...taker.times.values()].every((times) => times === 1));
    for (const { batch } of taker.batches) {
      for (const [seq, device] of batch.records) {
        const before = told.taken.get(`${batch.epoch}:${seq}`);
        if (before !== undefined && before !== device) t.fail(`${device} has the number of ${before}`);
        told.taken.set(`${batch.epoch}:${seq}`, device);
      }
    }
    const arrived = new Set(told.taken.values());
    t.equal(arrived.size, told.taken.size, 'no report has two numbers');
    t.same(
      [...told.returned].filter((device) => !arrived.has(device)),
      [],
      `of ${told.returned.size} durable ones`,
    );
    t.ok(told.returned.size >= 10 * ROUNDS);
    t.equal(outbox.status().damagedParts, 0);
    await outbox.close();
  },
);
