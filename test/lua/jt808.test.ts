import t, { type Test } from 'tap';
import { xor } from '../../src/bytes/checksum.js';
import { hex, splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import type { Position } from '../support/tracker.js';
import { mutate, vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  hex: string;
  wire_hex?: string;
  stream_hex?: string;
  checksum?: { ok: boolean };
  expect: {
    stated?: { attributes?: Record<string, unknown>; first_frame_hex?: string };
    reference?: { decoded?: Position | Position[] | null; ids?: string[]; replies: string[] };
  };
}

const all = vectors<Vector>('jt808');
const jt808 = new ProtocolUnderTest('protocols.jt808');
const KNOT = 1.852;
const messages = all.filter(({ type }) => type.startsWith('0x'));
const genuine = messages.filter(({ checksum }) => checksum?.ok);

/** A message as it travels: what stands between the marks, its checksum appended and escaped. */
function wire(content: string): Uint8Array {
  const bytes = unhex(content.replaceAll(' ', ''));
  const escaped = [...bytes, xor(bytes)].flatMap((byte) =>
    byte === 0x7d ? [0x7d, 1] : byte === 0x7e ? [0x7d, 2] : [byte],
  );
  return Uint8Array.of(0x7e, ...escaped, 0x7e);
}

/** The vectors have replies before escaping. */
const plain = (reply: string) =>
  reply
    .replace(/(..)/g, '$1 ')
    .replaceAll('7d 01', '7D')
    .replaceAll('7d 02', '7E')
    .replaceAll(' ', '')
    .toLowerCase();

function comparePosition(t: Test, message: Message, position: Position, name: string): void {
  const near = (field: string, wanted: number, within: number) =>
    t.ok(
      Math.abs((message[field] as number) - wanted) <= within,
      `${name}: ${field} ${message[field]} is ${wanted}`,
    );
  const time = position.fixTime ?? position.deviceTime;
  if (time) t.equal(message.time, Date.parse(time) / 1000, `${name}: time`);
  // Without a time of its own the reference shows an older position.
  if (!position.fixTime) return;
  near('latitude', position.latitude, 1e-9);
  near('longitude', position.longitude, 1e-9);
  t.equal(message.valid, position.valid, `${name}: valid`);
  const { sat, odometer, alarm, rssi, batteryLevel, battery, power, ignition, blocked } = position.attributes;
  if (sat !== undefined) t.equal(message.satellites, sat, `${name}: satellites`);
  if (odometer !== undefined) t.equal(message.odometer, odometer, `${name}: odometer`);
  if (rssi !== undefined) t.equal(message.rssi, rssi, `${name}: signal`);
  if (batteryLevel !== undefined) t.equal(message.battery, batteryLevel, `${name}: battery`);
  if (battery !== undefined) t.equal(message.battery_voltage ?? message.voltage, battery, `${name}: battery`);
  if (power !== undefined) t.equal(message.voltage, power, `${name}: voltage`);
  if (ignition !== undefined) t.equal(message.ignition, ignition, `${name}: ignition`);
  if (blocked !== undefined) t.equal(message.blocked, blocked, `${name}: blocked`);
  if (alarm !== undefined) {
    const words = (alarm as string).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).split(',');
    const named = (message.alarms as string[]) ?? [message.alarm];
    t.strictSame(new Set(named), new Set(words), `${name}: alarms`);
  }
  if (position.outdated) return; // a place without motion
  near('altitude', position.altitude, 0);
  near('speed', position.speed_knots * KNOT, 1e-3);
  near('course', position.course, 1e-9);
}

function compare(t: Test, { name, expect }: Vector, got: Message[]): void {
  const { decoded, ids } = expect.reference!;
  for (const message of got) t.equal(message.device_id, ids![0], `${name}: device`);
  const wanted = decoded ? [decoded].flat() : [];
  if (wanted.length > 0) t.equal(got.length, wanted.length, `${name}: messages`);
  wanted.forEach((position, i) => {
    comparePosition(t, got[i]!, position, name);
  });
  t.match(got[0], STATED[name.slice(6)] ?? {}, name);
}

