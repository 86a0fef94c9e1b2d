import t, { type Test } from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { hex, splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import type { Position as Decoded } from '../support/tracker.js';
import { mutate, vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  hex?: string;
  stream_hex?: string;
  expect: {
    stated?: { attributes?: Record<string, unknown>; first_frame_hex?: string };
    reference?: { ids?: string[]; decoded: Decoded | Decoded[] | null; replies: { text: string }[] };
  };
}

const all = vectors<Vector>('queclink');
const framed = all.flatMap(({ hex, ...rest }) => (hex ? [{ ...rest, hex, frame: unhex(hex) }] : []));
const queclink = new ProtocolUnderTest('protocols.queclink');
const KNOT = 1.852;
const text = (sentence: string) => queclink.feed([Buffer.from(`${sentence}$`)]);
const only = (sentence: string) => text(sentence).messages[0]!;

/** Where the reference reads the id from the wrong bytes: behind the missing version, and two bytes late. */
const OTHER_ID = new Set(['queclink RESP:GTTRI #1', 'queclink bin/INF #1']);

/** How we call what the sources assert. */
const NAMES: Record<string, string> = {
  batteryLevel: 'battery',
  power2: 'voltage2',
  accessoryVoltage: 'accessory_voltage',
  adBlueLevel: 'adblue_level',
  warningType: 'warning_type',
};
const VALUES: Record<string, unknown> = { hardCornering: 'hard_cornering', powerOff: 'power_off' };

function compare(t: Test, message: Message, decoded: Decoded, name: string): void {
  if (decoded.outdated) {
    // Bytes read two late give no date; and no fix leaves the reference with the report's time, or none.
    const time = Date.parse(decoded.deviceTime ?? '') / 1000;
    if (message.latitude === undefined && time > 0)
      t.equal(message.time, time, `${name}: time of the report`);
    return;
  }
  t.equal(message.time, Date.parse(decoded.fixTime!) / 1000, `${name}: time`);
  const near = (field: string, actual: unknown, wanted: number, within: number) =>
    t.ok(Math.abs((actual as number) - wanted) <= within, `${name}: ${field} ${actual} is ${wanted}`);
  near('latitude', message.latitude, decoded.latitude, 1e-9);
  near('longitude', message.longitude, decoded.longitude, 1e-9);
  near('altitude', message.altitude, decoded.altitude, 1e-9);
  near('speed', message.speed, decoded.speed_knots * KNOT, 1e-3);
  near('course', message.course, decoded.course, 1e-9);
  t.equal(message.valid, decoded.valid, `${name}: valid`);
}

/** What follows from the protocol beyond what the sources state. */
const MORE: Record<string, object> = {
  'RESP:GTFRI #8': { battery: 85, rssi: 3, motion: true, charging: false, mcc: 460, cell: 0xdae },
  'RESP:GTFRI #10': { battery: 85, rssi: 24, motion: true, last_known: true },
  'RESP:GTFRI #15': { voltage: 14.827, odometer: 15_989_500, engine_hours: 1070.7202777777777, adc1: 0.013 },
  'RESP:GTFRI #23': { vin: '1G1JC5444R7252367', rpm: 791, fuel: 56, battery: 100, ignition: true },
  'RESP:GTFRI #25': { adc2: 0.092, battery: 80, input: 1, output: 0, fuel: 50 },
  'RESP:GTFRI #31': { battery: 79, mcc: 282, lac: 0xf080 },
  'RESP:GTERI #4': { tags: [{ id: '7805414BA78A', temperature: 24, humidity: 33, battery: 100 }] },
  'RESP:GTERI #9': { satellites: 12, odometer: 21_100, adc1: 1.93, adc2: 1.917 },
  'RESP:GTERI #14': { battery: 3, tags: [{ temperature: 21.81, humidity: 43 }] },
  'RESP:GTERI #17': { input: 1, sensors: [{ temperature: -1.875 }, { temperature: -3.5 }] },
  'RESP:GTERI #2': { battery: 27, model: 'GL320M' },
  'BUFF:GTERI #4': { buffered: true, fuel: 153 },
  'RESP:GTHBM #3': { alarm: 'hard_braking', odometer: 2_000_000 },
  'BUFF:GTCAN #1': { vin: 'YS2K4X20001928588', fuel: 94.8, driver1_card: 'E E05653940B000003' },
  'RESP:GTCAN #11': { valid: false, range: 181_000, coolant_temperature: 77, ignition: true },
  'RESP:GTINF #4': { voltage2: 0.001, battery_voltage: 4.4, iccid: '8959301000648637556f' },
  'RESP:GTINF #14': { battery: 69, temperature: 44, charging: true, type: 'information' },
  'RESP:GTLBS #1': { battery: 92, cells: [{ rssi: 18 }, { rssi: 15 }, { rssi: 13 }, { cell: 0xd071 }] },
  'RESP:GTGSM #1': { cells: Array(6).fill({ mcc: 234, mnc: 15, lac: 58 }) },
  'RESP:GTWIF #1': { wifi: [{ mac: 'c413e200ff14', rssi: -39 }, {}, {}, { rssi: -57 }], battery: 100 },
  'RESP:GTDIS #1': { in2: true },
  'RESP:GTTSW #1': { in2: false },
  'RESP:GTIDA #1': { driver_id: '01C68011010000C7', odometer: 34_900 },
  'RESP:GTDTT #1': { fuel: 94 },
  'RESP:GTTRI #1': { device_id: '862370030005908' },
  'RESP:GTVER #1': { firmware: 0x0a03, hardware: 0x0103, device_type: 'GL300' },
  'ACK:GTRTO #1': { type: 'command_response', command: 'RTO', serial: 'FFFF' },
  'bin/EVT #1': {
    imei: '865084030003675',
    battery: 100,
    voltage: 14.328,
    satellites: 7,
    ignition: true,
    mcc: 268,
  },
  'bin/RSP #2': { name: 'gb100-Do', satellites: 5, mcc: 460, lac: 6263 },
  'bin/INF #1': { name: 'gb100', firmware: 0x0209 },
  'bin/ACK #1': { type: 'command_response', serial: 65_535, count: '054D' },
};

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, frame, expect } of framed) {
    for (const chunks of splits(frame, rng)) {
      // Some sources leave out the last "$".
      const { messages, discarded, errors } = queclink.feed([...chunks, null]);
      t.strictSame([discarded, errors], [0, []], name);
      const { decoded, ids } = expect.reference!;
      const each = decoded === null ? [] : Array.isArray(decoded) ? decoded : [decoded];
      t.equal(messages.length, each.length || 1, name);
      for (const [i, item] of each.entries()) compare(t, messages[i]!, item, name);
      for (const message of messages)
        if (ids && !OTHER_ID.has(name)) t.equal(message.device_id, ids[0], name);
      const last = messages.at(-1)!;
      for (const [key, value] of Object.entries(expect.stated?.attributes ?? {}))
        t.strictSame(last[NAMES[key] ?? key] ?? null, VALUES[value as string] ?? value, `${name}: ${key}`);
      t.match(last, MORE[name.slice(9)] ?? {}, name);
    }
  }
  t.equal(framed.length, 117);
});

