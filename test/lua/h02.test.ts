import t from 'tap';
import { hex, splits, unhex } from '../support/framing.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { comparePositions, compareReplies, trackerVectors } from '../support/tracker.js';

const all = trackerVectors('h02');
const h02 = new ProtocolUnderTest('protocols.h02');
const frames = all.filter(({ type }) => !['framing', 'encode'].includes(type));
const isText = ({ bytes }: { bytes: Buffer }) => bytes[0] === 0x2a;

/** What the sources state and the protocol says, in our names and units. */
const STATED: Record<string, object> = {
  'text/V8 #1': { type: 'location', status: 0xfbfff9ff, ignition: false, armed: true },
  'text/V6 #1': { type: 'alarm', alarm: 'power_cut', io5: '8944501311217563382F' },
  'text/V1 #13': { time: undefined, ignition: true },
  'text/V1 #29': { alarm: 'sos' },
  'text/V19 #1': { time: Date.UTC(2017, 3, 20, 21, 44, 52) / 1000, iccid: '89480610500392633029' },
  'text/V3 #2': { mcc: 740, mnc: 1, cells: [{ lac: 10278, cell: 45142 }], battery_raw: 734 },
  'text/V3 #4': { cells: { length: 6 } },
  'text/VP1 #1': {
    valid: false,
    cells: [{ lac: 92, cell: 3565 }, { cell: 19433, rssi: -30 }, { cell: 1340 }],
  },
  'text/NBR #3': { cells: [{ mcc: 234, mnc: 10, lac: 21580, cell: 27766, rssi: -67 }, {}] },
  'text/NBR #7': { cells: { length: 6 } },
  'text/LINK #1': { type: 'status', rssi: 15, satellites: 0, battery: 84, steps: 0, turnovers: 0 },
  'text/HTBT #1': { type: 'heartbeat', battery: 100 },
  'text/BS #1': { mcc: 724, mnc: 10, cells: [{ lac: 7011, cell: 6505 }, { cell: 4274 }, {}] },
  'text/V4 #3': { result: 'S20,ERROR,130305', speed: 14.28 * 1.852 },
  'text/SMS #1': { type: 'command_response', result: /^ST906.*\nID:5226073533\n.*GSM:26$/s },
  'text/XT #1': { type: 'heartbeat' },
  'text/BASE #1': { type: 'unknown', command: 'BASE' },
  'bin-24/32 #1': { battery: 100, ignition: false },
  'bin-24/42 #1': { device_id: '352483084193293', ignition: true },
  'bin-24/45 #4': { alarm: 'sos' },
};

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const vector of frames) {
    for (const chunks of isText(vector) ? splits(vector.bytes, rng) : [[vector.bytes]]) {
      const { messages, errors, discarded } = h02.feed(chunks);
      t.strictSame([errors, discarded], [[], 0], vector.name);
      // The last second of a minute is 59.
      comparePositions(t, messages, vector, vector.name === 'h02 text/NBR #5' ? ['time'] : []);
      t.match(messages[0], STATED[vector.name.slice(4)] ?? {}, vector.name);
    }
    const [datagram] = h02.peer().decode(vector.bytes).messages;
    t.strictSame(datagram, h02.feed([vector.bytes]).messages[0], `${vector.name}: as a datagram`);
  }
  t.equal(frames.length, 50);
});

t.test('a binary frame that arrives in parts loses what follows its status only', async (t) => {
  const rng = random(t);
  for (const { bytes, name } of frames.filter((vector) => !isText(vector))) {
    const [whole] = h02.feed([bytes]).messages;
    for (const chunks of splits(bytes, rng)) {
      const { messages, discarded } = h02.feed([...chunks, null]);
      t.strictSame(messages, [whole], name);
      t.ok(discarded <= bytes.length - 32, name);
    }
    t.strictSame(h02.feed([bytes, bytes]).messages, [whole, whole], `${name}: twice`);
  }
});

