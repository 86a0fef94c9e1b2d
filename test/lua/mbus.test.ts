import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { startTestEngine, until } from '../support/engine.js';
import { splits, unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

interface Read {
  slave?: { Id: string; Manufacturer: string; Version: string; AccessNumber: string; Status: string };
  records?: {
    Function: string;
    StorageNumber?: string;
    Tariff?: string;
    Device?: string;
    Unit?: string;
    Value?: string;
  }[];
}

interface Vector {
  name: string;
  type: string;
  hex: string;
  expect: { stated: { normalised?: Read; raw?: Read & { Error?: string } } };
}

interface Value {
  name: string;
  value?: number | string;
  unit?: string;
  storage?: number;
  tariff?: number;
  subunit?: number;
  statistic?: string;
  qualifiers?: string[];
}

const all = vectors<Vector>('mbus');
const good = all.filter(({ type }) => type.startsWith('ci-'));
const frames = good.map(({ hex }) => unhex(hex));
const mbus = new ProtocolUnderTest('protocols.mbus');

const STATISTICS: Record<string, string | undefined> = {
  'Instantaneous value': undefined,
  'Actual value': undefined,
  'Maximum value': 'maximum',
  'Minimum value': 'minimum',
  'Value during error state': 'error',
};
const UNITS: Record<string, string> = {
  'm^3': 'm3',
  'm^3/h': 'm3/h',
  'Units for H.C.A.': '',
  'Â°C': '°C',
  '-': '',
  None: '',
};
/** Dates that are none. */
const NO_DATE = new Set(['1900-01-00T00:00:00Z', '2000-00-00', '2027-01-01T00:00:00Z']);

function compareValue(
  t: Test,
  value: Value,
  stated: NonNullable<Read['records']>[number],
  name: string,
): void {
  t.equal(value.statistic, STATISTICS[stated.Function], `${name}: statistic`);
  for (const [actual, wanted] of [
    [value.storage, stated.StorageNumber],
    [value.tariff, stated.Tariff],
    [value.subunit, stated.Device],
  ])
    t.equal(actual ?? 0, Number(wanted ?? 0), name);
  const text = stated.Value ?? '';
  if (NO_DATE.has(text)) t.equal(value.value, undefined, `${name}: ${text}`);
  else if (/^\d{4}-\d\d-\d\d/.test(text)) t.equal(value.value, text.replace('Z', ''), name);
  else if (typeof value.value === 'number') {
    const wanted = Number(text);
    t.ok(
      Math.abs(value.value - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)),
      `${name}: ${value.value} is ${text}`,
    );
    // The source takes how long a limit was exceeded for the flow itself.
    if (value.qualifiers?.some((text) => text.endsWith('_duration'))) t.equal(value.unit, 's', name);
    else if (stated.Unit !== undefined) t.equal(value.unit ?? '', UNITS[stated.Unit] ?? stated.Unit, name);
  } else t.equal(value.value, text, name);
}

function compare(t: Test, message: Message, { stated }: Vector['expect'], name: string): void {
  const { slave, records } = (stated.normalised ?? stated.raw)!;
  t.equal(message.device_id, slave!.Id.padStart(8, '0'), `${name}: device`);
  t.equal(message.access_number, Number(slave!.AccessNumber), name);
  t.equal(message.status, Number.parseInt(slave!.Status, 16), name);
  if (slave!.Version !== undefined) {
    t.equal(message.manufacturer, slave!.Manufacturer, `${name}: manufacturer`);
    t.equal(message.version, Number(slave!.Version), name);
  }
  const raws = stated.raw!.records!;
  const isData = (raw: { Function: string }) => raw.Function in STATISTICS;
  const values = message.values as Value[];
  t.equal(values.length, raws.filter(isData).length, `${name}: values`);
  records!.forEach((record, i) => {
    const raw = raws[i]!;
    if (!isData(raw)) {
      t.equal(message.manufacturer_data ?? '', raw.Value!.replaceAll(' ', '').toLowerCase(), name);
      t.equal(message.more_records ?? false, raw.Function === 'More records follow', name);
    } else if (values[i]!.qualifiers?.includes('last_end')) {
      // The date of a maximum, which the source takes for the maximum.
      t.match(values[i]!.value ?? '0', raw.Value === '0' ? '0' : /^2011-08-\d\dT/, name);
    } else if (raw.Unit === 'reserved but historic') {
      t.match(values[i], { name: 'volume', unit: 'l', value: Number(raw.Value), storage: 1 }, name);
    } else if (record.Unit === undefined && record.Value === undefined) {
      t.match(values[i], { name: 'unknown', value: Number(raw.Value) }, name);
    } else compareValue(t, values[i]!, record.Unit === undefined ? raw : record, name);
  });
}

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, expect } of good) {
    for (const chunks of splits(unhex(hex), rng)) {
      const { messages, errors, discarded } = mbus.feed(chunks);
      t.strictSame([errors, discarded, messages.length], [[], 0, 1], name);
      compare(t, messages[0]!, expect, name);
    }
  }
  t.ok(good.length >= 36);
});

