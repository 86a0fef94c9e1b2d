import { mkdtempSync, rmSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { CommandView } from '../../src/center/command.js';
import { type CommandLimits, Commands } from '../../src/center/commands.js';
import { silentLogger } from '../../src/log.js';
import { DurableKeyValue, MemoryKeyValue } from '../../src/store/keyvalue.js';
import type { DurableMap } from '../../src/store/store.js';
import { MessageStream } from '../../src/uplink/message-stream.js';
import type { CmdMessage, OutcomeState, StateMessage } from '../../src/uplink/messages.js';
import { STREAM } from '../../src/uplink/messages.js';
import { FailingFs } from '../store/support.js';
import { sessionPair, until } from '../uplink/support.js';

/** Where devices are attached. */
const places = new Map<string, number>();

function openCommands(
  t: Test,
  map: DurableMap = new MemoryKeyValue(),
  limits: Partial<CommandLimits> = {},
): Commands {
  const commands = new Commands(
    { map, log: silentLogger, nodeOf: (device) => places.get(device) },
    { tickMs: 5, ...limits },
  );
  t.teardown(() => commands.stop());
  return commands;
}

/** An engine as far as commands go. */
class FakeEngine {
  readonly got: CmdMessage[] = [];
  readonly kept: string[] = [];
  private readonly messages: MessageStream;
  private readonly end: () => Promise<unknown>;

  constructor(t: Test, commands: Commands, node: number) {
    const [near, far] = sessionPair(t);
    far.handle(STREAM.commands, (stream) => commands.attach({ node, name: `engine-${node}` }, stream));
    this.messages = new MessageStream(near.open(STREAM.commands));
    this.messages.onmessage = (message) => {
      if (message.t === 'cmd') this.got.push(message);
      if (message.t === 'kept') this.kept.push(message.id);
    };
    this.end = () => near.session.close();
  }

  tell(id: string, state: OutcomeState, more: Partial<StateMessage> = {}): void {
    this.messages.send({ t: 'state', id, state, at: Date.now() / 1000, ...more });
  }

  /** Waits for so many commands. */
  async has(count: number): Promise<CmdMessage[]> {
    await until(() => this.got.length >= count, `${count} commands`);
    return this.got;
  }

  leave(): Promise<unknown> {
    return this.end();
  }
}

/** Waits until a command is in that state. */
async function isIn(commands: Commands, id: string, state: CommandView['state']): Promise<CommandView> {
  await until(() => commands.get(id).state === state, `${id} ${state}`);
  return commands.get(id);
}

t.beforeEach(() => places.clear());

t.test('one at a time to each device, in order, wherever it is', async (t) => {
  const commands = openCommands(t);
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push((await commands.submit('d', { name: `n${i}`, params: { i } })).id);
  t.same(ids, [...ids].sort(), 'ids rise');
  const engine = new FakeEngine(t, commands, 1);
  places.set('d', 1);
  commands.deviceAttached('d');
  t.match(await engine.has(1), [{ device: 'd', name: 'n0', params: { i: 0 }, idempotent: false }]);
  engine.tell(ids[0]!, 'done', { result: { ok: true } });
  t.match(await isIn(commands, ids[0]!, 'done'), { result: { ok: true }, attempts: 1, engine: 'engine-1' });
  await engine.has(2);
  t.same(engine.kept, [ids[0]]);
  // It moves while the second is under way: the third waits for that, and goes where the device is then.
  const other = new FakeEngine(t, commands, 2);
  places.set('d', 2);
  commands.deviceAttached('d');
  engine.tell(ids[1]!, 'failed', { error: 'closed: it left' });
  t.match(await isIn(commands, ids[1]!, 'failed'), { error: 'closed: it left' });
  t.match(await other.has(1), [{ id: ids[2] }]);
  t.equal(engine.got.length, 2);
});

t.test('expiry and cancelling', async (t) => {
  const commands = openCommands(t);
  const seen: string[] = [];
  commands.watch(({ id, state }) => seen.push(`${id} ${state}`));
  const first = await commands.submit('d', { name: 'first', ttl: 3600 });
  const short = await commands.submit('d', { name: 'short', ttl: 1 });
  const third = await commands.submit('d', { name: 'third' });
  t.equal((await commands.cancel(third.id)).state, 'cancelled');
  t.equal((await commands.cancel(third.id)).state, 'cancelled', 'again');
  await isIn(commands, short.id, 'expired');
  const engine = new FakeEngine(t, commands, 1);
  places.set('d', 1);
  commands.deviceAttached('d');
  await engine.has(1);
  await t.rejects(commands.cancel(first.id), { code: 'conflict', message: /sent/ });
  engine.tell(first.id, 'done');
  await isIn(commands, first.id, 'done');
  await t.rejects(commands.cancel(first.id), { code: 'conflict' });
  await t.rejects(commands.cancel('0'), { code: 'not_found' });
  t.same(
    seen.filter((line) => line.startsWith(first.id)),
    ['queued', 'sent', 'done'].map((state) => `${first.id} ${state}`),
  );
  t.same(seen.filter((line) => line.startsWith(short.id)).at(-1), `${short.id} expired`);
  t.equal(engine.got.length, 1);
});

t.test('a key stands for one command', async (t) => {
  const map = new MemoryKeyValue();
  const commands = openCommands(t, map);
  const request = { name: 'n', params: { a: [1, 'x'] }, idempotencyKey: 'k' };
  const [one, two] = await Promise.all([commands.submit('d', request), commands.submit('d', request)]);
  t.equal(one.id, two.id);
  for (const [device, other] of [
    ['d', { ...request, name: 'm' }],
    ['d', { ...request, params: { a: [1, 'y'] } }],
    ['d', { ...request, idempotent: true }],
    ['e', request],
  ] as const) {
    await t.rejects(commands.submit(device, other), { code: 'conflict', where: 'idempotencyKey' });
  }
  await commands.cancel(one.id);
  t.equal((await commands.submit('d', request)).state, 'cancelled', 'not even when it has ended');
  t.equal((await openCommands(t, map).submit('d', request)).id, one.id, 'after a restart');
  t.equal(commands.counters.accepted, 1);
});

t.test('what is asked wrongly', async (t) => {
  const commands = openCommands(t);
  let deep: unknown = 1;
  for (let i = 0; i < 33; i++) deep = [deep];
  for (const [device, request, code] of [
    ['', { name: 'n' }, 'invalid_argument'],
    ['d', { name: '' }, 'invalid_argument'],
    ['d', { name: '\ud800' }, 'invalid_argument'],
    ['d', { name: 'n', ttl: 0 }, 'invalid_argument'],
    ['d', { name: 'n', ttl: Number.NaN }, 'invalid_argument'],
    ['d', { name: 'n', params: deep }, 'invalid_argument'],
    ['d', { name: 'n', params: '\ud800' }, 'invalid_argument'],
    ['d', { name: 'n', params: 'x'.repeat(33_000) }, 'too_large'],
  ] as const) {
    await t.rejects(commands.submit(device, request), { code }, JSON.stringify(request).slice(0, 60));
  }
  t.same(commands.list({}, 10), { items: [], more: false });
});

t.test('an engine ends between start and result', async (t) => {
  const commands = openCommands(t);
  places.set('d', 1);
  places.set('e', 1);
  const first = new FakeEngine(t, commands, 1);
  const once = await commands.submit('d', { name: 'once' });
  const again = await commands.submit('e', { name: 'again', idempotent: true });
  await first.has(2);
  await first.leave();
  const second = new FakeEngine(t, commands, 1);
  await second.has(2);
  t.same(
    second.got.map(({ id }) => id).sort(),
    [once.id, again.id].sort(),
    'asked again after the reconnection',
  );
  second.tell(once.id, 'unknown', { error: 'closed: it ended' });
  second.tell(again.id, 'unknown', { error: 'closed: it ended' });
  await isIn(commands, once.id, 'unknown');
  await second.has(3);
  t.equal(second.got[2]!.id, again.id);
  t.ok(second.kept.includes(again.id), 'it may forget the first attempt');
  second.tell(again.id, 'done');
  t.match(await isIn(commands, again.id, 'done'), { attempts: 2 });
});

t.test('what an engine gives back is tried again', async (t) => {
  const commands = openCommands(t);
  places.set('d', 1);
  const engine = new FakeEngine(t, commands, 1);
  const { id } = await commands.submit('d', { name: 'n' });
  await engine.has(1);
  engine.tell(id, 'queued', { error: 'not_connected: the device is not attached here' });
  await until(() => commands.counters.returned === 1, 'returned');
  t.match(commands.get(id), { state: 'queued', error: /^not_connected/ });
  await engine.has(2);
  engine.tell(id, 'done');
  t.match(await isIn(commands, id, 'done'), { attempts: 2, error: undefined });
});

t.test('engines that do not come back', async (t) => {
  const commands = openCommands(t, undefined, { awaySeconds: 0 });
  for (const device of ['gone', 'again', 'forgotten']) places.set(device, 1);
  const engine = new FakeEngine(t, commands, 1);
  const gone = await commands.submit('gone', { name: 'n', ttl: 1 });
  const again = await commands.submit('again', { name: 'n', idempotent: true });
  const forgotten = await commands.submit('forgotten', { name: 'n' });
  await engine.has(3);
  await engine.leave();
  const other = new FakeEngine(t, commands, 2);
  for (const device of places.keys()) {
    places.set(device, 2);
    commands.deviceAttached(device);
  }
  t.match(await other.has(1), [{ id: again.id }], 'what may be done twice goes to the other engine');
  t.match(await isIn(commands, gone.id, 'unknown'), { error: /away since/ });
  t.equal(commands.get(forgotten.id).state, 'sent');
  commands.engineForgotten(1);
  t.match(await isIn(commands, forgotten.id, 'unknown'), { error: /^not_found/ });
  t.equal(other.got.length, 1);
});

t.test('what expired while its engine was away is asked for, and not begun', async (t) => {
  const commands = openCommands(t);
  places.set('d', 1);
  places.set('e', 1);
  const engine = new FakeEngine(t, commands, 1);
  const begun = await commands.submit('d', { name: 'begun', ttl: 1 });
  const lost = await commands.submit('e', { name: 'lost', ttl: 1 });
  await engine.has(2);
  t.same(
    engine.got.map(({ late }) => late),
    [undefined, undefined],
  );
  await engine.leave();
  await until(() => Date.now() / 1000 >= lost.expires, 'expired');
  const back = new FakeEngine(t, commands, 1);
  await back.has(2);
  t.same(
    back.got.map(({ late }) => late),
    [true, true],
  );
  back.tell(begun.id, 'done');
  back.tell(lost.id, 'queued');
  await isIn(commands, begun.id, 'done');
  await isIn(commands, lost.id, 'expired');
});

t.test('a centre that restarts', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-commands-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const open = () => DurableKeyValue.open({ folder, fs: promises, log: silentLogger, delayMs: 0 });
  const before = await open();
  const commands = openCommands(t, before);
  places.set('d', 1);
  const engine = new FakeEngine(t, commands, 1);
  const done = await commands.submit('d', { name: 'done' });
  await engine.has(1);
  engine.tell(done.id, 'done', { result: { deep: [1, { two: 'x' }] } });
  await isIn(commands, done.id, 'done');
  const sent = await commands.submit('d', { name: 'sent', params: [1, null, 'x'], idempotencyKey: 'k' });
  const queued = await commands.submit('d', { name: 'queued' });
  await engine.has(2);
  await isIn(commands, sent.id, 'sent');
  const views = commands.list({}, 10).items;
  commands.stop();
  await before.close();

  const after = await open();
  t.teardown(() => after.close());
  const second = openCommands(t, after);
  t.strictSame(second.list({}, 10).items, views);
  const back = new FakeEngine(t, second, 1);
  t.match(await back.has(1), [{ id: sent.id, params: [1, null, 'x'] }]);
  // It was told to the centre that is gone.
  back.tell(done.id, 'done');
  back.tell(sent.id, 'done');
  t.match(await back.has(2), [{}, { id: queued.id }]);
  t.ok(back.kept.includes(done.id) && back.kept.includes(sent.id));
});