/** What the sources state beside what the reference decodes, in our names and units: the first message. */
const STATED: Record<string, object> = {
  '0x0200 #9': { rpm: 55, driver_id: '7558211', fuel: 462.5, fuel_used: 12_360.28, video_alarm: 1 },
  '0x0200 #11': {
    motion: true,
    wifi: [{ mac: '30de4bf67368', rssi: -50 }],
    cells: [{ mcc: 520, lac: 5042 }],
  },
  '0x0200 #18': { temperature1: 29.1 },
  '0x0200 #20': { temperature1: -2.3 },
  '0x0200 #24': {
    locks: [
      { id: 'cd91fe1314da', battery_voltage: 4.224 },
      { battery_voltage: 4.038, sealed: true },
    ],
  },
  '0x0200 #26': { password: '13214322' },
  '0x0200 #32': { probes: [{ index: 3, temperature: -17.094117647058823, humidity: 50 }] },
  '0x0200 #43': { fuel1: 42.1, fuel2: 1.47 },
  '0x0200 #60': { door: true },
  '0x0200 #62': {
    light: 459,
    acceleration: { x: 109, y: 153, z: 1312 },
    hdop: 1.1,
    iccid: '89550327001051953711',
  },
  '0x0200 #66': {
    adas_alarm: 4,
    alarm_label: '303037343234322603271552450b0500',
    timezone: 'UTC-04:00',
    hdop: 0.6,
  },
  '0x0200 #68': { iccid: '898604a6102181622843', temperature1: 35, humidity: 50.8, firmware: /^AOVX_GL100/ },
  '0x0200 #15': { mode: 3, iccid: '89860121842361895832', imei: '867319076367149' },
  '0x0200 #38': { rpm: 5000, vin: '123456789ABCDEFGH', trip_odometer: 130_000, coolant_temperature: 130 },
  '0x0200 #49': { fuel1: 35.9 },
  '0x0100 #1': { type: 'registration', model: 'MD300', terminal_id: '866496077582164', version: 1 },
  '0x0100 #3': { model: 'BSJ-A6-BD', manufacturer: '70111', terminal_id: '0567872', province: 44 },
  '0x0100 #5': { model: 'HB-R03GBD', plate: 'ABC00000', plate_color: 2 },
  '0x0702 #1': { card: '0029b885', card_status: 1, card_result: 0, card_validity: '00000000' },
  '0x0701 #1': { text: 'MD,SET CONFIG OK!' },
  '0x0900 #1': { driver_id: '10218094' },
  '0x0900 #3': { dtcs: ['P1457'], archived: true },
  '0x0900 #5': { io: { 1349: 30 }, fuel_used: 12_165.21, rpm: 952, liquid_level: 80 },
  '0x0900 #7': { samples: [{ temperature: 24.4, humidity: 28.4, light: 3137, air_pressure: 1022 }] },
  '0x6006 #1': { text: /^<VER:SDK:BC78E_PET_V1.02.*14:49:34>$/ },
  '0x5501 #3': { tilt: { x: -104, y: -88, z: 126 }, wake_source: 2, status: 2048, lac: 9015 },
  '0x5502 #1': { tilt: { x: 59, y: -88, z: -61 }, charging: true, mcc: undefined },
  '0x0102 #3': { type: 'authentication', code: '2011110811332196' },
  '0x2070 #1': { samples: [{ time: 1_632_726_609, x: 14, y: 45, z: -172 }] },
  '0x1300 #1': { text: 'Set OK!' },
  '0x0107 #1': { iccid: '89883030000131882455', model: 'C5L', firmware: 'C5L_V2.6 2026/06/04 15:31' },
  '0x0002 #1': { type: 'heartbeat' },
  '0x0704 #1': { archived: true },
  '0x0704 #3': { timezone: 'UTC+08:00' },
};

t.test('every message decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of genuine) {
    for (const chunks of splits(unhex(vector.wire_hex ?? vector.hex), rng)) {
      const outcome = jt808.feed(chunks);
      t.strictSame([outcome.discarded, outcome.errors], [0, []], vector.name);
      compare(t, vector, outcome.messages);
      t.strictSame(outcome.replies.map(plain), vector.expect.reference!.replies, `${vector.name}: replies`);
    }
  }
  t.ok(genuine.length > 50);
});