t.test('errors a meter tells, and telegrams that break off', async (t) => {
  for (const { name, type, hex, expect } of all) {
    if (type !== 'error-frames') continue;
    const { messages, errors } = mbus.feed([unhex(hex)]);
    if (expect.stated.raw) t.match(messages, [{ type: 'error', address: 1, error: String }], name);
    else t.match({ messages, errors }, { messages: [], errors: [/^record \d ends within/] }, name);
  }
  const of = (name: string) => mbus.feed([unhex(all.find((vector) => vector.name.endsWith(name))!.hex)]);
  t.match(of('application_busy').messages, [{ code: 8, error: 'application busy' }]);
  t.match(of('error-frames error').messages, [{ code: 0, error: 'unspecified error' }]);
  t.match(of('invalid_length'), { messages: [], discarded: 6, reasons: ['malformed'] });
  t.match(of('manual_frame1').messages, []);
  t.match(of('manual_frame5').messages, [
    {
      type: 'send_data',
      address: 254,
      values: [
        { name: 'identification', value: '01020304', manufacturer: 'PAD', version: 1, medium: 'heat' },
      ],
    },
  ]);
  t.match(of('svm_f22_telegram2').messages, [{ values: [], more_records: true, device_id: '01006089' }]);
});

/** A long frame around C, A, CI and what follows. */
const long = (content: string) => {
  const bytes = unhex(content);
  const sum = bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  return Buffer.from([0x68, bytes.length, bytes.length, 0x68, ...bytes, sum, 0x16]);
};
const HEADER = '78563412241101075500';
/** A response with these records. */
const response = (records: string, configuration = '0000', address = '01') =>
  long(`08${address}72${HEADER}${configuration}${records}`);

function firstOf(records: string): Message {
  const { messages, errors } = mbus.feed([response(records)]);
  if (errors[0]) return { error: errors[0] };
  return (messages[0]!.values as Message[])[0]!;
}

t.test('every coding of data', async (t) => {
  for (const [records, value] of [
    ['0113ff', -0.001],
    ['0213ffff', -0.001],
    ['0313ffff7f', 8388.607],
    ['0413ffffffff', -0.001],
    ['05130000c03f', 0.0015],
    ['0613000000000080', -140737488355.328],
    ['0716ffffffffffff0f00', 4503599627370495],
    ['091612', 12],
    ['0a163412', 1234],
    ['0b16563412', 123456],
    ['0c1678563412', 12345678],
    ['0c16785634f2', -2345678],
    ['0e16129078563412', 123456789012],
    ['0dfd0c03434241', 'ABC'],
    ['0dfd0c02fc41', 'Aü'],
    ['0d16c23412', 1234],
    ['0d16d23412', -1234],
    ['0d16e2ffff', -1],
    [`0d16f0${'01'.repeat(16)}`, '01'.repeat(16)],
    ['0016', undefined],
    ['0816', undefined],
    ['0c16eeeeeeee', undefined],
    ['05130000807f', undefined],
    ['04fd17ffffffff', 4294967295],
    ['046dffffffff', undefined],
    ['036d3b3b17', '23:59:59'],
    ['066d3b3b177f1f00', undefined],
    ['066d0a140c4f2300', '2018-03-15T12:20:10'],
    ['026c5f1c', '2010-12-31'],
    ['026c7e12', undefined],
  ] as const)
    t.equal(firstOf(records).value, value, records);
});

