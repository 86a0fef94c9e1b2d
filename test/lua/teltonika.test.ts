import t, { type Test } from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { hex, splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import type { Position } from '../support/tracker.js';
import { mutate, vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  hex?: string;
  stream_hex?: string;
  checksum?: { ok: boolean; length_field_ok: boolean };
  expect: {
    stated?: { first_frame_hex?: string };
    reference?: { decoded?: Position[] | null; ids?: string[]; replies: string[] };
  };
}

const all = vectors<Vector>('teltonika');
const teltonika = new ProtocolUnderTest('protocols.teltonika');
const KNOT = 1.852;
const DATA = all.filter(({ type }) => type.startsWith('codec-'));
const genuine = DATA.filter(({ checksum }) => checksum?.ok);

function comparePositions(t: Test, messages: Message[], { name, expect }: Vector): void {
  const wanted = expect.reference!.decoded ?? [];
  t.equal(messages.length, wanted.length, `${name}: records`);
  wanted.forEach((position, i) => {
    const message = messages[i]!;
    const label = `${name}, record ${i + 1}`;
    const near = (field: string, value: number, within: number) =>
      t.ok(
        Math.abs((message[field] as number) - value) <= within,
        `${label}: ${field} ${message[field]}, ${value}`,
      );
    const time = position.fixTime ?? position.deviceTime;
    if (time) near('time', Date.parse(time) / 1000, 1e-4);
    // `outdated` marks what carries no position: the reference then shows an older one.
    if (position.outdated) return;
    near('latitude', position.latitude, 1e-9);
    near('longitude', position.longitude, 1e-9);
    near('altitude', position.altitude, 0);
    near('speed', position.speed_knots * KNOT, 1e-3);
    near('course', position.course, 1e-9);
    t.equal(message.valid, position.valid, `${label}: valid`);
    const { sat, event, priority, operator, odometer } = position.attributes;
    t.equal(message.satellites, sat, label);
    t.equal(message.event, event, label);
    if (priority !== undefined) t.equal(message.priority, priority, label);
    if (Number(operator) >= 20_000)
      t.equal(`${message.mcc}${String(message.mnc).padStart(2, '0')}`, String(operator), label);
    t.equal(message.odometer, odometer, label);
  });
}

/** What the sources state and what follows from the lists of elements, in our names and units: the first record. */
const STATED: Record<string, object> = {
  'codec-8e #2': {
    tags: [
      { id: 'babbf3630055', rssi: -58, battery_voltage: 3.09 },
      { battery_voltage: 3.07 },
      { battery_voltage: 3.05 },
      { rssi: -55, battery_voltage: undefined },
      { id: 'cabbf3630055' },
    ],
  },
  'codec-8e #11': {
    eye_temperature1: -11.87,
    eye_humidity1: 73,
    pdop: 1.9,
    voltage: 12.458,
    battery_voltage: 4.023,
  },
  'codec-8e #3': {
    tags: [
      { rssi: -27, battery_voltage: 2.1 },
      { rssi: -80, battery_voltage: 2.08 },
    ],
  },
  'codec-8e #6': {
    ignition: false,
    battery: 87,
    axis_x: -27,
    ble_temperature1: 30,
    alarm: 'accident',
    mcc: 730,
  },
  'codec-8e #8': { vin: 'WV1ZZZ2EZ86015388', dtcs: ['P0299', 'P0675'], trip_odometer: 30, ignition: true },
  'codec-8e #10': { vin: '1A1JC5444R7252367', axis_z: 18 },
  'codec-10 #1': { alarm: 'hard_braking', ignition: true, lac: 20_161, cell: 7_603_371, battery: undefined },
  'codec-08 #4': { alarm: 'hard_acceleration', temperature1: undefined, axis_z: 70, voltage: 11.935 },
  'codec-08 #6': { input1: false, output1: false, ignition: false },
  'codec-0d #2': { type: 'command_response', text: '#GET DATAORD' },
  'codec-0c #1': {
    type: 'axle_loads',
    axles: [6.4, 4.2, 0, 0, 0, 0, 0, 0],
    load_truck: 1.3,
    load_trailer: 0,
    total_truck: 10.7,
    total_trailer: 0,
  },
  'codec-0c #3': { type: 'command_response', text: /^AT\$MSGSND=4,"STGB40,.*1,0"$/ },
  'codec-07 #2': {
    battery: 94,
    usb: false,
    hdop: 10.2,
    pdop: 10.3,
    uptime: 3300,
    input1: undefined,
    mcc: 246,
    mnc: 2,
    lac: 1,
    cell: 779,
  },
};

t.test('every packet decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of genuine) {
    for (const chunks of splits(unhex(vector.hex!), rng)) {
      const { messages, discarded, errors, replies } = teltonika.feed(chunks);
      t.strictSame([discarded, errors], [0, []], vector.name);
      comparePositions(t, messages, vector);
      if (messages[0]) t.match(messages[0], STATED[vector.name.slice(10)] ?? {}, vector.name);
      t.strictSame(replies, vector.expect.reference!.replies, vector.name);
    }
  }
  t.ok(genuine.length > 15);
});

