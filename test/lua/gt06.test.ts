import t, { type Test } from 'tap';
import { hex, splits, unhex } from '../support/framing.js';
import { type Message, type Outcome, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

interface Reference {
  decoded?: {
    fixTime?: string;
    deviceTime?: string;
    outdated: boolean;
    valid: boolean;
    latitude: number;
    longitude: number;
    altitude: number;
    speed_knots: number;
    course: number;
    attributes: Record<string, unknown>;
  } | null;
  ids?: string[] | null;
  replies: (string | { clock_dependent_example: string })[];
}

interface Vector {
  name: string;
  type: string;
  hex?: string;
  stream_hex?: string;
  frames?: { hex: string; reference: Reference }[];
  checksum?: { ok: boolean; length_field_ok: boolean };
  expect: {
    stated?: { attributes?: Record<string, unknown>; first_frame_hex?: string };
    reference?: Reference;
  };
}

const all = vectors<Vector>('gt06');
const gt06 = new ProtocolUnderTest('protocols.gt06');
const KNOT = 1.852;

/** Frames that a device sent as they are; the others were altered to hide whose they are. */
const genuine = all.filter(({ hex, checksum }) => hex && checksum && (checksum.ok || isLbsWifi(hex)));

/** Messages without checksum, whose third byte counts access points (protocols/gt06/lbs_wifi.lua). */
function isLbsWifi(frame: string): boolean {
  return (
    frame.startsWith('7878') &&
    /^(17|69)/.test(frame.slice(6)) &&
    Number.parseInt(frame.slice(4, 6), 16) <= 16
  );
}

function comparePosition(t: Test, message: Message, reference: Reference, name: string): void {
  const { decoded, ids } = reference;
  if (ids) t.equal(message.device_id, ids[0], `${name}: device`);
  // `outdated` marks what carries no position: the reference then shows an older one.
  if (!decoded?.fixTime || decoded.outdated) return;
  t.equal(message.time, Date.parse(decoded.fixTime) / 1000, `${name}: time`);
  if (message.latitude === undefined) {
    t.strictSame([decoded.latitude, decoded.longitude], [0, 0], `${name}: no position`);
    return;
  }
  const near = (field: string, actual: unknown, wanted: number, within: number) =>
    t.ok(Math.abs((actual as number) - wanted) <= within, `${name}: ${field} ${actual} is ${wanted}`);
  near('latitude', message.latitude, decoded.latitude, 1e-9);
  near('longitude', message.longitude, decoded.longitude, 1e-9);
  near('speed', message.speed ?? 0, decoded.speed_knots * KNOT, 1e-3);
  near('course', message.course, decoded.course, 1e-9);
  t.equal(message.valid, decoded.valid, `${name}: valid`);
  if (decoded.attributes.sat !== undefined)
    t.equal(message.satellites, decoded.attributes.sat, `${name}: satellites`);
}

/** What the sources state, in our names and units. Not here: what only a known device model can tell. */
const STATED: Record<string, object> = {
  '7878/12 #4': { temperature: 28, voltage: 12.06, rssi: 4, odometer: 32_890 },
  '7979/f1 #1': { voltage: 4.05 },
  '7878/a4 #1': { alarm: 'tampering' },
  '7878/61 #1': { driver_id: '20534657' },
  '7979/70 #1': { tag: { temperature: 29 } },
  '7979/94 #2': { humidity: 75, temperature: 21.3 },
  '7979/94 #5': { door: true },
  '7979/94 #7': { iccid: '8966051912408052452' },
  '7878/a3 #2': { steps: 600 },
  '7878/95 #1': { alarm: 'hard_cornering', event_files: /^EVENT_.*I_56\.mp4,EVENT_.*F_55\.mp4$/ },
  '7878/95 #3': { alarm: 'general' },
  '7878/95 #5': { alarm: 'hard_braking' },
  '7878/95 #7': { alarm: 'sos' },
  '7878/36 #1': { battery_voltage: 4.02 },
  '7878/36 #3': { battery_voltage: 4 },
  '7878/31 #1': { altitude: 678 },
  // Stated as -31703, which is the frame's CRC.
  '7878/32 #1': { altitude: 687 },
  '7878/16 #1': { battery: 93 },
  '7878/16 #3': { alarm: 'sos' },
  '7878/16 #5': { battery: 100 },
  '7878/16 #13': { driver_id: 'c3000001453f9201' },
  '7878/22 #1': { temperature: 0.32 },
  '7878/22 #8': { voltage: 12.51, device_id: '999999999999999' },
  '7878/a0 #1': { ignition: false },
  '7979/9b #1': { text: 'D7520A62' },
  '7979/9b #3': { text: '32382e33a1e60d0a' },
  '7878/27 #1': { alarm: 'low_battery' },
  '7878/a5 #1': { alarm: 'tampering' },
  '7878/26 #1': { alarm: 'tampering' },
  '7878/15 #1': { iccid: '89882390000097302650' },
  '7878/25 #1': { driver_id: '0235313030363538303642444603' },
  // And what follows from the protocol.
  '7878/12 #9': { odometer: 4_320_784, mcc: 404, mnc: 7, lac: 470, cell: 41_241 },
  '7878/12 #13': { device_id: '866703066502297', mcc: 310, mnc: 110 },
  '7979/21 #1': { text: 'Command error!' },
  '7979/21 #3': { latitude: 54.739332, longitude: 25.27327 },
  '7878/28 #1': {
    cells: [{ cell: 8049, rssi: -62 }, { cell: 8050, rssi: -49 }, { cell: 7715 }, { cell: 8000 }],
  },
  '7878/2c #1': { wifi: [{ mac: '001801eb4039', rssi: -56 }] },
  '7878/a7 #1': { phone: '+8618220847562' },
};

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, expect } of genuine) {
    for (const chunks of splits(unhex(hex!), rng)) {
      const outcome = gt06.feed(chunks);
      t.strictSame([outcome.discarded, outcome.errors], [0, []], name);
      for (const message of outcome.messages) {
        comparePosition(t, message, expect.reference!, name);
        t.match(message, STATED[name.slice(5)] ?? {}, name);
      }
    }
  }
  t.ok(genuine.length > 80);
});