t.test('what a value is, and what is said about it', async (t) => {
  const rows: [records: string, expected: object][] = [
    ['01fb0001', { name: 'energy', unit: 'Wh', value: 100_000 }],
    ['01fb0801', { name: 'energy', unit: 'J', value: 1e8 }],
    ['01fb1a37', { name: 'relative_humidity', unit: '%', value: 5.5 }],
    ['02fb2e8813', { name: 'frequency', unit: 'Hz', value: 500 }],
    ['02fdc8ff01fc08', { name: 'voltage', unit: 'V', value: 230, vife: '01' }],
    ['01fd6c01', { name: 'battery_operating_time', unit: 's', value: 3600 }],
    ['01fd7101', { name: 'rf_level', unit: 'dBm', value: 1 }],
    ['01937005', { name: 'volume', unit: 'm3', value: 5e-9 }],
    ['01937d05', { name: 'volume', unit: 'm3', value: 5 }],
    ['01a5790a', { name: 'operating_time', unit: 's', value: 600.6 }],
    ['01933c05', { name: 'volume', qualifiers: ['negative_only'] }],
    ['01abfc0105', { name: 'power', unit: 'W', value: 5, qualifiers: ['l1'] }],
    ['01ab5805', { name: 'power', unit: 's', value: 5, qualifiers: ['first_upper_limit_duration'] }],
    ['01ab4905', { name: 'power', value: 5, unit: undefined, qualifiers: ['upper_limit_exceeded'] }],
    ['02ab6f5f1c', { name: 'power', value: '2010-12-31', qualifiers: ['last_end'] }],
    ['01931500', { name: 'volume', value: undefined, problem: 'no data available' }],
    ['01aa1105', { name: 'power', qualifiers: ['vife_11'] }],
    ['01fc026c747405', { name: 'tl', value: 0.05, qualifiers: undefined }],
    ['01fc22026c6d05', { name: 'ml', value: 5, qualifiers: ['per_hour'] }],
    ['01fc2209', { error: 'record 1 ends within the text of its VIF' }],
    ['01ef0105', { name: 'unknown', vif: 'ef01' }],
    ['01ff8a0105', { name: 'manufacturer_specific', vif: 'ff8a01', vife: '8a01' }],
    ['81808080808080808080011301', { storage: 2 ** 37 }],
    [`01ff${'8'.repeat(20)}0105`, { error: 'record 1 more than 10 VIFEs' }],
    [`81${'80'.repeat(11)}0105`, { error: 'record 1 more than 10 DIFEs' }],
    ['3f', { error: 'record 1: reserved DIF 0x3f' }],
    ['0d16f700', { error: 'record 1 data of reserved length 0xf7' }],
    ['0d16', { error: 'record 1 ends before the length of its data' }],
    ['01', { error: 'record 1 ends before its VIF' }],
    ['0193', { error: 'record 1 ends within its VIFEs' }],
  ];
  for (const [records, expected] of rows) t.match(firstOf(records), expected, records);
});

