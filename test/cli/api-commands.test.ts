import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Monitor } from '../../src/api/monitor.js';
import { parseConfig } from '../../src/config/load.js';
import { silentLogger } from '../../src/log.js';
import { startEngineWithApi } from '../support/api.js';
import { moonwire, startMoonwire } from '../support/cli.js';
import { Device, until } from '../support/engine.js';

const SCRIPT = `
protocol = { frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(f) return { text = f } end,
  encode = function(m) if type(m) == "table" then return "T:" .. m.type .. "\\n" end return m end }
function on_message(msg, conn)
  if msg.text:sub(1, 3) == "id=" then conn:attach(msg.text:sub(4)) conn:subscribe("news") end
  conn:send("ok\\n")
end`;

/** An engine with an API and a monitor, and a device attached to it as `id`. */
async function startGateway(t: Test, access = '{}') {
  const holder: { monitor?: Monitor } = {};
  const running = await startEngineWithApi(SCRIPT, {
    access,
    monitor: { health: () => holder.monitor!.health(), metrics: () => holder.monitor!.metrics() },
  });
  const { engine } = running.test;
  const { alerts } = parseConfig('{}', 'test.yaml').config;
  holder.monitor = new Monitor({
    role: 'engine',
    name: 'test',
    version: '1.2.3',
    alerts,
    log: silentLogger,
    engine,
  });
  t.teardown(async () => {
    await holder.monitor!.stop();
    await running.stop();
  });
  const at = ['--api', running.api.address];
  const connect = async (id: string) => {
    const device = await Device.connect(running.test.port());
    device.send(`id=${id}\n`);
    await device.until((text) => text === 'ok\n');
    device.received = Buffer.alloc(0);
    return { device, client: String(engine.devices.get(id)!.id) };
  };
  return { at, connect, engine };
}

const jsonLines = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

t.test('ps and clients', async (t) => {
  const { at, connect } = await startGateway(t);
  const { device, client } = await connect('dev-1');
  await connect('bad\x1b[2Jname');
  const list = await moonwire(['ps', ...at]);
  t.equal(list.code, 0, list.stderr);
  const [heading, row] = list.stdout.split('\n');
  t.match(heading, /^NAME +NODE +VERSION +UPLINK/);
  t.match(row, /^test +0 +1\.2\.3 +down .* 2 .* s:\d+/);
  t.match(jsonLines((await moonwire(['ps', ...at, '--json'])).stdout), [{ name: 'test', clients: 2 }]);

  const clients = await moonwire(['clients', ...at]);
  t.equal(clients.code, 0, clients.stderr);
  t.match(
    clients.stdout,
    new RegExp(`\\n +${client} +test +s +tcp +127\\.0\\.0\\.1:${device.socket.localPort} `),
  );
  t.match(clients.stdout, 'dev-1');
  t.match(clients.stdout, 'bad\\u001b[2Jname', 'nothing a device says reaches the terminal as it is');
  t.notMatch(clients.stdout, '\x1b');

  const first = await moonwire(['clients', ...at, '--json', '--limit', '1']);
  t.match(jsonLines(first.stdout), [{ id: client, devices: ['dev-1'], server: 's' }]);
  t.match(first.stderr, new RegExp(`there are more: --after ${client}, or --all`));
  const second = await moonwire(['clients', ...at, '--json', '--after', client]);
  t.strictSame(
    jsonLines(second.stdout).map(({ devices }) => devices),
    [['bad\x1b[2Jname']],
  );
  t.equal(jsonLines((await moonwire(['clients', ...at, '--json', '--all'])).stdout).length, 2);
  const one = await moonwire(['clients', ...at, '--json', '--device', 'dev-1', '--server', 's']);
  t.equal(jsonLines(one.stdout).length, 1);
  t.strictSame(jsonLines((await moonwire(['clients', ...at, '--json', '--server', 'x'])).stdout), []);
});

t.test('send and publish', async (t) => {
  const { at, connect } = await startGateway(t);
  const { device, client } = await connect('a');
  const { device: other } = await connect('b');
  for (const [args, received] of [
    [['text'], 'text'],
    [['--binary', '00 ff 0a'], '\x00\xff\n'],
    [['--value', '{"type":"reboot"}'], 'T:reboot\n'],
    [['--type', 'binary', 'x\u00e9'], 'x\u00c3\u00a9'],
  ] as const) {
    device.received = Buffer.alloc(0);
    const { code, stdout, stderr } = await moonwire(['send', ...at, client, ...args]);
    t.equal(code, 0, stderr);
    t.equal(stdout, `sent to client ${client}\n`);
    await device.until((text) => text === received);
  }
  other.received = Buffer.alloc(0);
  const published = await moonwire(['publish', ...at, '--json', 'news', 'hello']);
  t.equal(published.code, 0, published.stderr);
  t.strictSame(jsonLines(published.stdout), [{ channel: 'news', success: 2, fail: 0 }]);
  await other.until((text) => text === 'hello');
  t.match(
    (await moonwire(['publish', ...at, 'nobody', 'x'])).stdout,
    '0 subscribers of nobody have it, 0 do not',
  );
  const gone = await moonwire(['send', ...at, '99999', 'x']);
  t.equal(gone.code, 1);
  t.match(gone.stderr, /^moonwire: .*client 99999 is not connected\n$/);
});

