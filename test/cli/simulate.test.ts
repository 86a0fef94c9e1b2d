import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { NO_FAULTS } from '../../src/transports/faults.js';
import { openSerial } from '../../src/transports/serial.js';
import { type CliOptions, moonwire, startMoonwire } from '../support/cli.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';
import { Recorder } from '../transports/recorder.js';

const FRAMES = ['0102030405060708', '1112131415161718', '2122232425262728'];
const ALL = FRAMES.join('');
const FAST = ['--every', '0.01', '--wait', '0.1'];

/** What a server got on its connections, in the order of their opening. */
interface Sink {
  port: number;
  received: Buffer[][];
}

/** A TCP server that keeps what it gets and lets `react` answer. */
async function sink(t: Test, react: (socket: Socket, chunk: Buffer) => void = () => {}): Promise<Sink> {
  const received: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const chunks: Buffer[] = [];
    received.push(chunks);
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        chunks.push(chunk);
        react(socket, chunk);
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as { port: number }).port, received };
}

function hexOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('hex');
}

/** A file of the frames. */
function capture(t: Test): string {
  return join(
    t.testdir({ 'frames.hex': `# three frames\n${FRAMES.join('\n')} # the last one\n` }),
    'frames.hex',
  );
}

function simulate(args: string[], options?: CliOptions) {
  return moonwire(['simulate', ...args], options);
}

t.test('plays a capture over TCP, and prints what goes and what comes', async (t) => {
  const { port, received } = await sink(t, (socket) => socket.write('ok'));
  const { code, stdout } = await simulate([
    ...[
      '--tcp',
      `127.0.0.1:${port}`,
      '--file',
      capture(t),
      '--repeat',
      '2',
      '--every',
      '0.05',
      '--wait',
      '0.5',
    ],
  ]);
  t.equal(code, 0);
  t.equal(hexOf(received[0]!), ALL + ALL);
  const lines = stdout.trim().split('\n');
  t.strictSame(
    lines.filter((line) => line.startsWith('sent     ')),
    [...FRAMES, ...FRAMES].map((frame) => `sent     ${frame}`),
  );
  t.match(stdout, /^received 6f6b/m);
  t.match(lines.at(-1), /^sent 6 \(48 bytes\), received \d+ \(12 bytes\); faults: none$/);
});

t.test('plays one frame, quietly', async (t) => {
  const { port, received } = await sink(t);
  const { code, stdout } = await simulate([
    '--tcp',
    `127.0.0.1:${port}`,
    '--hex',
    '41 42',
    ...FAST,
    '--quiet',
  ]);
  t.equal(code, 0);
  t.equal(hexOf(received[0]!), '4142');
  t.equal(stdout, 'sent 1 (2 bytes), received 0 (0 bytes); faults: none\n');
});

t.test('plays many devices at once', async (t) => {
  const { port, received } = await sink(t);
  const { code, stdout } = await simulate([
    ...['--tcp', `127.0.0.1:${port}`, '--file', capture(t), ...FAST, '--devices', '20'],
  ]);
  t.equal(code, 0);
  t.strictSame(received.map(hexOf), Array(20).fill(ALL));
  t.match(stdout, /^#20 sent {5}2122232425262728$/m);
  t.match(stdout, /^sent 60 \(480 bytes\)/m);
});

t.test('sends datagrams over UDP', async (t) => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => void socket.close());
  const received: string[] = [];
  socket.on('message', (bytes, from) => {
    received.push(bytes.toString('hex'));
    socket.send('ok', from.port, from.address);
  });
  const to = `127.0.0.1:${socket.address().port}`;
  const { code, stdout } = await simulate([
    '--udp',
    to,
    '--file',
    capture(t),
    '--every',
    '0.05',
    '--wait',
    '0.5',
  ]);
  t.equal(code, 0);
  t.strictSame(received, FRAMES);
  t.match(stdout, /received 3 \(6 bytes\)/);
});

t.test('plays on a serial line', { skip: missing('socat', 'socat') }, async (t) => {
  const line = await ptyPair();
  t.teardown(() => line.remove());
  const far = new Recorder(await openSerial({ port: line.a, baudRate: 9600 }));
  t.teardown(async () => {
    far.connection.destroy();
    await far.closed();
  });
  far.onData = () => far.connection.write(Buffer.from('ok'));
  const { code, stdout } = await simulate([
    ...['--serial', `${line.b}:9600,8N1`, '--file', capture(t), '--every', '0.05', '--wait', '0.5'],
  ]);
  t.equal(code, 0);
  t.equal(hexOf(far.chunks), ALL);
  t.match(stdout, /received [1-9]/);
});

t.test('listens for an engine that connects, and a script plays the device', async (t) => {
  const folder = t.testdir({
    'device.lua': [
      'protocol = { name = "test", frame = mix.frame.fixed { size = 2 }, decode = function(f) return f end }',
      'function on_message(msg, conn)',
      '  conn:send(mix.server.option("prefix") .. msg)',
      '  if msg == "ZZ" then conn:close() end',
      'end',
    ].join('\n'),
  });
  const port = await freePort();
  const script = join(folder, 'device.lua');
  const device = startMoonwire(t, [
    ...['simulate', '--listen', `127.0.0.1:${port}`, '--script', script, '--option', 'prefix=>'],
  ]);
  const engine = startMoonwire(t, [
    'simulate',
    '--tcp',
    `127.0.0.1:${port}`,
    '--reconnect',
    '--hex',
    '41425a5a',
  ]);
  const { code, stdout } = await device.ended;
  t.equal(code, 0);
  t.match(stdout, /^received 41425a5a$/m);
  t.match(stdout, /^sent 2 \(6 bytes\), received 1 \(4 bytes\)/m);
  engine.kill();
});