t.test('heartbeats are acknowledged, in text and in HEX', async (t) => {
  for (const { name, frame, expect } of framed) {
    const replies = queclink.feed([frame, null]).replies.map((reply) => unhex(reply).toString());
    t.strictSame(
      replies,
      expect.reference!.replies.map(({ text }) => text),
      name,
    );
  }
  // The example of the GV200 manual.
  const { messages, replies } = queclink.feed([
    unhex('2b484244eb1e010c01235c1f0343231b0007dc011e092026000de29c0d0a'),
  ]);
  t.match(messages, [{ type: 'heartbeat', imei: '359231036735270', firmware: 0x0c01, count: '000D' }]);
  t.equal(messages[0]!.time, Date.UTC(2012, 0, 30, 9, 32, 38) / 1000);
  t.strictSame(
    replies.map((reply) => unhex(reply).toString()),
    ['+SACK:GTHBD,,000D$'],
  );
});

t.test('the HEX form of other models, by its mask', async (t) => {
  // GV200, from its manual: analog inputs, digital inputs and outputs, no percentage.
  const { messages } = queclink.feed([
    unhex(
      '2b5253500bffffffbf00680104020c01235c1f0343231b0000000000000000000c0041180001010000000000000f073c468f01db' +
        '89bf07dc011e0a081d04600000187808730000000000000000000000000000000000000000000007dc011e0a081e00225d1a0d0a',
    ),
  ]);
  t.match(messages, [
    { imei: '359231036735270', latitude: 31.164863, longitude: 121.390735, altitude: 15, input: 12 },
  ]);
  t.match(messages[0], { valid: true, satellites: 24, course: 0, mcc: 460, lac: 0x1878, cell: 0x873 });
});