t.test('an altered message is discarded and counted; past the checksum it reads as before', async (t) => {
  const altered = messages.filter(({ checksum }) => !checksum?.ok);
  for (const vector of altered) {
    const frame = unhex(vector.wire_hex ?? vector.hex);
    const { messages, discarded } = jt808.feed([frame, null, null]);
    t.strictSame([messages, discarded], [[], frame.length], vector.name);
    compare(t, vector, jt808.peer().decode(unhex(vector.hex).subarray(1, -1)).messages);
    t.match(jt808.peer().decode(frame).errors, ['wrong checksum'], `${vector.name}: as a datagram`);
  }
  t.ok(altered.length >= 3);
});

t.test('framing', async (t) => {
  const good = genuine.find(({ name }) => name.endsWith('0x0200 #9'))!;
  // Noise, and a frame whose escapes are right but whose checksum is not.
  const odd = all.find(({ stream_hex }) => stream_hex?.startsWith('2424'))!;
  const { messages, discarded } = jt808.feed([unhex(odd.stream_hex! + good.wire_hex!)]);
  // Its last mark may as well have begun the good one.
  t.match([messages.length, discarded], [1, odd.stream_hex!.length / 2 - 1]);
  const sentence = all.find(({ type }) => type === 'text')!;
  for (const chunks of splits(unhex(good.wire_hex! + sentence.hex + good.wire_hex!), random(t))) {
    const outcome = jt808.feed(chunks);
    t.match([outcome.messages.length, outcome.discarded], [3, 0]);
    t.match(outcome.messages[1], { text: '(740190311185,1,001,ELOCK,3,529439)', device_id: '17721028890' });
  }
  const [answer] = jt808.feed([Buffer.from('(8741,1,001,BASE,2,TIME)')]).replies;
  t.match(Buffer.from(answer!, 'hex').toString(), /^\(8741,1,001,BASE,2,20\d{12}\)$/);
});

t.test('escapes, both ways', async (t) => {
  const { messages, replies } = jt808.feed([
    wire('0200001c 00007d7e0000 7d7e 00000000 00000003 01587d01 06cbff66 007e 0000 007d 260101120000'),
  ]);
  t.match(messages, [{ latitude: 22.576385, altitude: 126, course: 125, serial: 0x7d7e }]);
  t.match(plain(replies[0]!), /^7e8001000500007d7e000000007d7e020000..7e$/);
});

t.test('the other marks, with longer numbers', async (t) => {
  const place = '00000000 00000002 02b71ae7 008dbba0 003d 003e 00e6 250702080829';
  const content = unhex(`0200001c 00019111110000 0007 ${place}`.replaceAll(' ', ''));
  const escapes: Record<number, number[]> = { 230: [0xe6, 1], 231: [0xe6, 2], 62: [0x3e, 1], 61: [0x3e, 2] };
  const frame = Uint8Array.of(
    0xe7,
    ...[...content, xor(content)].flatMap((byte) => escapes[byte] ?? [byte]),
    0xe7,
  );
  const wanted = { device_id: '19111110000', latitude: 45.554407, altitude: 61, course: 230, serial: 7 };
  for (const chunks of splits(frame, random(t))) {
    const { messages, replies, discarded } = jt808.feed(chunks);
    t.match(messages, [wanted]);
    t.equal(discarded, 0);
    t.match(replies, [/^e780010005000191111100000000000702000.*e7$/]);
  }
  t.match(jt808.peer().decode(frame).messages, [wanted], 'as a datagram');
});

t.test('datagrams', async (t) => {
  const frames = genuine.slice(0, 8);
  const peer = jt808.peer();
  for (const vector of frames) {
    const { messages, replies } = peer.decode(unhex(vector.wire_hex!));
    compare(t, vector, messages);
    t.equal(replies.length, 1);
  }
  const both = peer.decode(unhex(`${frames[0]!.wire_hex}7e0002007e${frames[4]!.wire_hex}`));
  t.equal(both.messages.length, 2);
  t.equal(both.replies[0]!.split('7e').filter((part) => part !== '').length, 2, 'each is answered');
});