t.test('an altered frame is discarded and counted; past the checksum it reads as before', async (t) => {
  for (const { name, hex, checksum, expect } of all) {
    if (!hex || checksum?.ok !== false || isLbsWifi(hex)) continue;
    const frame = unhex(hex);
    const outcome = gt06.feed([frame, null, null]);
    if (name !== 'gt06 7979/fd #1') {
      t.strictSame([outcome.messages, outcome.discarded], [[], frame.length], name);
    } else {
      t.equal(outcome.messages.length, 3, 'three good frames, together with the checksum of the last');
      t.match(outcome.messages, Array(3).fill({ device_id: '358899050927725', text: /^\[VERSION\]GT06D/ }));
    }
    if (!checksum.length_field_ok) continue;
    for (const message of gt06.peer().decode(frame).messages) {
      comparePosition(t, message, expect.reference!, name);
      t.match(message, STATED[name.slice(5)] ?? {}, name);
    }
  }
});

t.test('acknowledgements', async (t) => {
  // The reference keeps counting what the frame itself does not say, or fetches photographs.
  const otherwise = new Set(['gt06 7878/8a #1', 'gt06 7878/35 #1', 'gt06 7979/fd #1']);
  for (const { name, hex, expect } of genuine) {
    if (otherwise.has(name)) continue;
    t.strictSame(gt06.feed([unhex(hex!)]).replies, expect.reference!.replies, name);
  }
  const [time] = gt06.feed([unhex('7878058a000688290d0a')]).replies;
  const answered = /^78780b8a(.{12})0006.{4}0d0a$/.exec(time!);
  const [year, month, day, hour, minute, second] = unhex(answered![1]!);
  const at = Date.UTC(2000 + year!, month! - 1, day, hour, minute, second);
  t.ok(Math.abs(at - Date.now()) < 60_000, 'the time, in UTC, under the serial of the request');
});

