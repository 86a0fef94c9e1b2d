import t from 'tap';
import { unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { comparePositions, compareReplies, trackerVectors } from '../support/tracker.js';

const all = trackerVectors('meitrack');
const meitrack = new ProtocolUnderTest('protocols.meitrack');
const frames = all.filter(({ type }) => type.startsWith('cmd/'));
const genuine = frames.filter(({ checksum }) => checksum?.ok);

/** What the sources state and the protocol says, in our names and units: the first record. */
const STATED: Record<string, object> = {
  'CCE #2': { image: '2025-06-07/20250607122041_CH1_dca.jpg', alarm_type: 7, event: 655, network: 'FDD LTE' },
  'CCE #4': { engine_hours: 38_670_900_000 / 3_600_000, obd_odometer: 37_642_960, rpm: 1263, throttle: 98 },
  'CCE #6': { battery: 1, battery2: 88, battery3: 56 },
  'CCE #7': { battery: 97, cell_rssi: -96, wifi: [{ mac: '2abd890a491c', rssi: -46 }, ...Array(7).fill({})] },
  'CCE #9': { lock: true, battery_voltage: 4.13 },
  'CCE #11': { temperature0: 85, temperature1: 21.87, temperature3: 22.06, network: 'WIFI', voltage: 12.41 },
  'CCE #13': { type: 'alarm', alarm: 'power_restored', adc1: 13.61, voltage: 13.79, odometer: 75_115 },
  'CCE #15': { altitude: 411, satellites: 7, hdop: 1.2, mcc: 232, mnc: 3, lac: 12_041, cell: 1582 },
  'D82 #1': { type: 'command_response', command: 'D82', result: '0' },
  'AAA #1': { alarm: 'power_restored', battery_voltage: 4.01, voltage: 13.95, temperature0: 85 },
  'AAA #4': { battery_voltage: 3.97, voltage: 12.64, cell: 22_180_834, event_data: '00000001' },
  'AAA #6': { data: /\|78\|3500\|/, input: 0x84, output: 0 },
  'AAA #8': { temperature1: 27.06, adc1: 3 },
  // A battery of 26.31 V, as the reference has it, is none: the converter gave 12 bits.
  'AAA #12': { battery_voltage: 4.239404296875, voltage: 12.826171875, temperature0: 18.06 },
  'AAA #15': { driver_id: '006380DF', fuel: 0.08 },
  'AAA #17': { type: 'alarm', alarm: 'sos' },
  // Here it gave 10 bits.
  'AAA #19': { altitude: -7, battery_voltage: 3.703125, adc1: 9, adc3: undefined },
  'D03 #1': { command: 'D03', result: 'OK' },
  'AFF #1': { event: 35, odometer: 1_648_894 },
  'CCC #1': { battery_voltage: 4.19, mcc: 510, mnc: 1, rssi: 19, satellites: 9, odometer: 80_083 },
};

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of genuine) {
    const { messages, errors, discarded } = cutAnyhow(t, meitrack, vector.bytes, rng, vector.name);
    t.strictSame([errors, discarded], [[], 0], vector.name);
    comparePositions(t, messages, vector);
    t.match(messages[0], STATED[vector.name.slice(13)] ?? {}, vector.name);
  }
  t.equal(genuine.length, 22);
});

t.test('an altered frame is discarded and counted; past the checksum it reads as before', async (t) => {
  for (const vector of frames.filter(({ checksum }) => checksum?.ok === false)) {
    const { messages, discarded } = meitrack.feed([vector.bytes, null]);
    const end = vector.bytes.subarray(-2).equals(Buffer.from('\r\n')) ? 2 : 0;
    t.strictSame([messages, discarded], [[], vector.bytes.length - end], vector.name);
    const decoded = meitrack.peer().decode(vector.bytes).messages;
    comparePositions(t, decoded, vector);
    t.match(decoded[0], STATED[vector.name.slice(13)] ?? {}, vector.name);
  }
});

t.test('acknowledgements', async (t) => {
  for (const vector of genuine) compareReplies(t, meitrack.feed([vector.bytes]).replies, vector);
});

t.test('framing', async (t) => {
  const [{ bytes, firstFrame }] = all.filter(({ type }) => type === 'framing') as [(typeof all)[0]];
  t.strictSame(meitrack.feed([bytes]).messages, meitrack.feed([firstFrame!]).messages);
  t.match(meitrack.feed([bytes, bytes, bytes]), { messages: { length: 3 }, discarded: 0, errors: [] });
});

/** A frame with these bytes as the content of a command. */
function frame(command: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(`,353358017784062,${command},`), content, Buffer.from('*')]);
  const text = Buffer.concat([Buffer.from(`$$A${body.length + 4}`), body]);
  const sum = text.reduce((total, byte) => total + byte, 0) & 0xff;
  return Buffer.concat([text, Buffer.from(`${sum.toString(16).padStart(2, '0')}\r\n`)]);
}

t.test('photographs come in parts, of which each eighth asks for more', async (t) => {
  const part = (n: number) => {
    const data = Buffer.from([0x2a, 0x0d, 0x0a, 0x24, 0x24, n]);
    return meitrack.feed([frame('D00', Buffer.concat([Buffer.from(`a.jpg,14,${n},`), data]))]);
  };
  t.match(part(0), { messages: [{ type: 'photo', file: 'a.jpg', parts: 14, part: 0 }], replies: [] });
  t.match(part(7).replies.map(unhex).map(String), [/^@@O33,353358017784062,D00,a\.jpg,8\*[0-9A-F]{2}\r\n$/]);
  t.strictSame(part(13).replies, [], 'the last');
  t.equal((part(3).messages[0] as { data: Uint8Array }).data.length, 6, 'whatever is in them');
  const cut = frames.find(({ name }) => name === 'meitrack cmd/D00 #1')!;
  t.strictSame(meitrack.feed([cut.bytes, null]).messages, []);
});

