import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { xor } from '../../src/bytes/checksum.js';
import { startTestEngine, type TestEngine, until } from '../support/engine.js';
import { unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  hex: string;
  checksum?: { ok: boolean };
  expect: { stated: { rejected?: boolean } };
}

const all = vectors<Vector>('iec62056_21');
const iec = new ProtocolUnderTest('protocols.iec62056_21');
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** A block with its check character: from SOH or STX to ETX. */
function block(text: string): string {
  return text + String.fromCharCode(xor(bytes(text), 1));
}

const feed = (text: string) => iec.feed([bytes(text), null, null]);
const one = (text: string) => feed(text).messages[0]!;

/** What the sources state, in our names. */
const STATED: Record<string, object> = {
  'data set with unit': { type: 'data', values: [{ obis: '3.1.0', value: 100, unit: 'kWh' }] },
  'line with three sets': {
    values: [
      { obis: '12', value: 12, unit: 'kWh' },
      { obis: '13', value: 13 },
      { obis: '14', value: 14, unit: 'kwh' },
    ],
  },
  'one line block': { values: [{ value: 12 }, { value: 13 }, { value: 14 }] },
  readout: { type: 'readout', values: [{ value: 314 }, { value: 415 }] },
  'read command': { type: 'command', command: 'R', command_type: '1', address: '1.8.0', value: '1' },
  'write with bcc': {
    type: 'command',
    command: 'W',
    command_type: '2',
    address: 'C003',
    value: '910324092239',
  },
  'request with address': { type: 'request', device_address: '45678903' },
  'ack option select': {
    type: 'option_select',
    protocol_char: '0',
    mode_char: '1',
    baud_char: '5',
    baud_rate: 9600,
  },
  identification: {
    type: 'identification',
    manufacturer: 'Els',
    baud_char: '6',
    baud_rate: 19_200,
    identification: '2EK280',
  },
};

t.test('every vector decodes to what its source states, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, checksum, expect } of all) {
    const { messages, errors, discarded } = cutAnyhow(t, iec, unhex(hex), rng, name);
    if (expect.stated.rejected) {
      t.strictSame([messages, errors.length > 0 || discarded > 0], [[], true], name);
      t.equal(discarded, checksum ? hex.length / 2 : 0, `${name}: a wrong check is discarded`);
      t.equal(iec.peer().decode(unhex(hex)).errors.length, 1, `${name}: past the framing`);
    } else {
      t.strictSame([messages.length, errors, discarded], [1, [], 0], name);
      t.match(messages[0], STATED[name.slice('iec62056-21 '.length)], name);
    }
  }
});

const READOUT = [
  'F.F(00000000)',
  '0.0.0(12345678)',
  '0.9.1(133015)',
  '0.9.2(240520)',
  '1.8.0(004711.123*kWh)',
  '1.8.1*04(000815.0*kWh)',
  '1.6.1(12.34*kW)(2405201330)',
  '2.8.0(000000*kWh)',
  '31.7(1.25*A)',
  '13.7.0(0.98)',
  '1-1:C.5.0(0401)',
  '7-0:3.1.0(100*m3)',
];

t.test('read-outs of modes A to D', async (t) => {
  const values = [
    { name: 'error_code', value: '00000000', obis: 'F.F' },
    { name: 'device_number', value: '12345678' },
    { name: 'time_of_day', value: '133015' },
    { name: 'date', value: '240520' },
    { name: 'energy_import', value: 4711.123, unit: 'kWh' },
    { name: 'energy_import_tariff_1_history_4', value: 815 },
    { name: 'power_import_maximum_tariff_1', value: 12.34, more: ['2405201330'] },
    { name: 'energy_export', value: 0 },
    { name: 'current_l1', value: 1.25 },
    { name: 'power_factor', value: 0.98 },
    { name: 'status', value: '0401' },
    { name: '7-0:3.1.0', value: 100, unit: 'm3' },
  ];
  const inBlock = block(`\x02${READOUT.join('\r\n')}\r\n!\r\n\x03`);
  t.match(one(inBlock), { type: 'readout', device_id: '12345678', values });
  const byLines = feed(`/ABC2meter\r\n\r\n${READOUT.join('\r\n')}\r\n!\r\n`).messages;
  t.match(byLines, [
    { type: 'identification', mode: 'C' },
    { type: 'readout', device_id: '12345678', values },
  ]);
  t.equal(byLines.length, 2);
  t.match(feed(`\0\0/ABC\x40x\r\n${inBlock}`).messages, [{ mode: 'A' }, { type: 'readout' }]);
  t.match(one('/ABCB5x\r\n'), { mode: 'B', baud_rate: 1200, identification: '5x' });
  t.match(one('/Els6\\2EK280\r\n'), { mode: 'E' });
  t.match(one(block('\x026.8(0012.345*MWh)6.26(00123.4*m3)9.21(66012345)\r\n!\r\n\x03')), {
    device_id: '66012345',
    values: [{ name: 'heat_energy', value: 12.345 }, { name: 'volume' }, {}],
  });
});