t.test('acknowledgements', async (t) => {
  for (const vector of frames) {
    const { replies } = h02.feed([vector.bytes]);
    compareReplies(t, replies, vector);
    for (const reply of replies.filter(() => vector.replies.includes(undefined))) {
      const [, id, command, stamp] = /^\*HQ,(\d+),V4,(V1|NBR),(\d{14})#$/.exec(unhex(reply).toString()) ?? [];
      t.strictSame([id, command], [vector.ids[0], vector.type.slice(5)]);
      const at = Date.parse(stamp!.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z'));
      t.ok(Math.abs(at - Date.now()) < 60_000, 'the time, in UTC');
    }
  }
  t.strictSame(
    h02
      .feed([Buffer.from('*hq,356327080425330,V0,97#')])
      .replies.map(unhex)
      .map(String),
    ['*hq,356327080425330,V0#'],
  );
});

t.test('framing', async (t) => {
  for (const { bytes, firstFrame, name } of all.filter(({ type }) => type === 'framing')) {
    const { messages, discarded } = h02.feed([bytes]);
    t.strictSame(messages[0], h02.feed([firstFrame!]).messages[0], name);
    t.equal(discarded, 0, name);
  }
});

t.test('what lies between frames, and cut-off text, does not take good frames with it', async (t) => {
  const rng = random(t);
  // Who has no id takes that of the session.
  const named = frames.filter(({ ids }) => ids[0] !== null);
  const texts = named.filter(isText).map(({ bytes }) => bytes);
  goodAmongBad(t, h02, texts, rng, {
    noise: (byte) => byte | 0x80,
    damage: (frame) => frame.fill(0xff, 0, 1),
  });
  const good = named.map(({ bytes }) => bytes);
  for (let round = 0; round < 20; round++) {
    const parts = Array.from({ length: 6 }, () => rng.pick(good));
    const stream = parts.flatMap((frame) => [
      frame,
      rng.bytes(rng.below(9)).map((byte) => byte | 0x80),
      Buffer.from('\r\n'),
    ]);
    const wanted = parts.map((frame) => JSON.stringify(h02.feed([frame]).messages[0]));
    const got = h02.feed([...stream, null]).messages.map((message) => JSON.stringify(message));
    t.strictSame(got, wanted, stream.map(hex).join(' '));
  }
  for (const bytes of texts) cutAnyhow(t, h02, bytes, rng, String(bytes));
});

t.test('what cannot be is absent, not invented', async (t) => {
  const decode = (text: string) => h02.feed([Buffer.from(text)]);
  const at = (clock: string, date: string, lat = '3542.2043,N', lon = '00038.6508,W', course = '17') =>
    decode(`*HQ,1,V1,${clock},A,${lat},${lon},0.00,${course},${date},FFFFFFFF#`).messages[0]!;
  t.match(at('213945', '221025'), {
    time: Date.UTC(2025, 9, 22, 21, 39, 45) / 1000,
    course: 17,
    valid: true,
  });
  t.equal(at('213945', '300225').time, undefined, '30 February');
  t.equal(at('243945', '221025').time, undefined, 'hour 24');
  t.match(at('213945', '221025', '9542.2043,N'), { latitude: undefined, longitude: undefined, valid: false });
  t.equal(at('213945', '221025', undefined, undefined, '361').course, undefined);
  t.equal(decode('*HQ,1#').errors[0], 'no *maker,device,command');
  const bad = unhex('24410601166012454313111650353a3006004318210e000000fffffbffff0024');
  t.match(h02.feed([bad, null]), { messages: [], discarded: 32 });
  t.equal(h02.peer().decode(bad).errors[0], 'not packed decimal');
  t.equal(h02.peer().decode(Buffer.from('$abc')).errors[0], 'too short');
});

t.test('cells by what is there, not by their number; a position where cells stand else', async (t) => {
  const decode = (text: string) => h02.feed([Buffer.from(`*HQ,1234567890,${text}#`)]).messages[0]!;
  const time = Date.UTC(2016, 8, 10, 10, 37, 32) / 1000;
  for (const count of [0, 1, 2, 6]) {
    const message = decode(`NBR,103732,722,310,0,${count},8106,32010,23,8101,22007,25,100916,FFFFFBFF,2`);
    t.match(message, { time, valid: false, cells: { length: 2 }, ignition: false }, `${count} announced`);
  }
  t.match(decode('NBR,103732,722,310,0,0,100916,FFFFFBFF'), { time, cells: { length: 0 } });
  t.match(decode('V3,103732,A,2234.1234,S,11405.1234,W,10.00,90,100916,FFFFFBFF'), {
    type: 'location',
    time,
    valid: true,
    latitude: -22.568723333333335,
    longitude: -114.08539,
    speed: 18.52,
    course: 90,
  });
  t.match(decode('NBR,103732').cells, { length: 0 });
});

t.test('commands', async (t) => {
  const time = Date.UTC(2020, 0, 1, 1, 2, 3) / 1000;
  const encode = (fields: string) =>
    h02.peer().encode(`{ type = "command", device_id = "123456789012345", time = ${time}, ${fields} }`);
  const wanted = Object.fromEntries(all.map(({ name, bytes }) => [name, hex(bytes)]));
  t.equal(encode('name = "alarm_arm"'), wanted['h02 encode #1']);
  t.equal(encode('name = "engine_stop"'), wanted['h02 encode #3']);
  t.equal(encode('name = "position_periodic", interval = 10'), wanted['h02 encode #5']);
  t.equal(unhex(encode('text = "D1,30"')).toString(), '*HQ,123456789012345,D1,010203,30#');
  t.match(encode('name = "dance"'), /needs the name of a command/);
  t.match(encode('text = "D1", time = "now"'), /time must be/);
  t.match(encode('text = "a#"'), /needs the name of a command/);
  t.match(encode('name = "position_periodic", interval = 0'), /interval must be 1 to 86400/);
  t.match(h02.peer().encode('{ type = "command", name = "alarm_arm" }'), /no device_id/);
  t.match(h02.peer().encode('"text"'), /can encode/);
});

t.test('mutated frames never raise', async (t) => {
  neverRaises(
    t,
    h02,
    all.map(({ bytes }) => bytes),
    random(t),
  );
});