t.test('stored events and records of several', async (t) => {
  const aff = frames.find(({ name }) => name === 'meitrack cmd/AFF #1')!;
  const aaa = Buffer.from(String(aff.bytes).replace('AFF,0004,', 'AAA,'));
  const [stored] = meitrack.peer().decode(aff.bytes).messages;
  t.strictSame({ ...stored, command: 'AAA' }, meitrack.peer().decode(aaa).messages[0] as Message);
  const ccc = frames.find(({ name }) => name === 'meitrack cmd/CCC #1')!.bytes;
  const record = ccc.subarray(34, 34 + 52);
  const { messages, replies } = meitrack.feed([
    frame('CCC', Buffer.concat([Buffer.from('0201340003000000', 'hex'), record, record, record])),
  ]);
  t.match(messages, Array(3).fill({ latitude: -7.266504, time: Date.UTC(2014, 4, 24, 4, 59, 49) / 1000 }));
  t.match(replies.map(unhex).map(String), [/^@@A27,353358017784062,CCC,3\*[0-9A-F]{2}\r\n$/]);
});

t.test('an event may be the answer to a command', async (t) => {
  const answer = (command: string, text: string) =>
    meitrack.feed([frame(command, Buffer.from(text))]).messages;
  const event =
    '35,-40.996370,8.575065,150730184834,A,8,24,30,120,1.3,173,1,2,268|3|2BC0|250B,2000,|||0A2D|0000';
  t.match(answer('A10', event), [
    { type: 'location', latitude: -40.99637, longitude: 8.575065, speed: 30, course: 120, valid: true },
  ]);
  t.match(answer('A12', 'OK'), [{ type: 'command_response', result: 'OK', latitude: undefined }]);
});

t.test('noise and damaged frames do not take good ones with them', async (t) => {
  const rng = random(t);
  const good = genuine
    .filter(({ name, positions }) => positions.length === 1 && name !== 'meitrack cmd/D82 #1')
    // Without its line end a frame is whole, too.
    .map(({ bytes }) => bytes.subarray(0, bytes.lastIndexOf('*') + 3));
  goodAmongBad(t, meitrack, good, rng, {
    noise: (byte) => byte & 0x1f,
    damage: (bytes) => {
      bytes[bytes.length >> 1]! ^= 1 + rng.below(255);
    },
  });
});

t.test('what cannot be is absent, not invented', async (t) => {
  const decode = (date: string, place = '40.996370,-8.575065', course = '1', analog = '|||0A2D|0000') =>
    meitrack.feed([
      frame(
        'AAA',
        Buffer.from(`35,${place},${date},A,8,24,0,${course},1.3,173,1,2,268|3|2BC0|250B,2000,${analog},,,1,`),
      ),
    ]).messages[0]!;
  t.equal(decode('150730184834').time, Date.UTC(2015, 6, 30, 18, 48, 34) / 1000);
  t.equal(decode('150230184834').time, undefined, '30 February');
  t.match(decode('150730184834', '90.1,0.0'), { latitude: undefined, longitude: undefined, valid: false });
  t.equal(decode('150730184834', undefined, '361').course, undefined);
  t.equal(decode('150730184834', undefined, undefined, '|||0FFF|0000').battery_voltage, undefined);
  t.match(decode('150730184834', undefined, undefined, '4.10|12.50|0.0|0.0|0.0'), {
    battery_voltage: 4.1,
    voltage: 12.5,
  });
  const error = (command: string, hex: string) => meitrack.feed([frame(command, unhex(hex))]).errors[0];
  t.equal(error('CCC', '02013400'), 'too short');
  t.equal(error('CCC', '0201100000000000'), 'records of 16 bytes');
  t.equal(error('CCE', '00000000ffff'), 'no record');
  t.match(meitrack.feed([frame('CCE', unhex('00000000010005000000ff0500'))]).messages, [{ valid: false }]);
  // Latitude 90.5, longitude 1: CCE has millionths, of which none may be left.
  const far = '00000000010012000100010501000202a0eb64050340420f0000';
  t.match(meitrack.feed([frame('CCE', unhex(far))]).messages, [
    { latitude: undefined, longitude: undefined, valid: false },
  ]);
  t.equal(error('AAA', '33'), 'no position');
});

t.test('commands', async (t) => {
  const peer = meitrack.peer();
  const encode = (fields: string, to = meitrack.peer()) =>
    unhex(to.encode(`{ type = "command", device_id = "123456789012345", ${fields} }`)).toString();
  const wanted = Object.fromEntries(all.map(({ name, bytes }) => [name, String(bytes)]));
  t.equal(encode('name = "position_single"', peer), wanted['meitrack encode #1']);
  t.equal(
    encode('name = "send_sms", phone = "15360853789", message = "Meitrack"'),
    wanted['meitrack encode #3'],
  );
  t.match(encode('text = "A10"', peer), /^@@B25,123456789012345,A10\*/, 'the identifier runs on');
  const refused = (source: string) => meitrack.peer().encode(source);
  t.match(refused('{ type = "command", device_id = "1", name = "dance" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", device_id = "1", text = "A10\\n" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", name = "engine_stop" }'), /no device_id/);
  t.match(refused('1'), /can encode/);
});

t.test('mutated frames never raise', async (t) => {
  neverRaises(
    t,
    meitrack,
    frames.map(({ bytes }) => bytes),
    random(t),
  );
});