t.test('programming mode', async (t) => {
  t.match(one(block('\x01P0\x02(A1B2)\x03')), {
    type: 'command',
    command: 'P',
    command_type: '0',
    value: 'A1B2',
  });
  t.match(one(block('\x01B0\x03')), { type: 'command', command: 'B', command_type: '0' });
  t.match(one('\x06'), { type: 'ack' });
  t.match(one('\x15'), { type: 'nak' });
  t.match(one(block('\x02(ER05)\x03')), { type: 'error', error: 'ER05' });
  t.match(one(block('\x021.8.0(1*kWh)\r\n\x04')), { type: 'data', partial: true });
  const peer = iec.peer();
  peer.encode('{ type = "command", command = "R", command_type = "1", address = "1.8.0" }');
  t.match(peer.feed([bytes(block('\x02(000123.4*kWh)\x03'))]).messages, [
    { type: 'data', values: [{ name: 'energy_import', obis: '1.8.0', value: 123.4 }] },
  ]);
});

t.test('requests', async (t) => {
  const encode = (source: string) => iec.peer().encode(source);
  const hex = (name: string) => all.find((vector) => vector.name.endsWith(name))!.hex;
  t.equal(encode('{ type = "request", device_address = "45678903" }'), hex('request with address'));
  t.equal(encode('{ type = "request" }'), bytes('/?!\r\n').toString('hex'));
  t.equal(encode('{ type = "option_select", baud_char = "5", mode_char = "1" }'), hex('ack option select'));
  t.equal(
    encode('{ type = "command", command = "R", command_type = "1", address = "1.8.0", value = "1" }'),
    hex('read command'),
  );
  t.equal(
    encode(
      '{ type = "command", command = "W", command_type = "2", address = "C003", value = "910324092239" }',
    ),
    hex('write with bcc'),
  );
  t.equal(
    encode('{ type = "command", command = "B", command_type = "0" }'),
    bytes('\x01B0\x03q').toString('hex'),
  );
  t.equal(encode('{ type = "ack" }'), '06');
  t.equal(encode('{ type = "nak" }'), '15');
  for (const [source, problem] of [
    ['"x"', /can encode/],
    ['{ type = "readout" }', /can encode/],
    ['{ type = "request", device_address = "1!" }', /device_address must match/],
    ['{ type = "request", device_address = ("1"):rep(33) }', /at most 32/],
    ['{ type = "command", command = "R" }', /command_type must match/],
    ['{ type = "command", command = "W", command_type = "1", value = "(1)" }', /value must match/],
    ['{ type = "option_select", baud_char = "\\r" }', /baud_char must match/],
  ] as const) {
    t.match(encode(source), problem, source);
  }
});

t.test('malformed and endless input', async (t) => {
  t.match(feed('/12\r\n').errors, ['no identification']);
  t.match(feed('hello\r\n').errors, ['no data set']);
  t.match(feed(block('\x01??\x03')).errors, ['no command']);
  t.match(feed(`1(${')('.repeat(300)})\r\n`).errors, [/more than 200 values/]);
  const endless = feed(`/ABC5x\r\n${'1.8.0(1*kWh)\r\n'.repeat(1500)}`);
  t.match(endless.errors, [/more than 16384 bytes/]);
  t.equal(feed(`!\r\n1.8.0(1*kWh)\r\n`).messages.length, 1, 'an end without a begin');
});

