import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import { startEngine } from '../../src/main.js';
import { type Issued, makeCertificates } from '../support/certificates.js';
import { Device, recordingLogger, until } from '../support/engine.js';
import { freePorts } from '../support/ports.js';

const ECHO = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(m, conn)
  if m:sub(1, 6) == "report" then mix.report("d", { text = m }, { durable = true }) end
  conn:send(m)
end`;

/** An engine that runs with the first of the configurations that `apply` then puts in effect. */
async function start(t: Test, first: string, scripts: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-reconfigure-'));
  for (const [name, text] of Object.entries({ 'echo.lua': ECHO, ...scripts }))
    writeFileSync(join(folder, name), text);
  const log = recordingLogger();
  const parse = (yaml: string) => {
    const [top = '', engine = ''] = yaml.includes('---') ? yaml.split('---') : ['', yaml];
    const text = `${top}\nstore: { path: ${folder}/data }\nengine:\n  apiServer: { port: 0 }\n${engine.replace(/^/gm, '  ')}\n`;
    return parseConfig(text, join(folder, 'x.yaml'), { cwd: folder }).config;
  };
  const gateway = await startEngine(parse(first), log);
  t.teardown(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    gateway,
    lines: log.lines,
    apply: (yaml: string) => gateway.reconfigure(parse(yaml)),
    names: () => gateway.engine.servers.map(({ config }) => config.name),
  };
}

const server = (name: string, port: number, more = '') =>
  `{ name: ${name}, port: ${port}, bind: 127.0.0.1, entry: echo.lua${more} }`;

async function echoes(t: Test, device: Device, word: string): Promise<void> {
  device.send(`${word}\n`);
  await device.until((text) => text.endsWith(`${word}\n`));
  t.pass(word);
}

t.test('servers come, go and change; those that did not change keep their clients', async (t) => {
  const [a, b, c] = (await freePorts(3)) as [number, number, number];
  const e = await start(t, `servers: [${server('a', a)}, ${server('b', b)}]`);
  const stays = await Device.connect(a);
  const goes = await Device.connect(b);
  await echoes(t, stays, 'one');
  await echoes(t, goes, 'two');

  const changes = await e.apply(
    `servers: [${server('a', a, ', limits: { sendBufferBytes: 1024 }')}, ${server('c', c)}]`,
  );
  t.same(changes, [
    { path: 'engine.servers.c', effect: 'add' },
    { path: 'engine.servers.b', effect: 'remove' },
    { path: 'engine.servers.a', effect: 'change', settings: ['limits.sendBufferBytes'] },
  ]);
  t.same(e.names().sort(), ['a', 'c']);
  await until(() => goes.closed);
  await echoes(t, stays, 'three');
  await echoes(t, await Device.connect(c), 'four');
  const { sendsRefused } = e.gateway.engine.servers[0]!.station.counters;
  t.equal(sendsRefused, 0);
  stays.send(`${'x'.repeat(2000)}\n`);
  await until(() => e.gateway.engine.servers[0]!.station.counters.sendsRefused === 1);
  t.pass('the new limit holds');

  t.same(
    await e.apply(`servers: [${server('c', c)}, ${server('a', a, ', limits: { sendBufferBytes: 1KiB }')}]`),
    [],
  );
  await echoes(t, stays, 'five');
});

t.test('who is let in is decided anew; who is in stays, and nobody is turned away meanwhile', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const yaml = (connections: number, protocol: string) =>
    `servers: [${server('a', port, `, protocol: ${protocol}, limits: { connections: ${connections} }`)}]`;
  const e = await start(t, yaml(500, 'socket'));
  const stays = await Device.connect(port);
  await echoes(t, stays, 'one');
  let connecting = true;
  let failed = 0;
  let connected = 0;
  const arrivals = (async () => {
    while (connecting) {
      try {
        const device = await Device.connect(port);
        connected++;
        device.socket.destroy();
      } catch {
        failed++;
      }
    }
  })();
  const { counters } = e.gateway.engine.servers[0]!.listener!;
  for (let i = 1; i <= 20; i++) await e.apply(yaml(500 + i, 'socket'));
  await until(() => connected > 20);
  connecting = false;
  await arrivals;
  t.equal(failed, 0);
  await until(() => counters.accepted > connected);
  t.equal(e.gateway.engine.servers[0]!.listener!.counters, counters, 'counters go on');

  await e.apply(yaml(1, 'socket'));
  const only = await Device.connect(port);
  await echoes(t, only, 'two');
  const beyond = await Device.connect(port);
  await until(() => beyond.closed);
  await echoes(t, stays, 'three');
  await e.gateway.stop();
  await t.rejects(Device.connect(port), 'the port is free in the end');
});

t.test('certificates are replaced while clients stay', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const made = makeCertificates(t);
  const [first, second] = ['first', 'second'].map((name) =>
    made.issue(name, `subjectAltName=DNS:${name}.example`),
  );
  const yaml = ({ cert, key }: Issued) =>
    `servers: [${server('a', port, `, tls: { cert: ${cert}, key: ${key} }`)}]`;
  const e = await start(t, yaml(first!));
  const connectTls = async () => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => {});
    await once(socket, 'secureConnect');
    t.teardown(() => socket.destroy());
    return socket;
  };
  const stays = await connectTls();
  t.equal(stays.getPeerCertificate().subject.CN, 'first');
  t.match(await e.apply(yaml(second!)), [{ effect: 'change', settings: ['tls.cert', 'tls.key'] }]);
  t.equal((await connectTls()).getPeerCertificate().subject.CN, 'second');
  stays.write('still here\n');
  const [answer] = await once(stays, 'data');
  t.equal(String(answer), 'still here\n');
  await t.rejects(e.apply(yaml({ cert: second!.cert, key: first!.key })), { code: 'invalid_argument' });
  t.equal((await connectTls()).getPeerCertificate().subject.CN, 'second');
});

t.test('a server that is called otherwise, or speaks otherwise, takes its port over', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const e = await start(t, `servers: [${server('a', port)}]`);
  const first = await Device.connect(port);
  await e.apply(`servers: [${server('b', port)}]`);
  t.same(e.names(), ['b']);
  await until(() => first.closed);
  await echoes(t, await Device.connect(port), 'one');
  await e.apply(`servers: [${server('b', port, ', readBufferSize: 99, transport: udp')}]`);
  t.equal(e.gateway.engine.servers[0]!.config.transport, 'udp');
});

t.test('what cannot be is refused whole', async (t) => {
  const [a, b, taken, more] = (await freePorts(4)) as [number, number, number, number];
  const other = createServer().listen(taken, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const e = await start(t, `servers: [${server('a', a)}, ${server('b', b)}]`, {
    'broken.lua': 'function on_message(',
    'raises.lua': 'function init() error("no, not today") end',
  });
  const stays = await Device.connect(a);
  const before = e.gateway.config;

  await t.rejects(e.apply(`servers: [${server('a', a)}, ${server('c', more)}, ${server('d', taken)}]`), {
    code: 'conflict',
  });
  t.same(e.names(), ['a', 'b'], 'what was added is gone again');

  await t.rejects(e.apply(`servers: [${server('a', a)}, ${server('b', taken)}]`), { code: 'conflict' });
  await echoes(t, await Device.connect(b), 'b listens');

  await t.rejects(
    e.apply(`servers: [${server('a', a)}, { name: x, port: ${b}, bind: 127.0.0.1, entry: raises.lua }]`),
    {
      code: 'invalid_argument',
      message: /raises\.lua:1: no, not today/,
    },
  );
  await echoes(t, await Device.connect(b), 'b is back');

  await t.rejects(e.apply(`servers: [{ name: x, port: ${more}, bind: 127.0.0.1, entry: broken.lua }]`), {
    code: 'invalid_argument',
    message: /broken\.lua:1/,
  });
  t.same(e.names().sort(), ['a', 'b']);
  t.same(e.gateway.config, before);
  await echoes(t, stays, 'undisturbed');
});

t.test('links follow; what takes a restart is told and left', async (t) => {
  const sockets: string[] = [];
  const plc = createServer((socket) => {
    sockets.push('open');
    socket
      .on('close', () => sockets.push('close'))
      .on('error', () => {})
      .resume();
  }).listen(0, '127.0.0.1');
  await once(plc, 'listening');
  t.teardown(() => plc.close());
  const { port } = plc.address() as { port: number };
  const link = (name: string, more = '') =>
    `links: [{ name: ${name}, tcp: { host: 127.0.0.1, port: ${port} }, entry: echo.lua${more} }]`;
  const e = await start(t, link('plc'));
  await until(() => sockets.length === 1);

  t.same(await e.apply(`${link('plc', ', limits: { idleSeconds: 600 }')}\nname: other`), [
    { path: 'engine.links.plc', effect: 'change', settings: ['limits.idleSeconds'] },
    { path: 'engine.name', effect: 'restart' },
  ]);
  t.same(sockets, ['open'], 'its connection outlives a limit');
  t.not(e.gateway.config.engine.name, 'other');
  t.ok(e.lines.some(({ message }) => message === 'engine.name changed: that takes a restart'));

  await e.apply('links: []');
  await until(() => sockets.length === 2);
  t.same(e.gateway.engine.links, []);
});

t.test('a sink that is added gets what comes, the others go on', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-sinks-'));
  const sink = (folder: string, name: string) => `{ name: ${name}, file: { path: ${folder}/${name}.jsonl } }`;
  const yaml = (...names: string[]) =>
    `sinks: [${names.map((name) => sink(folder, name)).join(', ')}]\n---servers: [${server('a', port)}]`;
  const e = await start(t, yaml('first'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const device = await Device.connect(port);
  const reports = (name: string) => {
    try {
      return readFileSync(join(folder, `${name}.jsonl`), 'utf8').match(/report\d/g) ?? [];
    } catch {
      return [];
    }
  };
  await echoes(t, device, 'report1');
  await until(() => reports('first').length === 1);
  t.same(await e.apply(yaml('first', 'second')), [{ path: 'sinks.second', effect: 'add' }]);
  await echoes(t, device, 'report2');
  await until(() => reports('second').length === 1 && reports('first').length === 2);
  t.same(await e.apply(yaml('second')), [{ path: 'sinks.first', effect: 'remove' }]);
  await echoes(t, device, 'report3');
  await until(() => reports('second').length === 2);
  t.same(reports('first'), ['report1', 'report2']);
  t.same(reports('second'), ['report2', 'report3']);
});

t.test('another script, and options of it, take over while clients stay', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const SAYS = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(m, conn) conn:send(mix.server.option("word") .. "\\n") end`;
  const e = await start(t, `servers: [${server('a', port)}]`, {
    'says.lua': SAYS,
    'broken.lua': 'function init() error("not today") end',
  });
  const stays = await Device.connect(port);
  await echoes(t, stays, 'one');
  const says = (entry: string, word: string) =>
    `servers: [{ name: a, port: ${port}, bind: 127.0.0.1, entry: ${entry}, options: { word: ${word} } }]`;
  t.match(await e.apply(says('says.lua', 'two')), [{ effect: 'change', settings: ['entry', 'options'] }]);
  stays.send('x\n');
  await stays.until((text) => text.endsWith('two\n'));
  await e.apply(says('says.lua', 'three'));
  stays.send('x\n');
  await stays.until((text) => text.endsWith('three\n'));
  await t.rejects(e.apply(says('broken.lua', 'four')), { code: 'invalid_argument', message: /not today/ });
  stays.send('x\n');
  await stays.until((text) => text.endsWith('three\nthree\n'));
  t.match(e.gateway.config.engine.servers, [{ entry: /says\.lua$/, options: { word: 'three' } }]);

  const budget = `script: { instructions: 5000 }\n---${says('says.lua', 'three')}`;
  t.match(await e.apply(budget), [{ path: 'script.instructions', effect: 'change' }]);
  stays.send('x\n');
  await stays.until((text) => text.endsWith('three\nthree\nthree\n'));
});

