import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EngineHost } from '../../src/api/engine-host.js';
import { startTestApi } from '../support/api.js';
import { moonwire, startMoonwire } from '../support/cli.js';
import { startTestEngine, until } from '../support/engine.js';
import { jsonLines, LINE_SCRIPT, startOperated } from '../support/operated.js';

t.test('a trace, and its replay', async (t) => {
  const { at, connect } = await startOperated(t);
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

t.test('a trace of datagrams stays one', async (t) => {
  const gateway = await startTestEngine(
    { 'main.lua': LINE_SCRIPT },
    'servers: [{ name: s, port: 0, bind: 127.0.0.1, transport: udp, entry: main.lua }]',
  );
  const { engine, port } = gateway;
  const { api } = await startTestApi(new EngineHost(engine, { version: '1', api: () => undefined }));
  t.teardown(async () => {
    await api.close();
    await gateway.stop();
  });
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const send = (text: string) => socket.send(text, port(), '127.0.0.1');
  send('first');
  await until(() => engine.clients.size === 1);
  const [id] = engine.clients.keys();
  const cli = startMoonwire(t, ['trace', '--json', '--api', api.address, String(id)]);
  await until(() => engine.client(id!)!.tracers !== undefined);
  send('no line end');
  await cli.until(/"event":"out"/);
  const { stdout } = await cli.stop();
  t.match(jsonLines(stdout)[0], { event: 'in', datagram: true });
  const file = join(t.testdir(), 'trace.jsonl');
  writeFileSync(file, stdout);
  const replayed = await moonwire(['replay', file, 'protocols.line']);
  t.match(replayed.stdout, /message .*no line end/);
  t.match(replayed.stdout, / 0 bytes discarded/);
});

t.test('a trace ends with a signal', async (t) => {
  const { at, connect, engine } = await startOperated(t);
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
  const { at, connect } = await startOperated(t);
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
