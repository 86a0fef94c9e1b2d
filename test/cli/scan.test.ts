import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  likelyUnits,
  lineSettings,
  parseFormats,
  parseUnits,
  settingText,
} from '../../src/cli/scan-settings.js';
import { openSerial } from '../../src/transports/serial.js';
import { Cli, moonwire } from '../support/cli.js';
import { unhex } from '../support/framing.js';
import { missing } from '../support/need.js';
import { freePort } from '../support/ports.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { type PtyPair, ptyPair } from '../support/pty.js';

const skip = missing('socat', 'socat');

/** Answers what is asked of `units`; others are silent. */
function slave(
  units: readonly number[],
  protocol = 'protocols.modbus_rtu',
): (bytes: Uint8Array) => Uint8Array[] {
  const peer = new ProtocolUnderTest(protocol, 'server').peer();
  return (bytes) =>
    peer
      .feed([bytes])
      .messages.filter(({ unit }) => units.includes(Number(unit)))
      .map(({ unit }) => unhex(peer.encode(unit === 17 ? '{ exception = 2 }' : '{ values = { 1 } }')));
}

/** A slave at one end of a line that understands one rate only. */
async function slaveOn(t: Test, line: PtyPair, units: readonly number[], baudRate?: number): Promise<void> {
  const connection = await openSerial({ port: line.b, baudRate: 9600 });
  t.teardown(() => connection.destroy());
  const answer = slave(units);
  connection.attach({
    data(bytes) {
      const speed = Number(execFileSync('stty', ['-F', line.a, 'speed']));
      for (const reply of answer(bytes))
        if (baudRate === undefined || speed === baudRate) connection.write(reply);
    },
    close() {},
  });
}

async function line(t: Test): Promise<PtyPair> {
  const pair = await ptyPair();
  t.teardown(() => pair.remove());
  return pair;
}

t.test('units and the rate of a line are found', { skip }, async (t) => {
  const pair = await line(t);
  await slaveOn(t, pair, [3, 17], 19_200);
  const { code, stdout, stderr } = await moonwire([
    ...['scan', '--port', pair.a, '--units', '3,17-18', '--bauds', '9600,19200', '--formats', '8N1'],
    ...['--timeout', '400'],
  ]);
  t.equal(stderr, '');
  t.equal(
    stdout,
    [
      'unit 3 at 19200 8N1: answers',
      'unit 17 at 19200 8N1: refuses register 0: illegal data address',
      `${pair.a}: 2 units answer`,
      '',
    ].join('\n'),
  );
  t.equal(code, 0);
});

t.test('units that speak Modbus ASCII are found', { skip }, async (t) => {
  const pair = await line(t);
  const connection = await openSerial({ port: pair.b, baudRate: 9600 });
  t.teardown(() => connection.destroy());
  const answer = slave([5], 'protocols.modbus_ascii');
  connection.attach({
    data(bytes) {
      for (const reply of answer(bytes)) connection.write(reply);
    },
    close() {},
  });
  const { code, stdout } = await moonwire([
    ...['scan', '--port', pair.a, '--protocol', 'modbus_ascii', '--units', '4-6', '--bauds', '9600'],
    ...['--timeout', '400', '--json'],
  ]);
  t.match(JSON.parse(stdout), {
    protocol: 'modbus_ascii',
    found: [{ unit: 5, dataBits: 7, parity: 'even', stopBits: 1 }],
  });
  t.equal(code, 0);
});

t.test('a link of a configuration is tried as it is set first', { skip }, async (t) => {
  const pair = await line(t);
  await slaveOn(t, pair, [1]);
  const folder = t.testdir({
    'e.lua': '',
    'x.yaml': `engine:
  apiServer: { port: ${await freePort()} }
  links: [{ name: bus, serial: { port: "${pair.a}", baudRate: 4800 }, entry: e.lua }]
`,
  });
  const file = `${folder}/x.yaml`;
  const { code, stdout } = await moonwire([
    ...['scan', 'bus', '-f', file, '--units', '1', '--timeout', '400', '--json'],
  ]);
  t.strictSame(JSON.parse(stdout), {
    target: 'bus',
    protocol: 'modbus_rtu',
    found: [{ unit: 1, baudRate: 4800, dataBits: 8, parity: 'none', stopBits: 1, answer: 'answers' }],
    noise: [],
  });
  t.equal(code, 0);
  const unknown = await moonwire(['scan', 'buss', '-f', file]);
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /has no link buss; it has bus/);
});