t.test('good blocks among bad ones; mutated ones never raise', async (t) => {
  const rng = random(t);
  const good = [
    block(`\x02${READOUT.join('\r\n')}\r\n!\r\n\x03`),
    block('\x021.8.0(1*kWh)\x03'),
    block('\x01P0\x02(A1B2)\x03'),
  ].map(bytes);
  goodAmongBad(t, iec, good, rng, {
    noise: (byte) => byte | 0x80,
    damage: (frame) => {
      frame[frame.length - 1]! ^= 1 + rng.below(127);
    },
  });
  neverRaises(t, iec, [...all.map(({ hex }) => unhex(hex)), ...good], rng);
  // The content of blocks, with a check character that is right.
  for (const end = Date.now() + 500; Date.now() < end; ) {
    const alphabet = '01.*-:()!\r\nkWhFC ';
    const content = [...rng.bytes(rng.below(60))].map((b) => alphabet[b % alphabet.length]).join('');
    const { messages, errors } = feed(block(`\x02${content}\x03`));
    if (messages.length + errors.length !== 1) t.fail(JSON.stringify(content));
  }
});

const errors = ({ log }: TestEngine) => log.filter(({ level }) => level === 'error');

/** A meter on TCP that answers each message as the table says, and the link of an engine to it. */
async function withMeter(
  t: Test,
  answers: Record<string, string>,
  options: string,
): Promise<{ engine: TestEngine; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (received) => {
      const text = received.toString('latin1');
      asked.push(text);
      socket.write(text); // as optical heads echo
      socket.write(answers[text] ?? '', 'latin1');
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const engine = await startTestEngine(
    library,
    `links:
  - name: meter
    tcp: { host: 127.0.0.1, port: ${port} }
    entry: entry.iec62056_21.lua
    options: { ${options} }`,
  );
  t.teardown(() => engine.stop());
  return { engine, asked };
}

t.test('entry.iec62056_21: a read-out, with the echo of an optical head', async (t) => {
  const { engine, asked } = await withMeter(
    t,
    {
      '/?!\r\n': '/ABC5meter\r\n',
      '\x06000\r\n': block(`\x02${READOUT.join('\r\n')}\r\n!\r\n\x03`),
    },
    'seconds: 60',
  );
  await until(() => engine.reports.length > 0);
  t.strictSame([asked, errors(engine)], [['/?!\r\n', '\x06000\r\n'], []]);
  t.match(engine.reports, [
    {
      deviceId: '12345678',
      values: { values: [{}, {}, {}, {}, { name: 'energy_import', value: 4711.123 }] },
    },
  ]);
});

t.test('entry.iec62056_21: registers in programming mode', async (t) => {
  const { engine, asked } = await withMeter(
    t,
    {
      '/?7!\r\n': '/ABC5meter\r\n',
      '\x06051\r\n': block('\x01P0\x02(A1B2)\x03'),
      [block('\x01P1\x02(secret)\x03')]: '\x06',
      [block('\x01R1\x021.8.0()\x03')]: block('\x021.8.0(12.5*kWh)\x03'),
      [block('\x01R1\x029.9.9()\x03')]: block('\x02(ER01)\x03'),
      [block('\x01R1\x022.8.0()\x03')]: block('\x02(1.5*kWh)\x03'),
    },
    'seconds: 60, address: "7", baud_char: "5", password: secret, registers: "1.8.0,9.9.9,2.8.0"',
  );
  await until(() => engine.reports.length > 0);
  t.match(engine.reports, [
    {
      deviceId: '7',
      values: {
        values: [
          { name: 'energy_import', value: 12.5 },
          { name: 'energy_export', value: 1.5, obis: '2.8.0' },
        ],
      },
    },
  ]);
  await until(() => asked.length === 7);
  t.equal(asked[6], block('\x01B0\x03'), 'the meter is released');
  t.ok(engine.log.some(({ message }) => message === 'the meter refuses 9.9.9: ER01'));
  t.strictSame(errors(engine), []);
});