t.test('an altered packet is discarded and counted; past the checksum it reads as before', async (t) => {
  const altered = DATA.filter(({ checksum }) => !checksum?.ok);
  for (const vector of altered) {
    const packet = unhex(vector.hex!);
    const { messages, discarded } = teltonika.feed([packet, ...Array(50).fill(null)]);
    t.strictSame(messages, [], vector.name);
    const keepAlives = packet.filter((byte) => byte === 0xff).length; // which a single ff always is
    t.ok(discarded >= packet.length - keepAlives && discarded <= packet.length, vector.name);
    if (vector.name.endsWith('0c #7')) continue; // a piece of a photograph that was not announced
    const past = teltonika.peer().decode(packet);
    comparePositions(t, past.messages, vector);
    t.match(past.messages[0], STATED[vector.name.slice(10)] ?? {}, vector.name);
    t.strictSame(past.replies, vector.expect.reference!.replies, vector.name);
  }
  t.ok(altered.length >= 4);
});

t.test('a session: login, keep-alives, data that says whose it is', async (t) => {
  const rng = random(t);
  const [login] = all.filter(({ type }) => type === 'login');
  const { hex: data, expect } = genuine.find(({ name }) => name.endsWith('08 #2'))!;
  for (const chunks of splits(unhex(`ff${login!.hex}ffff${data}`), rng)) {
    const { messages, replies, discarded } = teltonika.feed(chunks);
    t.equal(messages[0]!.type, 'login');
    t.ok(messages.every(({ device_id }) => device_id === '123456789012345'));
    t.strictSame([replies, discarded], [['01', ...expect.reference!.replies], 0]);
  }
  for (const { stream_hex, expect, type } of all) {
    if (type !== 'framing') continue;
    const framer = teltonika.protocol.createFramer(teltonika.peer(), 65_536, () => t.fail('nothing is lost'));
    framer.push(unhex(stream_hex!));
    t.equal(hex(framer.next()!), expect.stated!.first_frame_hex);
  }
  t.strictSame(teltonika.feed([unhex('000f313233343536373839303132333461')]).errors, ['no IMEI']);
});

t.test('datagrams', async (t) => {
  // The example of the Teltonika wiki.
  const datagram =
    '003dcafe0105000f33353230393330383634303336353508010000016b4f815b30010000000000000000000000000000000103021503010101425dbc000001';
  const { messages, replies } = teltonika.peer().decode(unhex(datagram));
  t.match(messages, [
    { device_id: '352093086403655', time: 1_560_407_006, valid: false, rssi: 3, voltage: 23.996 },
  ]);
  t.strictSame(replies, ['0005cafe010501']);
  t.strictSame(teltonika.peer().decode(unhex(datagram.slice(0, -20))).errors, ['record 1 of 1 is cut off']);
  t.strictSame(teltonika.peer().decode(unhex(`003dcafe0105ffff3335`)).errors, ['no IMEI']);
});

/** A data packet around what stands between length and checksum. */
function packet(data: string): Uint8Array {
  const body = unhex(data);
  const frame = Buffer.alloc(body.length + 12);
  frame.writeUInt32BE(body.length, 4);
  frame.set(body, 8);
  frame.writeUInt16BE(Number(crc('CRC-16/ARC').compute(body)), body.length + 10);
  return frame;
}