t.test('editions: registration, authentication, headers', async (t) => {
  const peer = jt808.peer();
  const text = (value: string, size: number) => {
    const bytes = Buffer.alloc(size);
    bytes.write(value);
    return bytes.toString('hex');
  };
  const model = `${text('MAN', 5)} ${text('M2011', 8)} ${text('T01', 7)}`;
  const first = peer.feed([wire(`01000024 013800138000 0001 000b 0064 ${model} 02 ${text('B12345', 11)}`)]);
  t.match(first.messages, [
    {
      type: 'registration',
      manufacturer: 'MAN',
      model: 'M2011',
      terminal_id: 'T01',
      plate_color: 2,
      plate: 'B12345',
    },
  ]);
  t.match(first.replies.map(plain), [/^7e8100000f0138001380000000000100303133383030313338303030..7e$/]);
  const code = `0c ${text('013800138000', 12)} ${text('867319076367149', 15)} ${text('V1.0', 20)}`;
  t.match(peer.feed([wire(`01024030 01 00000000013800138000 0002 ${code}`)]).messages, [
    {
      type: 'authentication',
      code: '013800138000',
      imei: '867319076367149',
      firmware: 'V1.0',
      device_id: '13800138000',
    },
  ]);
  // Properties of the older header may have bits set that later editions use.
  t.match(peer.feed([wire('00024000 013800138000 0003')]).messages, [{ type: 'heartbeat', serial: 3 }]);
  t.match(peer.feed([wire('00022000 013800138000 0004')]).messages, [{ type: 'heartbeat', serial: 4 }]);
  t.match(peer.feed([wire('02000402 013800138000 0005 abcd')]).messages, [
    { type: 'encrypted', data_hex: 'abcd' },
  ]);
  // A body of 1,025 bytes, whose length takes the bit that says encrypted elsewhere.
  t.match(peer.feed([wire(`09000401 013800138000 0006 40 ${'41'.repeat(1024)}`)]).messages, [
    { type: 'serial_data', text: 'A'.repeat(1024), device_id: '13800138000' },
  ]);
  t.match(peer.feed([wire(`09004401 01 00000000013800138000 0007 40 ${'41'.repeat(1024)}`)]).messages, [
    { type: 'serial_data', version: 1, device_id: '13800138000' },
  ]);
});

const PLACE = '00000000 00000003 01587d01 06cbff66 0000 0000 0000 260101120000';

t.test('messages in parts', async (t) => {
  const whole = `0000000100000102${PLACE.replaceAll(' ', '')}${'ff'.repeat(100)}`;
  const part = (n: number, serial: string, of = 3) => {
    const body = whole.slice((n - 1) * 96, n * 96);
    const properties = (0x2000 | (body.length / 2)).toString(16);
    return wire(`0801${properties} 013800138000 ${serial} 000${of} 000${n} ${body}`);
  };
  const peer = jt808.peer();
  const first = peer.feed([part(1, 'ffff')]);
  t.match(first.messages, [{ type: 'part', part: 1, parts: 3 }]);
  t.match(first.replies.map(plain), [/^7e80010005013800138000\d{4}ffff080100/]);
  peer.feed([part(3, '0001')]);
  peer.feed([part(3, '0001')]);
  const last = peer.feed([part(2, '0000')]);
  t.match(last.messages, [{ type: 'media', media_id: 1, channel: 2, latitude: 22.576385 }]);
  t.equal((last.messages[0]!.data as Uint8Array).length, 100);
  t.match(last.replies.map(plain), [/^7e88000005013800138000\d{4}0000000100/]);
  t.match(peer.feed([part(1, '0009', 0)]).errors, ['no part 1 of 0']);
  for (let i = 0x10; i < 0x40; i++) {
    const lost = peer.feed([wire(`08${i.toString(16)}2001 013800138000 0001 0002 0001 ff`)]);
    t.match(lost.messages, [{ type: 'part' }]);
  }
  const huge = wire(`081023ff 013800138000 0001 ffff 0001 ${'00'.repeat(1023)}`);
  t.match(jt808.feed([huge]).messages, [{ type: 'part', parts: 65_535 }]);
});

