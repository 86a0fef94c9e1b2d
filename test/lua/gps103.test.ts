import t from 'tap';
import { unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { comparePositions, compareReplies, trackerVectors } from '../support/tracker.js';

const all = trackerVectors('gps103');
const gps103 = new ProtocolUnderTest('protocols.gps103');
const frames = all.filter(({ type }) => type !== 'encode');

/** What the sources state and the protocol says, in our names and units. */
const STATED: Record<string, object> = {
  'imei/sensor alarm #1': { type: 'alarm', alarm: 'vibration', valid: false },
  'imei/tracker #1': { battery: 100 },
  'imei/tracker #4': { course: 83.95 },
  'imei/tracker #6': { fuel1: 10.5, fuel2: 0, temperature: 28, ignition: true, door: false, altitude: 65.43 },
  'imei/tracker #10': { lac: 4022, cell: 52061, time: undefined },
  'imei/vr #1': { type: 'photo', part: 12, data: { length: 506 } },
  'imei/T #1': { alarm: 'temperature', temperature: 11 },
  'imei/Equipo #1': { speed: 67, rssi: 26, satellites: 8, hdop: 1, charging: true, event: undefined },
  'imei/OBD #1': {
    type: 'obd',
    time: Date.UTC(2018, 8, 5, 20, 2, 18) / 1000,
    dtcs: ['P0137', 'P0430'],
    rpm: 494,
  },
  'imei/OBD #3': {
    odometer: 195_874_000,
    fuel_consumption: 370.8,
    engine_hours: 808,
    obd_speed: 66,
    engine_load: 30,
    coolant_temperature: 87,
    voltage: 14.3,
  },
  'imei/OBD #5': { coolant_temperature: undefined },
  'imei/acc on #1': { ignition: true },
  'imei/acc off #1': { ignition: false, door: true, temperature: 23 },
  'imei/ac alarm #1': { alarm: 'power_cut', lac: 0x296a, cell: 0x51f7 },
  'imei/DTC #1': { alarm: 'fault', dtcs: 'P0021' },
  'imei/oil #2': { alarm: 'fuel_leak' },
  'imei/rfid #1': { driver_id: '49121185' },
  'imei/help me #1': { type: 'alarm', alarm: 'sos' },
  'imei/low battery #1': { alarm: 'low_battery' },
  'imei/stockade #1': { alarm: 'geofence' },
  'imei/move #1': { alarm: 'movement' },
  'imei/speed #1': { alarm: 'overspeed' },
  'login #1': { type: 'login', device_id: '359586015829802' },
  'heartbeat #1': { type: 'heartbeat', device_id: '359586015829802' },
};

/** A sentence as it comes: these were published without their end where they have none. */
const ended = (bytes: Buffer) =>
  /[;*]$/.test(bytes.toString()) ? bytes : Buffer.concat([bytes, Buffer.from(';')]);

t.test('every sentence decodes to what its source says, ended or not, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of frames) {
    for (const bytes of [ended(vector.bytes), vector.bytes]) {
      const { messages, errors, discarded } = cutAnyhow(t, gps103, bytes, rng, vector.name);
      t.strictSame([errors, discarded], [[], 0], vector.name);
      comparePositions(t, messages, vector);
      t.match(messages[0], STATED[vector.name.slice(7)] ?? {}, vector.name);
    }
    const datagram = Buffer.concat([ended(vector.bytes), Buffer.from('\r\n')]);
    t.strictSame(gps103.peer().decode(datagram).messages, gps103.feed([vector.bytes, null]).messages);
  }
  t.equal(frames.length, 49);
});

t.test('acknowledgements', async (t) => {
  for (const vector of frames) compareReplies(t, gps103.feed([ended(vector.bytes)]).replies, vector);
  const several = '359586015829802;##,imei:359586015829802,A;';
  const { messages, replies } = gps103.peer().decode(Buffer.from(several));
  t.match(messages, [{ type: 'heartbeat' }, { type: 'login' }]);
  t.strictSame(replies.map(unhex).map(String), ['ONLOAD'], 'a datagram of two sentences');
});