t.test('commands and their answers', async (t) => {
  const vector = all.find(({ type }) => type === 'encode')!;
  const peer = teltonika.peer();
  t.equal(peer.encode('{ type = "command", text = "setdigout 11" }'), vector.hex);
  t.match(peer.encode('{ type = "command", text = "getver", codec = 14 }'), /needs the device's IMEI/);
  peer.decode(unhex('000f333532303933303831343532323531'));
  // The example of the Teltonika wiki for codec 14.
  t.equal(
    peer.encode('{ type = "command", text = "getver", codec = 14 }'),
    '00000000000000160e01050000000e0352093081452251676574766572010000d2c1',
  );
  const version = hex(Buffer.from('Ver:03.18.14_04 '));
  t.match(peer.feed([packet(`0e0106000000180352093081452251${version}01`)]).messages, [
    { type: 'command_response', device_id: '352093081452251', text: 'Ver:03.18.14_04' },
  ]);
  t.match(peer.feed([packet('0e011100000008035209308145225101')]).messages, [{ refused: true }]);
  t.match(peer.feed([packet('0c010600000003ff000101')]).messages, [{ data_hex: 'ff0001' }]);
  t.match(
    peer.feed([packet('0f010b00000012 5e2bc4100123456789123456 48656c6c6f20 01'.replaceAll(' ', ''))])
      .messages,
    [{ time: 0x5e2bc410, text: 'Hello', serial_type: 11 }],
  );
  const longest = peer.encode('{ type = "command", text = ("x"):rep(1024) }');
  t.equal(unhex(longest).length, 1024 + 20);
  t.equal(peer.encode('{ type = "command", text = ("x"):rep(1025) }'), 'text must have 1 to 1024 bytes');
  t.equal(peer.encode('{ type = "command", text = "x", codec = 13 }'), 'codec must be 12 or 14');
  t.match(peer.encode('"text"'), /can encode/);
});

t.test('a photograph is fetched piece by piece', async (t) => {
  const peer = teltonika.peer();
  const announced = peer.feed([packet('0c010d0000000901000000070000080a01')]);
  t.match(announced.messages, [{ type: 'photo', photo_id: 7, size: 2058, next: 0 }]);
  const request = (from: string, size: string) => hex(packet(`0c010d0000000b0200000007${from}${size}01`));
  t.strictSame(announced.replies, [request('00000000', '0800')]);
  const first = peer.feed([packet(`0c010d0000080b0200000007000000000800${'ab'.repeat(2048)}01`)]);
  t.strictSame(first.replies, [request('00000800', '000a')]);
  const last = peer.feed([packet(`0c010d00000015020000000700000800000a${'cd'.repeat(10)}01`)]);
  t.match(last.messages, [{ photo_id: 7, offset: 2048, next: undefined }]);
  t.strictSame(last.replies, []);
});

t.test('what cannot be is absent, not invented', async (t) => {
  const record = (head: string) =>
    teltonika.feed([packet(`0801${head}0000000000000001`)]).messages[0] ?? t.fail('no record');
  const position = '00640168060000'; // altitude 100, course 360, 6 satellites, speed 0
  t.match(record(`0000016b4f815b30000f0ea850209a6900${position}`), {
    time: 1_560_407_006,
    longitude: 25.2618832,
    latitude: 54.6990336,
    course: 360,
    valid: true,
  });
  t.match(record(`0000000000000000000f0ea850209a6900${position}`), { time: undefined }, 'a clock not set');
  t.match(record(`ffffffffffffffff000f0ea850209a6900${position}`), { time: undefined }, 'no such time');
  t.match(record(`0000016b4f815b30007fffffff7fffffff${position}`), {
    latitude: undefined,
    longitude: undefined,
    valid: false,
  });
  t.match(record('0000016b4f815b30000f0ea850209a690000640169060000'), { course: undefined }, '361 degrees');
  t.match(teltonika.feed([packet('080000')]), { messages: [{ type: 'empty' }], replies: ['00000000'] });
  t.match(teltonika.feed([packet('0805000005')]).errors, ['record 1 of 5 is cut off']);
  t.match(teltonika.feed([packet('7701aabb01')]).errors, ['unknown codec 0x77']);
});

t.test('merged, truncated and damaged packets do not take good ones with them', async (t) => {
  const rng = random(t);
  const good = genuine
    .map(({ hex }) => unhex(hex!))
    .filter((frame) => teltonika.feed([frame]).messages.length > 0);
  for (let round = 0; round < 40; round++) {
    const [a, b, c] = [rng.pick(good), rng.pick(good), rng.pick(good)];
    const damaged = Uint8Array.from(b);
    // Not the upper half of the CRC's four bytes, which is always 0 and which nothing looks at.
    const at = rng.below(damaged.length - 10) + 8;
    damaged[at < damaged.length - 4 ? at : at + 2]! ^= 1 + rng.below(255);
    const noise = rng.bytes(rng.below(20)).map((byte) => 1 + (byte & 0x3f)); // no start in it
    const cut = c.subarray(0, rng.below(c.length));
    const name = [a, noise, damaged, c, cut].map(hex).join(' ');
    const chunks = rng.pick(splits(Buffer.concat([a, noise, damaged, c, cut]), rng));
    const { messages } = teltonika.feed([...chunks, ...Array(60).fill(null)]);
    t.strictSame(messages, [...teltonika.feed([a]).messages, ...teltonika.feed([c]).messages], name);
  }
});

t.test('mutated packets never raise', async (t) => {
  const rng = random(t);
  const packets = all.flatMap(({ hex }) => (hex && hex.length < 1000 ? [unhex(hex)] : []));
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(packets), rng);
    teltonika.feed([bytes, null]);
    teltonika.peer().decode(bytes); // past the checksum, which few mutations survive
    // Any codec on any body.
    if (bytes.length > 9) bytes[8] = rng.pick([7, 8, 0x8e, 16, 12, 13, 14, 15, rng.below(256)]);
    teltonika.peer().decode(bytes);
    teltonika
      .peer()
      .decode(Buffer.concat([unhex('0100cafe0105000f333532303933303836343033363535'), bytes.subarray(8)]));
  }
  t.comment(`${tried} packets`);
  t.ok(tried > 0);
});
