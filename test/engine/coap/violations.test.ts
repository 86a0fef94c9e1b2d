// Messages that RFC 7252 forbids: one that is to be confirmed is rejected, the others are ignored (4.2, 4.3), and
// nobody else notices.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { startTestEngine, until } from '../../support/engine.js';

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');

/** What is sent as message 0a0b, by its kind, and the answer; nothing where that is empty. */
const CASES: [what: string, message: string, answer?: string][] = [
  ['a payload marker without payload', '40 01 0a0b ff', '7000 0a0b'],
  ['the same, not to be confirmed', '50 01 0a0b ff'],
  ['an option cut short', '40 01 0a0b b4 616263', '7000 0a0b'],
  ['an option whose number takes two bytes, of which one is there', '40 01 0a0b e0 01', '7000 0a0b'],
  ['the reserved option delta', '40 01 0a0b f1 61', '7000 0a0b'],
  ['the reserved option length', '40 01 0a0b 1f 61', '7000 0a0b'],
  ['a token of the reserved length', '4f 01 0a0b 0102', '7000 0a0b'],
  ['a token cut short', '44 01 0a0b 0102', '7000 0a0b'],
  ['the same, as an acknowledgement', '64 45 0a0b 0102'],
  ['the same, as a reset', '74 00 0a0b 0102'],
  ['an empty message with a token', '41 00 0a0b 01', '7000 0a0b'],
  ['an empty message with bytes behind it', '40 00 0a0b 00', '7000 0a0b'],
  ['an empty message, not to be confirmed', '50 00 0a0b'],
  ['a code of the reserved classes 1, 6 and 7', '40 20 0a0b', '7000 0a0b'],
  ['', '40 c0 0a0b', '7000 0a0b'],
  ['', '40 e1 0a0b', '7000 0a0b'],
  ['an acknowledgement of nothing', '60 00 0a0b'],
  ['an acknowledgement with a request in it', '60 01 0a0b'],
  ['a reset of nothing', '70 00 0a0b'],
  ['version 0', '00 01 0a0b'],
  ['version 3', 'c0 01 0a0b'],
  ['three bytes', '40 01 0a'],
  ['no bytes', ''],
];

t.test('messages that break RFC 7252', async (t) => {
  const test = await startTestEngine(
    {
      'main.lua':
        'function on_request(req) if req.path == "/sound" then return "fine" end print("reached") end',
    },
    'servers: [{ name: c, port: 0, bind: 127.0.0.1, protocol: coap, entry: main.lua }]',
  );
  t.teardown(test.stop);
  const open = async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.teardown(() => socket.close());
    const received: string[] = [];
    socket.on('message', (bytes) => received.push(bytes.toString('hex')));
    return { received, send: (bytes: Buffer) => socket.send(bytes, test.port(), '127.0.0.1') };
  };
  const neighbour = await open();
  for (const [number, [what, message, answer]] of CASES.entries()) {
    const device = await open();
    device.send(hex(message));
    // A ping behind it is answered behind it (4.3).
    device.send(hex('40 00 7777'));
    await until(() => device.received.includes('70007777'));
    t.same(
      device.received.slice(0, -1),
      answer === undefined ? [] : [answer.replaceAll(' ', '')],
      `${what}: ${message}`,
    );
    const id = (0x1000 + number).toString(16);
    neighbour.send(hex(`40 01 ${id} b5 736f756e64`));
    await until(() => neighbour.received.length > number);
    t.equal(neighbour.received[number], `6045${id}ff${Buffer.from('fine').toString('hex')}`);
  }
  t.notOk(
    test.log.some(({ message }) => message === 'reached'),
    'the script sees none of them',
  );
});
