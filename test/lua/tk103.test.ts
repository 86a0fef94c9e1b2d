import t from 'tap';
import { unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { comparePositions, compareReplies, trackerVectors } from '../support/tracker.js';

const all = trackerVectors('tk103');
const tk103 = new ProtocolUnderTest('protocols.tk103');
const frames = all.filter(({ type }) => type.startsWith('text/'));

/** What the sources state and the protocol says, in our names and units. */
const STATED: Record<string, object> = {
  'BS51 #1': {
    type: 'battery',
    voltage: 53.3,
    current: 0,
    battery: 47.6,
    cell_voltage_max: 3.816,
    cell_count: 14,
  },
  'BS50 #1': { type: 'battery', battery_temperatures: [28, 26], voltage: 56.32, battery: 99, cycles: 4 },
  'BZ00 #1': { cells: [{ mcc: 460, mnc: 0, lac: 20949, cell: 58711 }, {}, {}], valid: false },
  'BZ00 #3': { cells: [{ mcc: 510, mnc: 10, lac: 14054, cell: 37676 }, {}, {}] },
  'BP05 #1': { cells: [{ mcc: 413 }, {}, {}] },
  'BP05 #5': { odometer: 607_931, ignition: false, charging: true },
  'DW3B #1': { altitude: 595.2, satellites: 7 },
  'BR00 #4': { ignition: true, input2: true, fuel: 0x166, odometer: 890_745 },
  'BR00 #9': { temperature: 17.7, odometer: 12_497_108 },
  // Without the parenthesis, which the reference takes for a part of the id.
  'BR00 #14': { device_id: '01029131573' },
  'BV00 #1': { type: 'information', vin: '5J6RW2H53HL066029' },
  'BQ81 #1': { type: 'alarm', alarm: 'overspeed' },
  '? #1': { device_id: 'BALLESTEROS3', command: 'BR00' },
  'DW5B #1': { mcc: 310, mnc: 6, lac: 29876, cell: 30393 },
  'DW51 #1': { alarm: 'movement', wifi: [{ mac: '58f3bb3baa82', rssi: -65, channel: 1 }, { rssi: -78 }] },
  'BP00 #1': { type: 'login' },
  'ZC11 #1': { alarm: 'movement', valid: false },
  'ZC17 #1': { alarm: 'removing', altitude: 64.5, satellites: 9 },
  // The reference takes the command for a part of the id and the year for the day; what its source has around this
  // frame was sent in February and May 2017.
  'BP02 #1': {
    device_id: '357593060760397',
    command: 'BP02',
    time: Date.UTC(2017, 2, 4, 9, 44, 55) / 1000,
  },
  'BQ86 #1': { type: 'obd', time: Date.UTC(2016, 10, 17, 0, 53, 22) / 1000 },
  'ZC20 #1': { battery: 100, battery_voltage: 3.92, voltage: undefined },
  'ZC20 #3': { battery: 20, battery_voltage: 3.62 },
  // Its month is the 18th.
  'BO01 #1': { type: 'alarm', alarm: 'sos', time: undefined },
  'ZC12 #1': { alarm: 'low_battery' },
  'ZC13 #1': { alarm: 'power_cut' },
  'ZC03 #1': { type: 'command_response', result: 'Notice: Device version: 1.0' },
};
const REFERENCE_WRONG: Record<string, string[]> = {
  'tk103 text/BR00 #14': ['device_id'],
  'tk103 text/BP02 #1': ['device_id', 'time'],
  'tk103 text/BO01 #1': ['time'],
};

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of frames) {
    const { messages, errors, discarded } = cutAnyhow(t, tk103, vector.bytes, rng, vector.name);
    t.strictSame([errors, discarded], [[], 0], vector.name);
    comparePositions(t, messages, vector, REFERENCE_WRONG[vector.name]);
    t.match(messages[0], STATED[vector.name.slice(11)] ?? {}, vector.name);
    const datagram = tk103.peer().decode(Buffer.concat([vector.bytes, Buffer.from('\r\n')]));
    t.strictSame(datagram.messages, messages, `${vector.name}: as a datagram`);
  }
  t.equal(frames.length, 41);
});

t.test('acknowledgements', async (t) => {
  for (const vector of frames) compareReplies(t, tk103.feed([vector.bytes]).replies, vector);
});

t.test('framing', async (t) => {
  const rng = random(t);
  for (const { bytes, firstFrame, name } of all.filter(({ type }) => type === 'framing')) {
    const { messages } = cutAnyhow(t, tk103, bytes, rng, name);
    if (firstFrame) t.strictSame(messages[0], tk103.feed([firstFrame]).messages[0], name);
    else t.strictSame(messages, [], name);
  }
  t.match(tk103.feed([all.find(({ name }) => name === 'tk103 framing #5')!.bytes]).messages, [
    { result: /^\)Notice:\r\nDevices serial number: .*V2\.000,2016\/08\/23 11:17\)$/s },
    { command: 'ZC20' },
  ]);
});