t.test('script roots change together with the scripts that need them, and back', async (t) => {
  const [a, b, taken] = (await freePorts(3)) as [number, number, number];
  const other = createServer().listen(taken, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const of = (word: string) => `
local words = require "words"
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(m, conn) conn:send(words.${word} .. "\\n") end`;
  const e = await start(t, 'servers: []', { 'old.lua': of('old'), 'new.lua': of('new') });
  for (const word of ['old', 'new']) {
    mkdirSync(join(e.folder, word));
    writeFileSync(join(e.folder, word, 'words.lua'), `return { ${word} = "${word}" }`);
  }
  const says = (word: string, ...ports: number[]) => {
    const servers = ports.map(
      (port, i) => `{ name: s${i}, port: ${port}, bind: 127.0.0.1, entry: ${word}.lua }`,
    );
    return `script: { roots: [${join(e.folder, word)}] }\n---servers: [${servers}]`;
  };
  const answers = async (port: number, word: string) => {
    const device = await Device.connect(port);
    device.send('x\n');
    await device.until((text) => text === `${word}\n`);
    t.pass(word);
  };
  await e.apply(says('old', a));
  await answers(a, 'old');
  await t.rejects(e.apply(says('new', b, taken)), { code: 'conflict' });
  await answers(a, 'old');
  await e.apply(says('new', a, b));
  await answers(a, 'new');
  await answers(b, 'new');
  await e.apply('servers: []');
  await e.apply(says('old', a));
  await answers(a, 'old');
});

t.test('limits of a UDP server change while its peers stay', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const udp = (limits: string) =>
    `servers: [{ name: u, port: ${port}, bind: 127.0.0.1, transport: udp, entry: says.lua, limits: ${limits} }]`;
  const e = await start(t, udp('{ idleSeconds: 600 }'), {
    'says.lua': 'function on_message(m, conn) conn:send(conn:client_id() .. " " .. m) end',
  });
  const peers = [createSocket('udp4'), createSocket('udp4')] as const;
  t.teardown(() => {
    for (const peer of peers) peer.close();
  });
  const ask = async (peer: (typeof peers)[number], word: string) => {
    const answer = once(peer, 'message');
    peer.send(word, port, '127.0.0.1');
    return String((await answer)[0]);
  };
  const first = await ask(peers[0], 'one');
  t.match(await e.apply(udp('{ idleSeconds: 700, connections: 1, frameBytes: 16 }')), [
    { path: 'engine.servers.u', effect: 'change' },
  ]);
  const { counters } = e.gateway.engine.servers[0]!.listener!;
  peers[1].send('stranger', port, '127.0.0.1');
  await until(() => counters.refusedLimit === 1);
  peers[0].send('more than sixteen bytes', port, '127.0.0.1');
  await until(() => counters.droppedDatagrams === 2);
  t.equal(await ask(peers[0], 'two'), first.replace('one', 'two'), 'the client it was');
  await e.apply(udp('{ idleSeconds: 700, connections: 2 }'));
  t.match(await ask(peers[1], 'three'), / three$/);
});

