import t from 'tap';
import { Commands, type Outcome } from '../../src/engine/commands.js';
import { MemoryKeyValue } from '../../src/store/keyvalue.js';
import { Device, startTestEngine, startWithScript, type TestEngine, until } from '../support/engine.js';

const SCRIPT = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(line, conn)
  local verb, id = line:match("^(%a+) (%S+)")
  if verb == "iam" then conn:attach(id) conn:send("ok\\n") end
  if verb == "did" then conn:set_context_value(id, line) end
end
function on_command(cmd, conn)
  conn:send("do " .. cmd.id .. " " .. cmd.name .. "\\n")
  if cmd.name == "wait" then return conn:wait_context_value(cmd.id) end
  if cmd.name == "nothing" then return end
  if cmd.name == "false" then return false end
  if cmd.name == "error table" then return nil, {} end
  if cmd.name == "function" then return print end
  if cmd.name == "long" then return ("x"):rep(40000) end
  if cmd.name == "bytes" then return "\\255\\0" end
  return cmd, "not an error"
end
`;

/** A journal whose disk can refuse. */
class Journal extends MemoryKeyValue {
  refuses = false;
  protected override changed(key: string): Promise<void> {
    return this.refuses ? Promise.reject(new Error('the disk is full')) : super.changed(key);
  }
}

/** The commands of an engine, and what they come to. */
function commandsOf(engine: TestEngine, journal = new Journal(), seconds?: number) {
  const commands = new Commands(engine.engine, journal, seconds);
  const told: Outcome[] = [];
  commands.onoutcome = (outcome) => told.push(outcome);
  const run = async (name: string, id = name, more: object = {}): Promise<Outcome | undefined> => {
    const before = told.length;
    await commands.run({ id, device: 'dev-1', name, expires: 2e9, ...more });
    return told[before];
  };
  return { commands, journal, told, run };
}

async function attach(engine: TestEngine): Promise<Device> {
  const device = await Device.connect(engine.port());
  device.send('iam dev-1\n');
  await device.until((text) => text.includes('ok\n'));
  return device;
}

t.test('what on_command returns', async (t) => {
  const engine = await startWithScript(SCRIPT);
  t.teardown(engine.stop);
  const { run, commands } = commandsOf(engine);
  t.match(await run('early'), { state: 'queued', error: /^not_connected/ }, 'the device is not here');
  await attach(engine);
  t.match(await run('table', 'a', { params: { x: [1, 2] } }), {
    state: 'done',
    result: { id: 'a', device_id: 'dev-1', name: 'table', params: { x: [1, 2] }, expires: 2e9 },
    error: undefined,
  });
  t.match(await run('late', 'late', { late: true }), { state: 'queued', error: /too late/ });
  t.match(await run('nothing'), { state: 'done', result: undefined });
  t.match(await run('false'), { state: 'done', result: false });
  t.match(await run('bytes'), { state: 'done', result: new Uint8Array([255, 0]) });
  t.match(await run('error table'), { state: 'failed', error: 'internal: its error is a table' });
  t.match(await run('function'), { state: 'done', error: /^invalid_argument: its result is left out/ });
  t.match(await run('long'), { state: 'done', result: undefined, error: /^too_large/ });
  t.equal([...commands.outcomes()].length, 7, 'all are kept until they are confirmed');
  for (const { id } of [...commands.outcomes()]) commands.confirm(id);
  t.equal([...commands.outcomes()].length, 0);
});

t.test('a command that comes twice is done once', async (t) => {
  const engine = await startWithScript(SCRIPT);
  t.teardown(engine.stop);
  const { run, told, commands } = commandsOf(engine);
  const device = await attach(engine);
  const first = run('wait', 'w');
  await device.until((text) => text.includes('do w wait\n'));
  await run('wait', 'w');
  commands.confirm('w');
  t.same(told, [], 'it is under way');
  device.send('did w\n');
  await first;
  t.match(told, [{ id: 'w', state: 'done', result: 'did w\n' }]);
  await run('wait', 'w');
  t.match(told, [{}, { id: 'w', state: 'done', result: 'did w\n' }], 'told again');
  t.equal(device.text.match(/do w/g)!.length, 1);
  t.match(commands.counters, { begun: 1, done: 1, repeated: 2 });
});

t.test('the engine ends between start and result', async (t) => {
  const engine = await startWithScript(SCRIPT);
  t.teardown(engine.stop);
  const { journal, run } = commandsOf(engine);
  const device = await attach(engine);
  await run('nothing', 'done before');
  void run('wait', 'w');
  await device.until((text) => text.includes('do w wait\n'));
  // Another engine finds the same journal, as after kill -9.
  await journal.set('spoiled', new Uint8Array([0xff, 0xff]));
  const after = commandsOf(engine, journal);
  t.match(
    [...after.commands.outcomes()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    [
      { id: 'done before', state: 'done' },
      { id: 'spoiled', state: 'unknown' },
      { id: 'w', state: 'unknown', error: /^closed: the engine ended/ },
    ],
  );
  t.match(await after.run('wait', 'w'), { state: 'unknown' }, 'it is not done again');
  t.equal(device.text.match(/do w/g)!.length, 1);
  after.commands.confirm('w');
  t.match(await after.run('nothing', 'w'), { state: 'done' }, 'unless the centre says so');
});

t.test('nothing is begun that cannot be noted', async (t) => {
  const engine = await startWithScript(SCRIPT);
  t.teardown(engine.stop);
  const { journal, run, commands } = commandsOf(engine);
  const device = await attach(engine);
  journal.refuses = true;
  t.match(await run('nothing'), { state: 'failed', error: /^internal: not begun/ });
  t.notMatch(device.text, 'do ');
  journal.refuses = false;
  t.match(await run('nothing'), { state: 'done' });
  // The result is true, though it cannot be kept.
  const waiting = run('wait', 'w');
  await device.until((text) => text.includes('do w wait\n'));
  journal.refuses = true;
  device.send('did w\n');
  t.match(await waiting, { state: 'done' });
  t.equal(commands.counters.failed, 1);
});

t.test('requests of a command come first on the bus', async (t) => {
  const engine = await startWithScript(`