t.test('a trace, and its replay', async (t) => {
  const { at, connect } = await startGateway(t);
  const { device, client } = await connect('a');
  const people = startMoonwire(t, ['trace', ...at, client]);
  const machines = startMoonwire(t, ['trace', ...at, '--json', client]);
  // What happens before a trace has begun is not in it.
  for (const cli of [people, machines]) {
    while (cli.running && cli.stdout === '') {
      device.send('ping\n');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  device.send('one\n');
  await people.until(/message \{"text":"one"\}/);
  await machines.until(/"text":"one"/);
  device.socket.end();
  const ended = await people.ended;
  t.equal(ended.code, 0, ended.stderr);
  t.match(ended.stdout, /^\S+Z < 4 bytes\n {2}0000 {2}6f 6e 65 0a .* one\.\n/m);
  t.match(ended.stdout, /^\S+Z > 3 bytes\n/m);
  t.match(ended.stdout, /^\S+Z close/m);

  const { code, stdout, stderr } = await machines.ended;
  t.equal(code, 0, stderr);
  t.match(jsonLines(stdout).at(-1), { event: 'close', client });
  const file = join(t.testdir(), 'trace.jsonl');
  writeFileSync(file, stdout);
  const replayed = await moonwire(['replay', file, 'protocols.line']);
  t.equal(replayed.code, 0, replayed.stderr);
  t.match(replayed.stdout, `== connection ${client}\n`);
  t.match(replayed.stdout, /message .*one/);
  t.match(replayed.stdout, /Z > 3 bytes\n/);
  t.match(replayed.stdout, /1 connections, .* 0 errors, 0 bytes discarded, 0 bytes lost\n$/);

  const none = await moonwire(['trace', ...at, '99999']);
  t.equal(none.code, 1);
  t.match(none.stderr, /99999/);
});

t.test('a trace ends with a signal', async (t) => {
  const { at, connect, engine } = await startGateway(t);
  const { client } = await connect('a');
  const cli = startMoonwire(t, ['trace', ...at, client]);
  await until(() => engine.client(Number(client))!.tracers !== undefined);
  t.equal((await cli.stop()).code, 0);
  await until(() => engine.client(Number(client))!.tracers === undefined);
});

t.test('traces that are none', async (t) => {
  const folder = t.testdir();
  for (const [name, text, problem] of [
    ['cut', '{"time":1,"client":"1","event":"in","hex":"6f', /cut:1: not a line of moonwire trace --json/],
    ['odd', '{"time":1,"client":"1","event":"in","hex":"6f6"}\n', /odd:1: not a line/],
    ['other', '{"a":1}\n', /other:1: not a line/],
    ['later', '{"time":1,"client":"1","event":"in","hex":"6f"}\nnull\n', /later:2: not a line/],
  ] as const) {
    const file = join(folder, name);
    writeFileSync(file, text);
    const { code, stderr } = await moonwire(['replay', file, 'protocols.line']);
    t.equal(code, 1, name);
    t.match(stderr, problem);
  }
  const file = join(folder, 'new');
  writeFileSync(
    file,
    ' {"time":1e300,"client":"7","event":"in","hex":"610a"}\n{"time":1,"client":"7","event":"new"}\n',
  );
  const { code, stdout, stderr } = await moonwire(['replay', file, 'protocols.line']);
  t.equal(code, 0, stderr);
  t.match(stdout, /1 messages.*\npassed over 1 packets: an unknown event\n$/);
});

t.test('top', async (t) => {
  const { at, connect } = await startGateway(t);
  const { device } = await connect('a');
  const watching = startMoonwire(t, ['top', ...at, '--interval', '1', '--json']);
  while (watching.running && !/"messages":[1-9]/.test(watching.stdout)) {
    device.send('ping\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { code, stdout } = await watching.stop();
  t.equal(code, 0);
  t.match(jsonLines(stdout).at(-1), {
    name: 'test',
    role: 'engine',
    version: '1.2.3',
    ready: true,
    servers: [{ server: 's', up: true, clients: 1, errors: 0, drops: 0 }],
    engines: [],
  });
  const once = await moonwire(['top', ...at, '--once', '--interval', '1']);
  t.equal(once.code, 0, once.stderr);
  t.match(once.stdout, /^engine test 1\.2\.3 · ready · up \d+[smhd] · CPU \d+ % · memory \d+ MiB/);
  t.match(once.stdout, /\nSERVER +UP +CLIENTS +MSG\/S .*\ns +yes +1 /);
});

t.test('users', async (t) => {
  const { at } = await startGateway(
    t,
    '{ users: [{ username: ann, password: "se:cret" }, { username: bob, password: tok, roles: [read, write] }] }',
  );
  const run = (args: string[], env: Record<string, string> = {}) => moonwire([...args, ...at], { env });
  const anonymous = await run(['ps']);
  t.equal(anonymous.code, 1);
  t.match(anonymous.stderr, /^moonwire: needs a user name/);
  t.equal((await run(['ps', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'se:cret' })).code, 0);
  t.equal((await run(['ps'], { MOONWIRE_API_TOKEN: 'tok' })).code, 0);
  const wrong = await run(['ps', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'wrong' });
  t.equal(wrong.code, 1);
  t.notMatch(wrong.stderr, 'wrong ?$');
  const forbidden = await run(['publish', 'a', 'b', '--user', 'ann'], { MOONWIRE_API_PASSWORD: 'se:cret' });
  t.equal(forbidden.code, 1);
  t.match(forbidden.stderr, /lacks the role write/);
});
