// Frames that RFC 6455 allows and forbids, case by case, in the order of Autobahn's test suite. What is said once it is
// answered by the same; then comes a close frame, the client's own or that of the server, who says why.

import { once } from 'node:events';
import t from 'tap';
import { startTestEngine } from '../support/engine.js';
import { WebClient } from '../support/websocket.js';
import { rawFrame, rawWebSocket } from '../support/websocket-raw.js';

const [CONT, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const FIN = 0x80;
const utf8 = (text: string) => Buffer.from(text);
const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const last = (opcode: number, data: Uint8Array = Buffer.alloc(0)) => rawFrame(FIN | opcode, data);
const part = (opcode: number, data: Uint8Array) => rawFrame(opcode, data);
const code = (number: number, reason: Uint8Array = Buffer.alloc(0)) =>
  Buffer.concat([Buffer.from([number >> 8, number & 255]), reason]);
const BYE = last(CLOSE, code(1000));

type Answer = readonly [opcode: number, data: Buffer];
const said = (data: Buffer, opcode = TEXT): Answer => [opcode, data];
const closed = (number: number): Answer => [CLOSE, code(number)];

const letters = (count: number) => Buffer.alloc(count, 'x');
const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536];
/** Close codes that a peer may give, and some that none may (7.4). */
const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const NO_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];
/** UTF-8 as it must not be: overlong, surrogates, beyond U+10FFFF, cut short, stray (Autobahn 6.3 to 6.21). */
const NO_UTF8 = [
  ...['c080', 'c1bf', 'e08080', 'e09fbf', 'f0808080', 'f08fbfbf', 'eda080', 'edbfbf', 'eda080edb080'],
  ...[
    'f4908080',
    'f8888080 80',
    'fc8480808080',
    'ff',
    'fe',
    '80',
    'bf',
    'c3',
    'e282',
    'f09f92',
    'c328',
    'ceba e1bdb9 80',
  ],
];
const UTF8 = [
  ...['', '\u0000', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\ufffd', '\ufeff', '\uffff'],
  ...['\u{10000}', '\u{10ffff}', 'κόσμε', 'Hello-µ@ßöäüàá-UTF-8!!'],
];

/** What is sent, in as many writes, and what comes back. */
const CASES: [name: string, sent: Buffer[], answers: Answer[]][] = [
  ...SIZES.map((size): (typeof CASES)[number] => [
    `1.1, 1.2: ${size} bytes of text, then of data`,
    [last(TEXT, letters(size)), last(BINARY, letters(size)), BYE],
    [said(letters(size)), said(letters(size), BINARY), closed(1000)],
  ]),
  [
    '1.1.8: byte by byte',
    [...Buffer.concat([last(TEXT, letters(200)), BYE])].map((byte) => Buffer.from([byte])),
    [said(letters(200)), closed(1000)],
  ],
  [
    '2.1 to 2.4: pings',
    [last(PING), last(PING, hex('00ff')), last(PING, letters(125)), BYE],
    [[PONG, Buffer.alloc(0)], [PONG, hex('00ff')], [PONG, letters(125)], closed(1000)],
  ],
  ['2.5: a ping of 126 bytes', [last(PING, letters(126)), last(PING)], [closed(1002)]],
  [
    '2.7: pongs that nobody asked for',
    [last(PONG), last(PONG, utf8('x')), last(PING, utf8('y')), BYE],
    [[PONG, utf8('y')], closed(1000)],
  ],
  ...[0x40, 0x20, 0x10, 0x70].map((bits): (typeof CASES)[number] => [
    `3: reserved bits ${bits}`,
    [last(TEXT, utf8('a')), rawFrame(FIN | bits | TEXT, utf8('b')), last(PING)],
    [said(utf8('a')), closed(1002)],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): (typeof CASES)[number] => [
    `4: opcode ${opcode}`,
    [last(TEXT, utf8('a')), last(opcode, utf8('b')), last(PING)],
    [said(utf8('a')), closed(1002)],
  ]),
  ['5.1: a ping in two parts', [part(PING, utf8('a')), last(CONT, utf8('b'))], [closed(1002)]],
  [
    '5.3: text in parts',
    [part(TEXT, utf8('a')), part(CONT, utf8('b')), last(CONT, utf8('c')), BYE],
    [said(utf8('abc')), closed(1000)],
  ],
  [
    '5.6: a ping between parts',
    [part(TEXT, utf8('a')), last(PING, utf8('p')), last(CONT, utf8('b')), BYE],
    [[PONG, utf8('p')], said(utf8('ab')), closed(1000)],
  ],
  ['5.9: a part of nothing', [last(CONT, utf8('a')), last(TEXT, utf8('b'))], [closed(1002)]],
  ['5.12: a first part of nothing', [part(CONT, utf8('a')), last(TEXT, utf8('b'))], [closed(1002)]],
  [
    '5.18: a message among the parts of another',
    [part(TEXT, utf8('a')), last(TEXT, utf8('b'))],
    [closed(1002)],
  ],
  [
    '5: empty parts',
    [part(BINARY, utf8('')), part(CONT, utf8('')), last(CONT, utf8('')), BYE],
    [said(utf8(''), BINARY), closed(1000)],
  ],
  [
    '6.2: parts that cut a letter',
    [part(TEXT, hex('ce')), part(CONT, hex('ba')), last(CONT, utf8('x')), BYE],
    [said(utf8('κx')), closed(1000)],
  ],
  ...UTF8.map((text): (typeof CASES)[number] => [
    `6: ${JSON.stringify(text)}`,
    [last(TEXT, utf8(text)), BYE],
    [said(utf8(text)), closed(1000)],
  ]),
  ...NO_UTF8.map((digits): (typeof CASES)[number] => [
    `6: ${digits}`,
    [last(TEXT, hex(digits)), last(PING)],
    [closed(1007)],
  ]),
  [
    '6.4: no UTF-8 in the second part',
    [part(TEXT, utf8('a')), last(CONT, hex('f4908080')), last(PING)],
    [closed(1007)],
  ],
  ['7.1: what follows a close frame is not read', [BYE, last(TEXT, utf8('a')), last(PING)], [closed(1000)]],
  ['7.3.1: a close frame without a code', [last(CLOSE)], [[CLOSE, Buffer.alloc(0)]]],
  ['7.3.2: with half a code', [last(CLOSE, hex('03'))], [closed(1002)]],
  [
    '7.3.5: with a reason of 123 bytes',
    [last(CLOSE, code(1000, letters(123)))],
    [[CLOSE, code(1000, letters(123))]],
  ],
  ['7.3.6: of 124 bytes', [last(CLOSE, code(1000, letters(124)))], [closed(1002)]],
  ['7.5.1: with a reason that is no UTF-8', [last(CLOSE, code(1000, hex('ceba80')))], [closed(1007)]],
  ...CODES.map((number): (typeof CASES)[number] => [
    `7.7: code ${number}`,
    [last(CLOSE, code(number))],
    [closed(number)],
  ]),
  ...NO_CODES.map((number): (typeof CASES)[number] => [
    `7.9: code ${number}`,
    [last(CLOSE, code(number))],
    [closed(1002)],
  ]),
  ['5.1 of the RFC: a frame without mask', [rawFrame(FIN | TEXT, utf8('a'), false)], [closed(1002)]],
  ['5.2 of the RFC: a length with its first bit set', [hex('82ff8000000000000000')], [closed(1009)]],
];

/** The whole frames of a server, none of them masked. */
function framesOf(bytes: Buffer): Answer[] {
  const frames: Answer[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes[at + 1]!;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + head > bytes.length) break;
    const size = head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUIntBE(at + 4, 6);
    if (at + head + size > bytes.length) break;
    frames.push([bytes[at]! & 15, bytes.subarray(at + head, at + head + size)]);
    at += head + size;
  }
  return frames;
}

t.test('frames, as RFC 6455 has them', async (t) => {
  const test = await startTestEngine(
    { 'main.lua': 'function on_message(msg, conn) conn:send(msg.data, msg.type) end' },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua, protocol: websocket,
      limits: { frameBytes: 128KiB, sendBufferBytes: 256KiB } }]`,
  );
  t.teardown(test.stop);
  const neighbour = await WebClient.connect(test.port());
  for (const [number, [name, sent, answers]] of CASES.entries()) {
    const socket = await rawWebSocket(test.port());
    let received = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (framesOf(received).at(-1)?.[0] === CLOSE) socket.end();
    });
    for (const bytes of sent) socket.write(bytes);
    await once(socket, 'close');
    const shown = (frames: Answer[]) =>
      frames.map(([opcode, data]) => [opcode, data.length, data.toString('hex').slice(0, 260)]);
    t.same(shown(framesOf(received)), shown(answers), name);
    neighbour.send(name);
    t.equal(await neighbour.message(number + 1), name);
  }
});