function on_message(text, conn)
  conn:attach("dev-1")
  conn:request("from a message")
  conn:send("ok\\n")
end
function on_command(cmd, conn)
  conn:request("of a command")
  mix.sleep(0.001)
  conn:request("after a wait", { priority = cmd.params })
  assert(mix.socket.tcp():client_id() == conn:client_id())
end
`);
  t.teardown(engine.stop);
  const asked: unknown[] = [];
  const bus = {
    request: async (_port: unknown, data: unknown, { priority }: { priority: string }) => {
      asked.push([data, priority]);
      return true;
    },
  };
  Object.assign(engine.engine, { portOf: () => ({ bus, scriptMessage: (reply: unknown) => reply }) });
  const { run } = commandsOf(engine);
  await attach(engine);
  t.match(await run('n'), { state: 'done' });
  t.match(await run('m', 'm', { params: 'poll' }), { state: 'done' });
  t.same(asked, [
    ['from a message', 'request'],
    ['of a command', 'command'],
    ['after a wait', 'command'],
    ['of a command', 'command'],
    ['after a wait', 'poll'],
  ]);
});

t.test('scripts without on_command, that take too long, and clients that leave', async (t) => {
  const engine = await startTestEngine(
    { 'main.lua': SCRIPT, 'other.lua': SCRIPT.replace('function on_command', 'function off_command') },
    `servers:
  - { name: s, port: 0, bind: 127.0.0.1, entry: main.lua }
  - { name: o, port: 0, bind: 127.0.0.1, entry: other.lua }`,
  );
  t.teardown(engine.stop);
  const { run } = commandsOf(engine, new Journal(), 0.05);
  const device = await attach(engine);
  t.match(await run('wait', 'a'), { state: 'unknown', error: /^timeout: on_command did not return/ });
  const patient = commandsOf(engine);
  const left = patient.run('wait', 'b');
  await device.until((text) => text.includes('do b wait\n'));
  device.socket.destroy();
  t.match(await left, { state: 'failed', error: /^closed/ });
  await until(() => engine.engine.devices.size === 0);
  t.match(await run('wait', 'c'), { state: 'queued' });
  const other = await Device.connect(engine.port(1));
  other.send('iam dev-1\n');
  await other.until((text) => text.includes('ok\n'));
  t.match(await run('wait', 'd'), { state: 'failed', error: /^not_found: .*other\.lua has no on_command/ });
});