t.test('what all servers may take together, and queues, are changed at once', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const PUSHES = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(m, conn) conn:send((mix.queue.push("topic", m) and "held" or "full") .. "\\n") end`;
  const yaml = (limits: string, topicSize: number) =>
    `limits: ${limits}\nluavm: { queue: { topicSize: ${topicSize} } }\nservers: [{ name: a, port: ${port}, bind: 127.0.0.1, entry: pushes.lua }]`;
  const e = await start(t, yaml('{}', 1), { 'pushes.lua': PUSHES });
  const first = await Device.connect(port);
  first.send('1\n2\n');
  await first.until((text) => text === 'held\nfull\n');
  t.same(await e.apply(yaml('{ connections: 1, lagSeconds: 0, pendingBytes: 1MiB }', 2)), [
    { path: 'engine.luavm.queue.topicSize', effect: 'change' },
    { path: 'engine.limits.connections', effect: 'change' },
    { path: 'engine.limits.pendingBytes', effect: 'change' },
    { path: 'engine.limits.lagSeconds', effect: 'change' },
  ]);
  const refused = createConnection(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => refused.destroy());
  await until(() => e.gateway.engine.servers[0]!.listener!.counters.refusedTotal === 1);
  first.send('3\n');
  await first.until((text) => text === 'held\nfull\nheld\n');
  t.equal(e.gateway.engine.limits.pending.limit, 2 ** 20);
  await e.apply(yaml('{ connections: 2 }', 1));
  const second = await Device.connect(port);
  second.send('4\n');
  await second.until((text) => text === 'full\n');
  t.equal(first.closed, false);
});