t.test('times are local after a login with a time zone', async (t) => {
  const { frames } = all.find(({ type }) => type === 'session')!;
  const peer = gt06.peer();
  for (const { hex, reference } of frames!) {
    const { messages, replies } = peer.decode(unhex(hex));
    comparePosition(t, messages[0]!, reference, 'session');
    t.strictSame(replies, reference.replies);
    t.equal(messages[0]!.device_id, '123456789012345', 'each message says whose it is');
  }
  const login = (zone: string) =>
    gt06.peer().decode(unhex(`7878110101234567890123451001${zone}000100000d0a`)).messages[0]!.timezone;
  t.equal(login('2260'), (5 * 60 + 50) * 60, 'hours and minutes');
  t.equal(login('1f48'), -5 * 3600, 'west');
  t.equal(login('ffff'), undefined, 'no such zone');
});

t.test('framing', async (t) => {
  const rng = random(t);
  for (const { name, type, stream_hex, expect } of all) {
    if (type !== 'framing') continue;
    const frame = unhex(expect.stated!.first_frame_hex!);
    for (const chunks of splits(unhex(stream_hex!), rng)) {
      const { messages, discarded } = gt06.feed(chunks);
      t.equal(messages.length, 1, name);
      t.equal(discarded, stream_hex!.length / 2 - frame.length, name);
    }
  }
});

t.test('merged, truncated and damaged frames do not take good ones with them', async (t) => {
  const rng = random(t);
  const good = genuine
    .map(({ hex }) => unhex(hex!))
    .filter((frame) => gt06.feed([frame]).messages.length === 1);
  for (let round = 0; round < 40; round++) {
    const [a, b, c] = [rng.pick(good), rng.pick(good), rng.pick(good)];
    const damaged = Uint8Array.from(b);
    damaged[rng.below(damaged.length - 6) + 4]! ^= 1 + rng.below(255);
    const noise = rng.bytes(rng.below(20)).map((byte) => byte & 0x3f); // no start in it
    const cut = c.subarray(0, rng.below(c.length));
    const stream = Buffer.concat([a, noise, damaged, c, cut]);
    const name = [a, noise, damaged, c, cut].map(hex).join(' ');
    const chunks = rng.pick(splits(stream, rng));
    const outcome: Outcome = gt06.feed([...chunks, ...Array(60).fill(null)]);
    // A message without checksum may be damaged unnoticed.
    const [first, last] = gt06.feed([a, c]).messages;
    t.strictSame(outcome.messages[0], first, name);
    t.strictSame(outcome.messages.at(-1), last, name);
    t.ok(outcome.messages.length <= 3 && (isLbsWifi(hex(b)) || outcome.messages.length === 2), name);
  }
});

t.test('what cannot be is absent, not invented', async (t) => {
  const decode = (body: string, number = '12') =>
    gt06.peer().decode(unhex(`787800${number}${body}000100000d0a`)).messages[0]!;
  const gps = '027ac8840c4657ec00140001cc00287d001f72';
  t.equal(decode(`0c010c0f151fcf${gps}`).time, Date.UTC(2012, 0, 12, 15, 21, 31) / 1000);
  t.equal(decode(`0c021e0f151fcf${gps}`).time, undefined, '30 February');
  t.equal(decode(`0c010c18151fcf${gps}`).time, undefined, 'hour 24');
  t.match(decode(`0c010c0f151fcfffffffff0c4657ec001400`), {
    latitude: undefined,
    longitude: undefined,
    valid: false,
  });
  t.equal(decode(`0c010c0f151fcf027ac8840c4657ec0015ff`).course, undefined, '511 degrees');
  t.equal(decode(`0c010c0f151fcf027ac8840c4657ec001400`).cell, undefined, 'no cell');
  t.match(decode('45ff04000201', '13'), { battery: undefined, rssi: 4 }, 'no level of a battery');
  t.equal(gt06.peer().decode(unhex('7878110101a34567890123450001ab120d0a')).errors[0], 'no IMEI');
});