t.test('positions of one second each', async (t) => {
  const bits = (...parts: [value: number, count: number][]) =>
    BigInt(
      `0b${parts.map(([value, count]) => (value & (2 ** count - 1)).toString(2).padStart(count, '0')).join('')}`,
    )
      .toString(16)
      .padStart(Math.ceil(parts.reduce((sum, [, count]) => sum + count, 0) / 8) * 2, '0');
  const whole = `${bits([1, 2], [1, 1], [505, 12], [90, 9])}073c468f01db89bf5f179da0`;
  const next = bits([2, 2], [1, 1], [-5, 7], [3, 7], [-100, 12], [200, 11]);
  const head = '6400fc1fff0000450102020867623130302d446f642f4421050004';
  const body = unhex(`2b525350${head}${whole}${next}00${next}07e106130b2b100342`);
  const frame = Buffer.concat([body, unhex('00000d0a')]);
  frame.writeUInt16BE(frame.length, 9);
  frame.writeUInt16BE(Number(crc('CRC-16/IBM-3740').compute(frame, 4, frame.length - 4)), frame.length - 4);
  const { messages, errors, discarded } = queclink.feed([frame]);
  t.strictSame([errors, discarded], [[], 0]);
  t.match(messages, [
    {
      name: 'gb100-Do',
      time: 0x5f179da0,
      speed: 50.5,
      course: 90,
      latitude: 31.164863,
      longitude: 121.390735,
    },
    { time: 0x5f179da1, speed: 50, course: 93, latitude: 31.165063, longitude: 121.390635 },
    { time: 0x5f179da3, speed: 49.5, course: 96, latitude: 31.165263, valid: true, battery: 100 },
  ]);
});

t.test('records of the later form', async (t) => {
  // The examples of the GL601 manual.
  const report = unhex(
    '2b00004e0001234567890123450000001b00003764f9aaf600000300020b4d79496f5464657669636551' +
      '0f09073c46ff01db88575f179da0017d550e0604bc8a0010000210001 00c130301234f24'.replace(' ', ''),
  );
  t.match(queclink.feed([report]), {
    discarded: 0,
    errors: [],
    messages: [
      {
        device_id: '123456789012345',
        latitude: 31.164503,
        longitude: 121.390847,
        time: 0x5f179da0,
        speed: 38.1,
        valid: true,
        items: { '02': hex(Buffer.from('MyIoTdevice')) },
      },
    ],
  });
  const heartbeat = unhex('2b1018012345678901234580010007005e362f5a10f21424');
  t.match(queclink.feed([heartbeat]).messages, [
    { type: 'heartbeat', device_id: '123456789012345', time: 0x5e362f5a, count: '10F2' },
  ]);
});

t.test('streams: text and HEX together, noise, damage, missing ends', async (t) => {
  const rng = random(t);
  const good = framed.filter(({ type, hex }) => /^(RESP|BUFF|bin)/.test(type) && /(24|0d0a)$/.test(hex));
  for (let round = 0; round < 40; round++) {
    const [a, b] = [rng.pick(good).frame, rng.pick(good).frame];
    // A sentence ends with the next "$": what HEX comes before it goes with a sentence that lacks its own.
    const c = rng.pick(good.filter(({ type }) => b.at(-1) !== 0x24 || !type.startsWith('bin'))).frame;
    const noise = rng.bytes(rng.below(20)).map((byte) => byte | 0x80);
    // A text frame without its end takes nothing along, a HEX frame that is damaged neither.
    const damaged = Buffer.from(b);
    if (b.at(-1) === 0x24) damaged.fill(0x2a, b.length - 8);
    else damaged[20]! ^= 1;
    const stream = Buffer.concat([a, noise, damaged, noise, c]);
    const chunks = rng.pick(splits(stream, rng));
    const { messages } = queclink.feed([...chunks, null, null]);
    t.strictSame(
      messages,
      [a, c].flatMap((frame) => queclink.feed([frame]).messages),
      hex(stream),
    );
  }
  for (const { name, type, stream_hex } of all) {
    if (type !== 'framing') continue;
    t.match(queclink.feed([unhex(stream_hex!)]), { messages: { length: 1 }, discarded: 0 }, name);
  }
});

t.test('a wrong checksum is discarded and counted', async (t) => {
  for (const { name, type, frame } of framed) {
    if (!type.startsWith('bin')) continue;
    const bad = Buffer.from(frame);
    bad[bad.length - 8]! ^= 0x10;
    const { messages, discarded, reasons } = queclink.feed([bad]);
    t.strictSame([messages, discarded, reasons[0]], [[], bad.length, 'checksum'], name);
  }
});

t.test('sentences end with "$", a zero, or nothing', async (t) => {
  const sentence = '+RESP:GTPNA,710402,867292060140006,,2,20250516120427,0121';
  const feed = (stream: string) => queclink.feed([Buffer.from(stream), null]);
  t.equal(feed(`${sentence}$${sentence}$`).messages.length, 2);
  t.equal(feed(`${sentence}\0${sentence}\0`).messages.length, 2);
  t.equal(feed(`${sentence}\r\n`).errors.length + feed(`${sentence}`).messages.length, 2);
  t.match(feed(`${sentence.slice(0, 40)}${sentence}$`), { messages: [{ alarm: 'power_on' }], errors: [] });
  t.match(feed(sentence.slice(0, 50)), { messages: [], errors: ['truncated: no count at the end'] });
  t.equal(queclink.peer().decode(Buffer.from(`${sentence}$${sentence}$`)).messages.length, 2, 'a datagram');
});