t.test('noise and frames that are cut off do not take good ones with them', async (t) => {
  const rng = random(t);
  // Text between quotes may hold anything.
  const good = frames.filter(({ type }) => type !== 'text/ZC03').map(({ bytes }) => bytes);
  goodAmongBad(t, tk103, good, rng, {
    noise: (byte) => byte | 0x80,
    damage: (frame) => frame.fill(0x80, 0, 1),
  });
});

t.test('what cannot be is absent, not invented', async (t) => {
  const decode = (text: string) => tk103.feed([Buffer.from(text)]);
  const at = (date: string, place: string, clock: string, course = '301.90') =>
    decode(`(088047365460BR00${date}A${place}009.4${clock}${course}00000000L00000000)`).messages[0]!;
  const here = '3258.1754S02755.4323E';
  t.match(at('150929', here, '193927'), { time: Date.UTC(2015, 8, 29, 19, 39, 27) / 1000, speed: 9.4 });
  t.equal(at('150230', here, '193927').time, undefined, '30 February');
  t.equal(at('150929', here, '193960').time, undefined, 'second 60');
  t.match(at('150929', '9158.1754S02755.4323E', '193927'), { latitude: undefined, valid: false });
  t.match(at('150929', '3258.1754S18155.4323E', '193927'), { longitude: undefined, valid: false });
  t.equal(at('150929', here, '193927', '400.00').course, undefined);
  t.match(decode('(013632651491,ZC20,180716,144222,255,65535,120)').messages, [
    { battery: undefined, battery_voltage: undefined, voltage: 12 },
  ]);
  t.match(decode('(088047365460BX99)').messages, [{ type: 'unknown', command: 'BX99' }]);
  for (const login of ['', 'HSO', '352606090042050']) {
    const { messages, replies } = decode(`(013612345678BP05${login})`);
    t.match(messages, [{ type: 'login', latitude: undefined }]);
    t.equal(unhex(replies[0]!).toString(), '(013612345678AP05)');
  }
  t.equal(decode('(hello)').errors[0], 'no device and command');
  t.match(decode('()'), { messages: [], errors: [] });
});

t.test('alarms and ignition by command', async (t) => {
  const command = (name: string) =>
    tk103.feed([Buffer.from(`(013632651491,${name},040613,A,2234.0297N,11405.9101E,000.0,040137,178.48)`)])
      .messages[0];
  t.match(command('DW31'), { type: 'alarm', alarm: 'movement' });
  t.match(command('ZC25'), { alarm: 'sos' });
  t.match(command('DW40'), { alarm: 'low_power' });
  t.match(command('ZC15'), { type: 'location', ignition: true });
  t.match(command('DW36'), { ignition: false });
});

t.test('commands', async (t) => {
  const encode = (fields: string) =>
    unhex(tk103.peer().encode(`{ type = "command", device_id = "123456789012345", ${fields} }`)).toString();
  const wanted = Object.fromEntries(all.map(({ name, bytes }) => [name.slice(13), String(bytes)]));
  t.equal(encode('text = "AV001"'), wanted['#1']);
  t.equal(encode('name = "position_single"'), wanted['#3']);
  t.equal(encode('name = "position_stop"'), wanted['#5']);
  t.equal(encode('name = "reboot"'), wanted['#7']);
  t.equal(encode('name = "position_single", alternative = true'), wanted['#9']);
  t.equal(encode('name = "position_stop", alternative = true'), wanted['#11']);
  t.equal(encode('name = "reboot", alternative = true'), wanted['#13']);
  t.equal(encode('name = "sos_on", alternative = true'), wanted['#15']);
  t.equal(encode('text = "AA00"'), wanted['#17']);
  t.equal(
    encode('name = "set_connection", alternative = true, server = "1.2.3.4", port = 5555'),
    wanted['#19'],
  );
  t.equal(encode('name = "position_periodic", interval = 60'), '(123456789012345AR00003C0000)');
  const refused = (source: string) => tk103.peer().encode(source);
  t.match(refused('{ type = "command", device_id = "1", name = "dance" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", device_id = "1", text = "a)" }'), /needs the name of a command/);
  t.match(refused('{ type = "command", name = "position_periodic", interval = 70000 }'), /interval must be/);
  t.match(
    refused('{ type = "command", name = "set_connection", alternative = true }'),
    /needs server and port/,
  );
  t.match(refused('{ type = "command", name = "reboot" }'), /no device_id/);
  t.match(refused('"text"'), /can encode/);
});

t.test('mutated frames never raise', async (t) => {
  neverRaises(
    t,
    tk103,
    frames.map(({ bytes }) => bytes),
    random(t),
  );
});