t.test('what the vectors do not have', async (t) => {
  const peer = jt808.peer();
  const one = (content: string) => peer.feed([wire(content)]).messages[0]!;
  const head = '013800138000 0001';
  t.match(one(`0201001e ${head} 0007 ${PLACE}`), { type: 'location', answer_serial: 7, latitude: 22.576385 });
  t.match(one(`00010005 ${head} 0003 8103 00`), { answer_serial: 3, answer_to: 0x8103, result: 0 });
  t.match(one(`01040016 ${head} 0004 02 00000001 04 0000003c 00000013 05 312e322e33`), {
    parameters: [
      { name: 'heartbeat_interval', value: 60 },
      { name: 'server', value: '1.2.3' },
    ],
  });
  t.match(one(`07050013 ${head} 0001 0102030405 40000123 1122334455667788`), {
    frames: [{ id: 0x123, extended: true, data_hex: '1122334455667788' }],
  });
  t.match(one(`00020003 ${head} 5a 1f 01`), { type: 'heartbeat', battery: 90, rssi: 31 });
  t.match(one(`0210001d ${head} 1c ${PLACE}`), { type: 'location', latitude: 22.576385 });
  t.match(one(`09000004 ${head} 77 010203`), {
    type: 'transparent',
    transparent_type: 0x77,
    data_hex: '010203',
  });
  t.match(one(`1300000a ${head} 0009 d83dde00 0041 d83d`), { text: '😀A\ufffd', answer_serial: 9 });
  t.match(one(`0abc0001 ${head} 01`), { type: 'unknown', message_id: 0xabc });
  t.match(peer.feed([wire(`0abc0001 ${head} 01`)]).replies.map(plain), [
    /^7e80010005013800138000.{4}00010abc00/,
  ]);
  const [clock] = peer.feed([wire('00044000 01 00000000013800138000 0001')]).replies.map(plain);
  const digits = /^7e8004400601.{20}.{4}(..)(..)(..)(..)(..)(..)..7e$/.exec(clock!)!.slice(1).map(Number);
  const [year, month, ...rest] = digits;
  const at = Date.UTC(2000 + year!, month! - 1, rest[0], rest[1], rest[2], rest[3]);
  t.ok(Math.abs(at - Date.now()) < 60_000, 'the time, in UTC');
  t.match(peer.feed([wire(`01090000 ${head}`)]).replies.map(plain), [/^7e81090008013800138000.{4}07.*7e$/]);
  t.strictSame(peer.feed([wire('55010001 013800138000 01 00')]).errors, ['no position']);
});

t.test('what cannot be is absent, not invented', async (t) => {
  const one = (place: string, items = '') =>
    jt808.feed([wire(`0200001c 013800138000 0001 00000000 ${place} ${items}`)]).messages[0]!;
  const fixed = '00000003 01587d01 06cbff66 0000 0000 0000';
  t.equal(one(`${fixed} 260101120000`).time, Date.UTC(2026, 0, 1, 4) / 1000);
  t.equal(one(`${fixed} 260230120000`).time, undefined, '30 February');
  t.equal(one(`${fixed} 26013a120000`).time, undefined, 'no decimal digits');
  t.equal(one(`${fixed} 000000000000`).time, undefined, 'a clock not set');
  t.match(one('00000003 ffffffff 06cbff66 0000 ffff ffff 260101120000'), {
    latitude: undefined,
    longitude: undefined,
    valid: false,
    speed: undefined,
    course: undefined,
  });
  t.match(one(`${fixed} 260101120000`, 'e403ff 30'), { battery: undefined, rssi: undefined }, 'cut off');
  t.match(one(`${fixed} 260101120000`, 'e40201c8 300115'), { battery: undefined, rssi: 21 }, '200 per cent');
});

t.test('clocks that do not show the time of Beijing', async (t) => {
  const under = new ProtocolUnderTest('protocols.jt808');
  under.vm.execute('require("protocols.jt808").clock.offset = 0', '@test');
  const [message] = under.feed([wire(`0200001c 013800138000 0001 ${PLACE}`)]).messages;
  t.equal(message!.time, Date.UTC(2026, 0, 1, 12) / 1000);
});