t.test('what cannot be is absent, not invented', async (t) => {
  const report = (location: string, tail = '0460,0000,18d8,6141,00,2000.0,20090214093254,11F0') =>
    only(`+RESP:GTTOW,060100,135790246811220,,,10,1,${location},${tail}`);
  t.match(report('1,4.3,92,70.0,121.354335,31.222073,20090214013254'), { latitude: 31.222073, course: 92 });
  t.match(report('1,4.3,92,70.0,121.354335,31.222073,20090230013254'), {
    latitude: 31.222073,
    time: undefined,
  });
  t.match(report('1,4.3,92,70.0,181.354335,31.222073,20090214013254'), {
    latitude: undefined,
    longitude: undefined,
    valid: false,
  });
  t.match(report('1,4.3,400,70.0,121.354335,31.222073,20090214013254').course, undefined);
  t.match(report(',,,,121.354335,31.222073,20090214013254'), {
    speed: undefined,
    course: undefined,
    valid: true,
  });
  t.match(report('0,,,,,,'), { latitude: undefined, valid: undefined, time: 1234603974, cell: 0x6141 });
  t.equal(report('0,,,,,,', '0000,0000,0000,0000,00,2000.0,20090214093254,11F0').cell, undefined);
  t.match(text('+RESP:GTFRI,060100,135790,,,00,1').errors, [/truncated/]);
  t.match(text('+RESP:GTFRI,060100,135790,,,20090214093254,11F0').errors, ['no IMEI']);
});

t.test('ignition, fences, inputs', async (t) => {
  const fix = '1,4.3,92,70.0,121.354335,31.222073,20090214013254,0460,0000,18d8,6141,00,2000.0';
  const event = (kind: string, head: string) =>
    only(`+RESP:GT${kind},060100,135790246811220,,${head},${fix},20090214093254,11F0`);
  t.match(event('IGL', ',00,1'), { ignition: true });
  t.match(event('IGL', ',01,1'), { ignition: false });
  t.match(event('IGN', '30'), { ignition: true, duration: 30 });
  t.match(event('VGF', '30'), { ignition: false });
  t.match(event('GEO', ',01,1'), { alarm: 'geofence_enter', type: 'alarm', odometer: 2_000_000 });
  t.match(event('GEO', '0,0,1'), { alarm: 'geofence_exit' });
  t.match(event('NMR', '0,1,1'), { motion: true });
  t.match(event('DIS', '1,1,1'), { in1: true });
  t.match(event('HBM', ',11,1'), { alarm: 'hard_acceleration' });
  t.match(event('SPD', ',10,1'), { alarm: 'overspeed' });
  t.match(event('DAR', '1,3,,'), { alarm: 'fatigue_driving', fatigue_degree: 3 });
  t.match(event('XYZ', ',10,1'), { type: 'location', report: 'XYZ', odometer: 2_000_000 });
});

t.test('commands and acknowledgements', async (t) => {
  const encode = (source: string) => queclink.peer().encode(source);
  const sent = (source: string) => unhex(encode(source)).toString();
  t.equal(sent('{ type = "command", text = "AT+GTRTO=gl200,0,,,,,,FFFF$" }'), 'AT+GTRTO=gl200,0,,,,,,FFFF$');
  t.equal(sent('{ type = "command", text = "AT+GTRTO=gl200,0,,,,,,FFFF" }'), 'AT+GTRTO=gl200,0,,,,,,FFFF$');
  t.equal(sent('{ type = "acknowledgement", count = "11F0" }'), '+SACK:11F0$');
  t.match(encode('{ type = "acknowledgement", count = 7 }'), /count must be/);
  t.match(encode('{ type = "command", text = "AT+A$AT+B$" }'), /text must be one command/);
  t.match(encode('{ type = "command", text = "AT+GT" .. ("x"):rep(2000) }'), /up to 1024 bytes/);
  t.match(encode('{ type = "login" }'), /can encode/);
  t.match(encode('"text"'), /a message is a table/);
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const { frame } = rng.pick(framed);
    const bytes = mutate(frame, rng);
    queclink.feed([bytes, null]);
    queclink.peer().decode(bytes); // past the checksum
    const fields = frame.toString('latin1').split(',');
    fields[3 + rng.below(fields.length)] = rng.pick(['', 'FFFFFFFF', '99', '0.0', '-', fields[4] ?? '']);
    queclink.peer().decode(Buffer.from(fields.join(','), 'latin1'));
    // Any message type in a HEX frame, any mask.
    if (bytes.length > 12 && bytes[3] !== 0x53) {
      for (let i = 4; i < 9; i++) bytes[i] = rng.below(256);
      queclink.peer().decode(bytes);
    }
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});
