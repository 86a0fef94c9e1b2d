import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { openSerial } from '../../src/transports/serial.js';
import { startMoonwire } from '../support/cli.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { ptyPair } from '../support/pty.js';
import { Recorder } from '../transports/recorder.js';

const SCRIPT = `
protocol = { name = "greeting", frame = mix.frame.delimiter { ends = "\\n" } }
function on_message(msg, conn) conn:send("hello " .. msg .. "\\n") end
`;

t.test(
  'the program answers over TCP, UDP and a serial line',
  { skip: missing('socat', 'socat') },
  async (t) => {
    const [tcp, udp] = await freePorts(2);
    const line = await ptyPair();
    t.teardown(() => line.remove());
    const folder = t.testdir({ 'entry.lua': SCRIPT });
    const entry = `entry: ${folder}/entry.lua`;
    t.testdir({
      'entry.lua': SCRIPT,
      'x.yaml': [
        'engine:',
        '  apiServer: { port: 0 }',
        '  meshPoint: { port: 0 }',
        '  servers:',
        `    - { name: streams, port: ${tcp}, bind: 127.0.0.1, ${entry} }`,
        `    - { name: datagrams, transport: udp, port: ${udp}, bind: 127.0.0.1, ${entry} }`,
        `  links: [{ name: line, serial: { port: ${line.a}, baudRate: 9600 }, ${entry} }]`,
        `script: { roots: [${folder}] }`,
        `store: { path: ${folder}/data }`,
      ].join('\n'),
    });
    const engine = startMoonwire(t, ['engine', '-f', join(folder, 'x.yaml')]);
    await engine.until(/engine .* runs/);

    const socket = connect(tcp!, '127.0.0.1');
    socket.end('tcp\n');
    t.equal(await text(socket), 'hello tcp\n');

    const datagrams = createSocket('udp4');
    t.teardown(() => datagrams.close());
    // A datagram is a frame.
    datagrams.send('udp', udp!, '127.0.0.1');
    const [answer] = await once(datagrams, 'message');
    t.equal(String(answer), 'hello udp\n');

    const serial = await openSerial({ port: line.b, baudRate: 9600 });
    t.teardown(() => serial.destroy());
    const received = new Recorder(serial);
    serial.write(Buffer.from('serial\n'));
    t.equal(await received.text(13), 'hello serial\n');

    t.equal((await engine.stop()).code, 0);
  },
);