t.test('a hostile engine', async (t) => {
  const commands = openCommands(t);
  places.set('d', 1);
  const engine = new FakeEngine(t, commands, 1);
  const hostile = new FakeEngine(t, commands, 666);
  const { id } = await commands.submit('d', { name: 'n' });
  const waiting = await commands.submit('d', { name: 'm' });
  await engine.has(1);
  for (const state of ['done', 'failed', 'unknown', 'queued'] as const) {
    hostile.tell(id, state, { result: 'mine' });
    hostile.tell(waiting.id, state);
    hostile.tell('none', state);
  }
  await until(() => commands.counters.strange === 12, 'all noticed');
  t.equal(commands.get(id).state, 'sent');
  t.equal(commands.get(waiting.id).state, 'queued');
  // Its own: backwards, and again and again; a result beyond all bounds, and a time out of this world.
  let deep: unknown = 1;
  for (let i = 0; i < 60; i++) deep = [deep];
  engine.tell(id, 'done', { result: deep, at: 1e300 });
  t.match(await isIn(commands, id, 'done'), { result: undefined, error: /left out/ });
  t.ok(commands.get(id).ended! <= Date.now() / 1000);
  for (const state of ['queued', 'failed', 'unknown', 'done'] as const) engine.tell(id, state, { result: 7 });
  await engine.has(2);
  engine.tell(waiting.id, 'done', { result: 'x'.repeat(900_000) });
  t.match(await isIn(commands, waiting.id, 'done'), { result: undefined, error: /^too_large/ });
  await until(() => commands.counters.strange === 16, 'all noticed');
  t.match(commands.get(id), { state: 'done', result: undefined, attempts: 1 });
});