t.test('a session: who logged in sends heartbeats', async (t) => {
  const { messages, replies } = gps103.feed([Buffer.from('##,imei:359586015829802,A;\r\n1;\n12345*')]);
  t.match(messages, [
    { type: 'login' },
    { type: 'heartbeat', device_id: '359586015829802' },
    { type: 'heartbeat' },
  ]);
  t.strictSame(replies.map(unhex).map(String), ['LOAD', 'ON', 'ON']);
});

t.test(
  'noise, and sentences that are damaged or lost their end, do not take good ones with them',
  async (t) => {
    const rng = random(t);
    const good = frames
      .filter(({ type }) => type.startsWith('imei/') && type !== 'imei/L' && type !== 'imei/vr')
      .map(({ bytes }) => ended(bytes));
    goodAmongBad(t, gps103, good, rng, {
      noise: (byte) => byte | 0x80,
      // Neither this sentence nor the end of the one before is to be seen.
      damage: (frame) => frame.fill(0x80, 0, frame.length - 1),
    });
    const [a, b] = [good[3]!, good[4]!];
    const merged = gps103.feed([a.subarray(0, -1), b]).messages;
    t.strictSame(merged, gps103.feed([b]).messages, 'what has no end may have been cut off anywhere');
    t.match(gps103.feed([Buffer.alloc(5000, 0x61), a]).messages, [], 'an endless line is dropped to its end');
    t.match(gps103.feed([Buffer.alloc(5000, 0x61), a, b]).messages.length, 1);
  },
);

t.test('what cannot be is absent, not invented', async (t) => {
  const decode = (here: string, utc: string, place = '2233.1870,N,11354.3067,E') =>
    gps103.feed([Buffer.from(`imei:353451044508750,tracker,${here},,F,${utc},A,${place},0.00,30.1;`)])
      .messages[0]!;
  const time = (...parts: [number, number, number, number, number, number]) => Date.UTC(...parts) / 1000;
  t.equal(decode('0809231929', '055403.000').time, time(2008, 8, 24, 5, 54, 3), 'behind by half a day');
  t.equal(decode('1012312330', '003012').time, time(2011, 0, 1, 0, 30, 12), 'over the end of a year');
  t.equal(decode('101231', '003012').time, undefined);
  t.equal(decode('1002300530', '003012').time, undefined, '30 February');
  t.equal(decode('1002030530', '253012').time, undefined, 'hour 25');
  t.equal(decode('1002030530', '003099').time, undefined, 'second 99');
  t.match(decode('1012312330', '003012', '9933.1870,N,11354.3067,E'), { latitude: undefined, valid: false });
  t.match(decode('1012312330', '003012', 'N,2233.1870,W,11354.3067'), {
    latitude: 22.553116666666668,
    speed: 0,
  });
  t.ok(gps103.feed([Buffer.from('imei:353451044508750,tracker,1012312330,,X,more;')]).errors[0]);
  t.equal(gps103.feed([Buffer.from('hello;')]).errors[0], 'no imei:');
  t.equal(gps103.feed([Buffer.from('imei:,;')]).errors[0], 'no IMEI');
});

t.test('commands', async (t) => {
  const encode = (fields: string) =>
    unhex(gps103.peer().encode(`{ type = "command", device_id = "123456789012345", ${fields} }`)).toString();
  const [wanted] = all.filter(({ type }) => type === 'encode');
  t.equal(encode('name = "position_periodic", interval = 300'), String(wanted!.bytes));
  t.equal(encode('name = "position_periodic", interval = 45'), '**,imei:123456789012345,C,45s');
  t.equal(encode('name = "position_periodic", interval = 7200'), '**,imei:123456789012345,C,02h');
  t.equal(encode('name = "engine_stop"'), '**,imei:123456789012345,J');
  t.equal(encode('text = "109,100"'), '**,imei:123456789012345,109,100');
  const refused = (source: string) => gps103.peer().encode(source);
  t.match(refused('{ type = "command", device_id = "1", name = "dance" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", device_id = "1", text = "a;b" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", device_id = "1", name = "position_periodic" }'), /interval must be/);
  t.match(refused('{ type = "command", name = "engine_stop" }'), /no device_id/);
  t.match(refused('{}'), /can encode/);
});

t.test('mutated sentences never raise', async (t) => {
  neverRaises(
    t,
    gps103,
    frames.map(({ bytes }) => bytes),
    random(t),
  );
});