t.test('commands', async (t) => {
  const [stop, custom] = [1, 3].map((n) => all.find(({ name }) => name.endsWith(`encode #${n}`))!.hex);
  const peer = jt808.peer();
  const id = 'device_id = "123456789012345"';
  t.equal(peer.encode(`{ type = "control", control = 0xf0, ${id} }`), stop);
  t.equal(jt808.peer().encode(`{ type = "command", text = "Test, Command, 123#", ${id} }`), custom);
  t.match(peer.encode('{ type = "locate" }'), /^which device\?/);
  t.match(peer.encode('{ type = "locate", device_id = "a" }'), /no number of a terminal/);
  peer.feed([wire('00024000 01 00000000013800138000 0002')]);
  const header = (message: string, size: string) => `^7e${message}40${size}0100000000013800138000....`;
  const sent = (source: string, wanted: string) =>
    t.match(plain(peer.encode(source)), new RegExp(wanted), source);
  sent('{ type = "locate" }', header('8201', '00'));
  sent(
    '{ type = "set_parameters", parameters = { { id = 1, value = "\\0\\0\\0\\60" } } }',
    `${header('8103', '0a')}01000000010400000 03c`.replace(' ', ''),
  );
  sent('{ type = "track", interval = 5, duration = 600 }', `${header('8202', '06')}000500000258`);
  sent('{ type = "message", message_id = 0x8888, body = "\\x7e\\x7d" }', `${header('8888', '02')}7e7d`);
  sent('{ type = "transparent", transparent_type = 1, data = "x" }', `${header('8900', '02')}0178`);
  sent('{ type = "vehicle_control", flags = 1 }', `${header('8500', '01')}01`);
  t.equal(
    peer.encode('{ type = "command", text = ("x"):rep(1023) }'),
    "a message's body has at most 1023 bytes",
  );
  t.match(peer.encode('{ type = "command", text = "" }'), /text must not be empty/);
  t.match(
    peer.encode('{ type = "set_parameters", parameters = { { id = -1, value = "" } } }'),
    /parameter 1: id/,
  );
  t.match(peer.encode('{ type = "fly" }'), /can encode/);
});

t.test('merged, truncated and damaged messages do not take good ones with them', async (t) => {
  const rng = random(t);
  const good = genuine.map(({ hex, wire_hex }) => unhex(wire_hex ?? hex));
  for (let round = 0; round < 40; round++) {
    const [a, b, c] = [rng.pick(good), rng.pick(good), rng.pick(good)];
    const damaged = Uint8Array.from(b);
    damaged[rng.below(damaged.length - 2) + 1]! ^= 1 + rng.below(255);
    const noise = rng.bytes(rng.below(20)).map((byte) => byte & 0x1f); // no start in it
    const cut = c.subarray(0, rng.below(c.length));
    const name = [a, noise, damaged, c, cut].map(hex).join(' ');
    const chunks = rng.pick(splits(Buffer.concat([a, noise, damaged, c, cut]), rng));
    const got = jt808
      .feed([...chunks, ...Array(80).fill(null)])
      .messages.map((message) => JSON.stringify(message));
    for (const frame of [a, c]) {
      for (const message of jt808.feed([frame]).messages) t.ok(got.includes(JSON.stringify(message)), name);
    }
  }
});

t.test('mutated messages never raise', async (t) => {
  const rng = random(t);
  const contents = messages.map(({ hex }) => unhex(hex).subarray(1, -1));
  const ids = messages
    .map(({ type }) => Number(type))
    .concat([0x0104, 0x0201, 0x0705, 0x0800, 0x0801, 0x0109]);
  const until = Date.now() + 2000;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(contents), rng);
    jt808.feed([Uint8Array.of(0x7e, ...bytes, 0x7e), null]);
    const peer = jt808.peer();
    peer.decode(bytes); // past the checksum, which few mutations survive
    if (bytes.length < 60) continue;
    // Any item behind a position, any message on any body.
    bytes[40] = rng.below(256);
    peer.decode(bytes);
    new DataView(bytes.buffer).setUint16(0, rng.pick(ids));
    peer.decode(bytes);
    if (bytes[0] === 9) bytes[12] = rng.pick([0x40, 0x41, 0x53, 0x54, 0xf0, 0xf3, 0xff]);
    peer.decode(bytes);
  }
  t.comment(`${tried} messages`);
  t.ok(tried > 0);
});