t.test('headers, alarms, encryption, other control information', async (t) => {
  const read = (content: string) => mbus.feed([long(content)]).messages[0];
  t.match(read('08017a55000000011305'), { type: 'data', access_number: 0x55, values: [{ value: 0.005 }] });
  t.equal(read('08017a55000000011305')!.device_id, undefined);
  t.match(read('080178011305'), { type: 'data', values: [{ value: 0.005 }] });
  t.match(read('08017104'), { type: 'alarm', alarm: 4 });
  t.match(read(`080175${HEADER}000002`), { type: 'alarm', device_id: '12345678', alarm: 2 });
  t.match(read('0801b0ff'), { type: 'unknown', control_information: 0xb0, data_hex: 'ff' });
  const secret = mbus.feed([response('0102030405060708090a0b0c0d0e0f10', '1005')]).messages[0];
  t.match(secret, { encrypted: true, data_hex: '0102030405060708090a0b0c0d0e0f10', device_id: '12345678' });
  t.equal(secret!.values, undefined, 'no values out of noise');
  t.match(
    mbus.feed([response('2f2f011305', '1005')]).messages,
    [{ values: [{ value: 0.005 }] }],
    'deciphered already',
  );
  t.match(mbus.feed([long('08017255')]).errors, ['too short for its header']);
  t.match(mbus.feed([long('0801737856')]).errors, ['too short for fixed data']);
  t.match(
    read('080173785634120a03d37f01000000ffffffff'),
    {
      medium: 'water',
      values: [
        { name: 'energy', unit: 'GJ', value: 100, storage: 1 },
        { name: 'dimensionless', value: -1, storage: 1 },
      ],
    },
    'fixed data: binary counters, taken at a fixed date',
  );
});

t.test('requests, and the frame count bit', async (t) => {
  const peer = mbus.peer();
  const req = '{ type = "req_ud2", address = 5 }';
  const answer = () => peer.feed([response('1f', '0000', '05')]);
  t.equal(peer.encode('{ type = "snd_nke", address = 5 }'), '1040054516');
  t.equal(peer.encode(req), '107b058016');
  t.equal(peer.encode(req), '107b058016', 'no answer came: the same again');
  peer.feed([response('1f', '0000', '04')]);
  t.equal(peer.encode(req), '107b058016', 'another meter answered');
  answer();
  t.equal(peer.encode(req), '105b056016', 'the next telegram');
  answer();
  t.equal(peer.encode(req), '107b058016');
  t.equal(peer.encode('{ type = "req_ud2", address = 6 }'), '107b068116', 'each address counts for itself');
  t.equal(peer.encode('{ type = "req_ud1", address = 5, fcb = false }'), '105a055f16');
  t.equal(
    peer.encode('{ type = "select", device_id = "12345678", manufacturer = "PAD", version = 1, medium = 7 }'),
    long('53fd527856341224400107').toString('hex'),
  );
  t.equal(
    peer.encode('{ type = "select" }'),
    long('53fd52ffffffffffffffff').toString('hex'),
    'whoever there is',
  );
  t.equal(peer.encode('{ type = "req_ud2", address = 253 }'), '107bfd7816');
  t.equal(
    peer.encode('{ type = "set_address", address = 7, new_address = 9 }'),
    long('730751017a09').toString('hex'),
  );
  peer.feed([unhex('e5')]);
  t.equal(
    peer.encode('{ type = "reset_application", address = 7, code = 0x10 }'),
    long('53075010').toString('hex'),
  );
  t.equal(
    peer.encode('{ type = "set_baud_rate", address = 255, baud_rate = 9600 }'),
    long('53ffbd').toString('hex'),
  );
  t.equal(peer.encode('{ type = "synchronise", address = 255 }'), long('53ff54').toString('hex'));
  t.equal(
    peer.encode('{ type = "send_data", address = 1, data = "\\x04\\x13" }'),
    long('7301510413').toString('hex'),
  );
  for (const [source, error] of [
    ['"x"', /^type must be snd_nke/],
    ['{ type = "req_ud2" }', 'address must be a whole number from 0 to 254'],
    ['{ type = "select", device_id = "1234" }', /^device_id must be 8 digits/],
    ['{ type = "select", manufacturer = "pad" }', /^manufacturer must be/],
    ['{ type = "send_data", address = 1 }', /^data must be a string of up to 252 bytes/],
    ['{ type = "set_baud_rate", address = 1, baud_rate = 1 }', /^baud_rate must be 300/],
  ] as const)
    t.match(peer.encode(source), error);
});