t.test('the disk refuses', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-commands-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const disk = new FailingFs();
  const map = await DurableKeyValue.open({ folder, fs: disk.fs, log: silentLogger, delayMs: 0, retryMs: 10 });
  t.teardown(() => map.close());
  const commands = openCommands(t, map);
  places.set('d', 1);
  const engine = new FakeEngine(t, commands, 1);
  const first = await commands.submit('d', { name: 'first' });
  await engine.has(1);
  disk.code = 'ENOSPC';
  await t.rejects(commands.submit('d', { name: 'second' }), { code: 'overloaded' });
  await t.rejects(commands.submit('e', { name: 'third', idempotencyKey: 'k' }), { code: 'overloaded' });
  t.equal(commands.list({}, 10).items.length, 1, 'what was not accepted is not there');
  engine.tell(first.id, 'done');
  await isIn(commands, first.id, 'done');
  t.same(engine.kept, [], 'not safe yet');
  disk.code = undefined;
  const third = await commandUntilAccepted(commands);
  engine.tell(first.id, 'done');
  await until(() => engine.kept.includes(first.id), 'kept');
  t.equal(commands.get(third).state, 'queued');
});

/** Gives a command until the disk takes it. */
async function commandUntilAccepted(commands: Commands): Promise<string> {
  for (;;) {
    try {
      return (await commands.submit('e', { name: 'third', idempotencyKey: 'k' })).id;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

t.test('bounds', async (t) => {
  const commands = openCommands(t, new MemoryKeyValue(100_000), { perDevice: 3, ended: 5 });
  for (let i = 0; i < 3; i++) await commands.submit('d', { name: 'n' });
  await t.rejects(commands.submit('d', { name: 'n' }), { code: 'queue_full' });
  const many: string[] = [];
  for (let i = 0; i < 12; i++) {
    many.push((await commands.submit('e', { name: 'n' })).id);
    await commands.cancel(many[i]!);
  }
  await until(() => commands.list({ state: 'cancelled' }, 100).items.length === 5, 'five are kept');
  t.same(
    commands.list({ state: 'cancelled' }, 100).items.map(({ id }) => id),
    many.slice(-5),
    'the newest',
  );
  t.same(
    commands.list({ device: 'e' }, 2, many[8]).items.map(({ id }) => id),
    many.slice(9, 11),
  );
  // What has ended gives way to what is new, what is open does not.
  const params = 'x'.repeat(10_000);
  let accepted = 0;
  await t.rejects(
    (async () => {
      for (; ; accepted++) await commands.submit(`device-${accepted}`, { name: 'n', params });
    })(),
    { code: 'queue_full' },
  );
  t.ok(accepted >= 5 && accepted < 10, `${accepted} of 10,000 bytes`);
  t.equal(commands.list({ state: 'cancelled' }, 100).items.length, 0);
  t.equal(commands.list({ state: 'queued' }, 100).items.length, 3 + accepted);
});

t.test('more than a stream takes at once', async (t) => {
  const commands = openCommands(t, new MemoryKeyValue(2 ** 26));
  const engine = new FakeEngine(t, commands, 1);
  const params = 'x'.repeat(30_000);
  for (let i = 0; i < 100; i++) {
    places.set(`d${i}`, 1);
    await commands.submit(`d${i}`, { name: 'n', params });
  }
  t.equal(new Set((await engine.has(100)).map(({ device }) => device)).size, 100);
});