t.test('a port that somebody has is left alone, and they are named', { skip }, async (t) => {
  const pair = await line(t);
  const open = spawn('sh', ['-c', `exec sleep 60 <"${pair.a}"`], { stdio: 'ignore' });
  t.teardown(() => open.kill());
  // By then the shell has opened the port for it.
  while (readFileSync(`/proc/${open.pid}/comm`, 'utf8') !== 'sleep\n') await pause(10);
  const { code, stdout, stderr } = await moonwire(['scan', '--port', pair.a, '--units', '1']);
  t.equal(
    stderr,
    `moonwire: ${pair.a} is held by sleep (${open.pid}): stop it for the time of the scan, or, if it is an engine, name its link and -f FILE\n`,
  );
  t.equal(stdout, '');
  t.equal(code, 1);
});

t.test('a line that vanishes ends the scan with what was found', { skip }, async (t) => {
  const pair = await line(t);
  await slaveOn(t, pair, [2]);
  const cli = new Cli(['scan', '--port', pair.a, '--timeout', '400']);
  t.teardown(() => cli.kill());
  await cli.until(/unit 2 at 9600 8N1: answers/);
  await pair.unplug();
  const { code, stdout, stderr } = await cli.ended;
  t.match(stdout, `${pair.a}: 1 unit answers`);
  t.match(stderr, `moonwire: ${pair.a} is gone`);
  t.equal(code, 3);
});

t.test('Ctrl-C ends with what was found', { skip }, async (t) => {
  const pair = await line(t);
  await slaveOn(t, pair, [2]);
  const cli = new Cli(['scan', '--port', pair.a, '--timeout', '400']);
  t.teardown(() => cli.kill());
  await cli.until(/unit 2 at 9600 8N1: answers/);
  const { code, stdout } = await cli.stop();
  t.match(stdout, `${pair.a}: 1 unit answers`);
  t.equal(code, 0);
});

t.test('a converter with no answer, and one that answers nonsense', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('data', () => socket.write('????'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { code, stdout } = await moonwire([
    ...['scan', '--tcp', `127.0.0.1:${port}`, '--units', '1-2', '--timeout', '50'],
  ]);
  t.match(
    stdout,
    `127.0.0.1:${port}: 0 units answer\nbytes that are no answer came at as the converter is set`,
  );
  t.equal(code, 1);
});

t.test('wrong options are refused', async (t) => {
  for (const args of [
    [],
    ['--port', '/dev/x', '--units', '0-3'],
    ['--port', '/dev/x', '--tcp', 'a:1'],
    ['bus'],
    ['--port', '/dev/x', '--bauds', '9600,fast'],
  ]) {
    const { code } = await moonwire(['scan', ...args]);
    t.equal(code, 2, args.join(' '));
  }
  const { code, stderr } = await moonwire(['scan', '--port', '/dev/no-such-port', '--units', '1']);
  t.equal(code, 1);
  t.match(stderr, 'is not there');
});

t.test('what is likely comes first', async (t) => {
  t.strictSame(parseUnits('5,1-3, 2'), [1, 2, 3, 5]);
  for (const text of ['', '1-', '3-1', '248', '1,,2']) t.equal(parseUnits(text), undefined, text);
  t.strictSame(likelyUnits([1, 11, 247]), { likely: [1, 247], rest: [11] });
  const formats = parseFormats('8n1, 7E2')!;
  t.strictSame(lineSettings([9600, 1200], formats, { baudRate: 1200 }).map(settingText), [
    '1200 8N1',
    '9600 8N1',
    '9600 7E2',
    '1200 7E2',
  ]);
  for (const text of ['', '9N1', '8N3', '8X1', '8N1,']) t.equal(parseFormats(text), undefined, text);
});