t.test('the length of a body tells which message it is', async (t) => {
  const decode = (number: string, body: string) => {
    const bytes = body.replaceAll(' ', '');
    const length = (bytes.length / 2 + 5).toString(16).padStart(2, '0');
    return gt06.peer().decode(unhex(`7878${length}${number}${bytes}000100000d0a`)).messages[0]!;
  };
  const at = Date.UTC(2024, 2, 1, 8, 30) / 1000;
  const date = '180301081e00';
  const gps = `${date} ca 0159c6c0 00d69200 3c 145a`;
  const cell = '00fe 03 1a2b 003c4d';
  const place = {
    time: at,
    latitude: 0x0159c6c0 / 1800000,
    longitude: 0x00d69200 / 1800000,
    speed: 60,
    course: 90,
    satellites: 10,
    valid: true,
  };
  const served = { mcc: 254, mnc: 3, lac: 0x1a2b, cell: 0x3c4d };

  t.match(decode('2d', `${gps} ${cell} 01 02 01`), { type: 'location', ...place, ...served, archived: true });
  t.match(decode('17', `${gps} ${cell} 0102030405060708 01`), {
    type: 'location',
    ...place,
    driver_id: '0102030405060708',
  });
  t.match(decode('17', `${gps} ${cell} 0102030405060708`), { type: 'location', ...place });
  t.equal(decode('17', `${cell} 2b34363730313233343536000000000000000000 0001`).type, 'address_request');

  t.match(decode('24', `${gps} ${cell} 01 04d2 019a 00000000000000000000`), { ...place, voltage: 12.34 });
  const towers = `${'1a2b 003c4d 40 '.repeat(2)}${'0000 000000 00 '.repeat(5)}`;
  const seven = decode('24', `${date} 00fe 03 ${towers} 00 0001`);
  t.match(seven, { type: 'lbs', time: at, latitude: undefined, cells: [{ ...served, rssi: -64 }, served] });
  const counted = decode('24', `${date} 00 00fe 03 05 ${'1a2b 003c4d 40 '.repeat(5)} 000000`);
  t.match(counted, { type: 'lbs', time: at, latitude: undefined });
  t.equal((counted.cells as object[]).length, 5);
  const points = decode('33', `${date} 00fe 03 ${'1a2b 00003c4d 40 '.repeat(6)} 00 01 0a0b0c0d0e0f 32`);
  t.match(points, { type: 'lbs', time: at, wifi: [{ mac: '0a0b0c0d0e0f', rssi: -50 }] });
  t.match(decode('34', `${date} ${'11'.repeat(44)}`), { type: 'lbs', time: at, latitude: undefined });

  t.match(decode('1e', gps), { type: 'location', ...place, cells: undefined });
  t.match(decode('19', `${cell} 46 04 03 01 02`), {
    type: 'alarm',
    ...served,
    battery: 66,
    alarm: 'sos',
    time: undefined,
  });
  t.match(decode('19', `${date} ${cell} 00000000`), { type: 'alarm', ...served, time: at });
  t.match(decode('a3', '06 05 04 02 000000'), {
    type: 'status',
    battery: 83,
    ignition: true,
    alarm: 'power_cut',
  });
  const source = `02 0123456789012345 ${date} ${gps} 08 ${cell} 46 04d2 29 04 00 00 000064 00003c`;
  t.match(decode('22', source), { type: 'location', ...place, device_id: '123456789012345', voltage: 12.34 });
  t.equal(decode('01', '5123456789012345').device_id, '123456789012345', 'the digit before the IMEI');
});

t.test('commands', async (t) => {
  const { hex } = all.find(({ type }) => type === 'encode')!;
  const peer = gt06.peer();
  t.equal(peer.encode('{ type = "command", text = "Relay,1#" }'), hex);
  t.match(
    peer.encode('{ type = "command", text = "Relay,1#", server_flag = 4294967295 }'),
    /^787812800cffffffff52656c61792c31230001.{4}0d0a$/,
    'the serial counts',
  );
  const longest = peer.encode('{ type = "command", text = ("x"):rep(245) }');
  t.equal(unhex(longest).length, 260);
  t.equal(peer.encode('{ type = "command", text = ("x"):rep(246) }'), 'text must have 1 to 245 bytes');
  t.match(peer.encode('{ type = "command", text = "x", server_flag = -1 }'), /server_flag must be/);
  t.match(peer.encode('"text"'), /only .* can be encoded/);
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const frames = all.flatMap(({ hex }) => (hex ? [unhex(hex)] : []));
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(frames), rng);
    gt06.feed([bytes, null]);
    gt06.peer().decode(bytes); // past the checksum, which few mutations survive
    // Any protocol number on any body.
    if (bytes.length > 5) bytes[bytes[0] === 0x79 ? 4 : 3] = rng.below(256);
    gt06.peer().decode(bytes);
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});