t.test('each fault, over TCP', async (t) => {
  const faulty = async (...options: string[]) => {
    const { port, received } = await sink(t);
    const args = ['--tcp', `127.0.0.1:${port}`, '--file', capture(t), ...FAST, '--seed', '7', ...options];
    const { code, stdout } = await simulate(args);
    t.equal(code, 0);
    const sent = [...stdout.matchAll(/^sent {5}([0-9a-f]+)$/gm)].map(([, hex]) => hex!);
    t.equal(hexOf(received[0] ?? []), sent.join(''), 'what is printed is what arrived');
    return { sent, stdout };
  };

  const split = await faulty('--split', '3');
  t.equal(split.sent.join(''), ALL);
  t.ok(split.sent.length >= 9);
  t.match(split.stdout, /faults: 3 split; --seed 7 makes the same again/);

  const merged = await faulty('--merge', '2');
  t.strictSame(merged.sent, [FRAMES[0]! + FRAMES[1]!, FRAMES[2]]);
  t.match(merged.stdout, /faults: 1 merged$/m);

  const corrupt = await faulty('--corrupt', '1');
  t.equal(corrupt.sent.length, 3);
  t.ok(corrupt.sent.every((hex, i) => hex !== FRAMES[i] && hex.length === FRAMES[i]!.length));
  t.match(corrupt.stdout, /faults: 3 corrupted/);
  t.strictSame((await faulty('--corrupt', '1')).sent, corrupt.sent, 'the same seed, the same faults');

  const dropped = await faulty('--drop', '0.5', '--repeat', '10');
  const lost = Number(/faults: (\d+) dropped/.exec(dropped.stdout)?.[1]);
  t.ok(lost > 0 && lost < 30);
  t.equal(dropped.sent.length, 30 - lost);

  const delayed = await faulty('--delay', '20');
  t.equal(delayed.sent.join(''), ALL);
  t.match(delayed.stdout, /faults: 3 delayed$/m);
  t.ok(Object.keys(NO_FAULTS).length === 5, 'another fault needs its part here');
});

t.test('a lost connection ends the run, unless it is to reconnect', async (t) => {
  let connections = 0;
  const { port, received } = await sink(t, (socket) => {
    if (connections++ < 2) socket.destroy();
  });
  const to = ['--tcp', `127.0.0.1:${port}`];
  const play = ['--file', capture(t), '--every', '0.1', '--wait', '0.1'];
  const lost = await simulate([...to, ...play]);
  t.equal(lost.code, 1);
  t.match(lost.stdout, /^lost the connection/m);
  t.match(lost.stderr, /^moonwire: .*127\.0\.0\.1/);

  const back = await simulate([...to, ...play, '--reconnect']);
  t.equal(back.code, 0, back.stderr);
  t.match(back.stdout, /1 connections lost/);
  t.equal(hexOf(received.at(-1)!), ALL, 'from the start');
});

t.test('a signal ends the run with a summary', async (t) => {
  const { port } = await sink(t);
  const device = startMoonwire(t, [
    ...['simulate', '--tcp', `127.0.0.1:${port}`, '--hex', '00', '--every', '0.05', '--repeat', 'forever'],
  ]);
  await device.until(/sent {5}00\nsent {5}00/);
  const { code, stdout } = await device.stop();
  t.equal(code, 0);
  t.match(stdout, /^sent \d+ \(\d+ bytes\), received 0/m);
});

t.test('what cannot be reached ends with 3', async (t) => {
  const gone = await simulate(['--tcp', `127.0.0.1:${await freePort()}`, '--hex', '00']);
  t.equal(gone.code, 3);
  t.match(gone.stderr, /^moonwire: 127\.0\.0\.1:\d+ refused the connection/);
  const unplugged = await simulate(['--serial', '/dev/nowhere', '--hex', '00']);
  t.equal(unplugged.code, 3);
  t.match(unplugged.stderr, /^moonwire: \/dev\/nowhere is not there/);
});

t.test('what cannot be played ends with 1 and one sentence', async (t) => {
  const folder = t.testdir({ 'bad.hex': '00\n0z\n', 'empty.hex': '# nothing\n', 'bad.lua': 'x =' });
  const cases = [
    ['--file', 'none.hex', /none\.hex: there is no such file/],
    ['--file', 'bad.hex', /bad\.hex:2: not a line of hexadecimal bytes/],
    ['--file', 'empty.hex', /empty\.hex has no line of hexadecimal bytes/],
    ['--script', 'none.lua', /none\.lua: there is no such file/],
    ['--script', 'bad.lua', /bad\.lua:1: /],
  ] as const;
  const runs = cases.map(([option, file]) => simulate(['--tcp', '127.0.0.1:9', option, join(folder, file)]));
  for (const [i, { code, stdout, stderr }] of (await Promise.all(runs)).entries()) {
    t.equal(code, 1, cases[i]![1]);
    t.equal(stdout, '');
    t.match(stderr, cases[i]![2]);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