t.test('what others say on the same line', async (t) => {
  const read = (hex: string) => mbus.feed([unhex(hex)]).messages;
  t.match(read('e5'), [{ type: 'ack' }]);
  t.match(read('1040054516'), [{ type: 'snd_nke', address: 5, fcb: undefined }]);
  t.match(read('107b058016105b056016'), [
    { type: 'req_ud2', address: 5, fcb: true },
    { type: 'req_ud2', address: 5, fcb: false },
  ]);
  t.match(read(long('53fd527856341224400107').toString('hex')), [
    { type: 'select', address: 253, device_id: '12345678', manufacturer: 'PAD', medium: 'water' },
  ]);
  t.match(read(long('53ffbd').toString('hex')), [{ type: 'set_baud_rate', baud_rate: 9600 }]);
});

t.test('merged, truncated and damaged frames do not take good ones with them', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 30; round++) {
    const [a, b, c] = [rng.pick(frames), rng.pick(frames), rng.pick(frames)];
    const damaged = Uint8Array.from(b);
    damaged[4 + rng.below(b.length - 6)]! ^= 1 << rng.below(8);
    const noise = rng.bytes(rng.below(20)).map((byte) => byte & 0x0f);
    const cut = c.subarray(0, rng.below(20)).map((byte) => (byte === 0xe5 ? 0 : byte));
    const stream = Buffer.concat([noise, a, damaged, noise, c, cut]);
    const { messages, discarded } = mbus.feed([
      ...rng.pick(splits(stream, rng)),
      ...Array<null>(20).fill(null),
    ]);
    t.strictSame(messages, [...mbus.feed([a]).messages, ...mbus.feed([c]).messages]);
    t.equal(discarded, stream.length - a.length - c.length);
  }
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const until = Date.now() + 1000;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(frames), rng);
    mbus.feed([bytes, null]);
    mbus.peer().decode(bytes); // past the checksum, which few mutations survive
    if (bytes.length > 6) bytes[6] = rng.below(256);
    mbus.peer().decode(bytes);
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});

t.test('entry.mbus: meters are read in turn, a silent one holds up nobody', async (t) => {
  const telegrams = [response('0413010000001f'), response('041302000000')];
  const second = response('041303000000', '0000', '02');
  const asked: string[] = [];
  const bus = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const message of mbus.feed([bytes]).messages) {
        asked.push(`${message.type} ${message.address} ${message.fcb ?? ''}`.trim());
        // Meter 1 is away; meter 2 has one telegram; the selected one has two, told apart by the frame count bit.
        if (message.address === 1) continue;
        if (message.type !== 'req_ud2') socket.write(unhex('e5'));
        else if (message.address === 2) socket.write(Buffer.concat([telegrams[0]!, second]));
        else socket.write(telegrams[message.fcb ? 0 : 1]!);
      }
    });
  });
  bus.listen(0, '127.0.0.1');
  await once(bus, 'listening');
  t.teardown(() => bus.close());
  const engine = await startTestEngine(
    library,
    `links:
  - name: meters
    tcp: { host: 127.0.0.1, port: ${(bus.address() as { port: number }).port} }
    entry: entry.mbus.lua
    options: { meters: "1,2,12345678", patience: 0.1 }`,
  );
  t.teardown(() => engine.stop());
  await until(() => engine.reports.length >= 3);
  t.match(engine.reports, [
    { deviceId: '12345678', values: { values: [{ name: 'volume', unit: 'm3', value: 0.003 }] } },
    { deviceId: '12345678', values: { values: [{ value: 0.001 }] } },
    { deviceId: '12345678', values: { values: [{ value: 0.002 }] } },
  ]);
  t.strictSame(asked, [
    'snd_nke 1',
    // With these its breaker has seen three failures: it is not asked a third time.
    ...Array(2).fill('req_ud2 1 true'),
    'snd_nke 2',
    'req_ud2 2 true',
    'snd_nke 253',
    'select 253',
    'req_ud2 253 true',
    'req_ud2 253 false',
  ]);
  t.ok(engine.log.some(({ message }) => /^meter 1: timeout/.test(message)));
});
