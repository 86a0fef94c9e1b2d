import t, { type Test } from 'tap';
import { splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

type Fields = Record<string, unknown>;

interface Vector {
  name: string;
  type: string;
  ascii: string;
  checksum: { ok: boolean } | null;
  expect: {
    stated: {
      fields?: Fields;
      rejected?: boolean;
      gpsd_tpv?: { time: string; lat: number; lon: number; speed_mps?: number };
    };
  };
}

const all = vectors<Vector>('nmea0183');
const nmea = new ProtocolUnderTest('protocols.nmea0183');
const KNOT = 1.852;
const bytes = (text: string) => Buffer.from(text, 'latin1');
const feed = (...lines: string[]) => nmea.feed(lines.map((line) => bytes(`${line}\r\n`)));
const only = (line: string): Message => feed(line).messages[0] ?? {};

/** Adds the start and the checksum. */
const sentence = (body: string, start = '$') => {
  const sum = bytes(body).reduce((xor, byte) => xor ^ byte, 0);
  return `${start}${body}*${sum.toString(16).padStart(2, '0')}`;
};

/** How we call what the libraries call otherwise; lists are compared item by item. */
const NAMES: Record<string, string> = {
  NumFragments: 'total',
  TotalMessages: 'total',
  TotalNumber: 'total',
  NumberOfSentences: 'total',
  numberOfMessages: 'total',
  FragmentNumber: 'number',
  MessageNumber: 'number',
  messageNumber: 'number',
  SentenceNumber: 'number',
  Number: 'number',
  NumberSVsInView: 'satellites_in_view',
  Info: 'in_view',
  SVPRNNumber: 'prn',
  SNR: 'snr',
  SV: 'satellites_used',
  SVs: 'satellites',
  satellites: 'satellites_used',
  NumSatellites: 'satellites',
  satellitesInView: 'satellites',
  horizontalDilution: 'hdop',
  altitudeMeters: 'altitude',
  geoidalSeperation: 'separation',
  faaMode: 'ffa_mode',
  modeIndicator: 'mode',
  trackTrue: 'course',
  trackMagnetic: 'magnetic_course',
  TrueTrack: 'course',
  MagneticTrack: 'magnetic_course',
  GroundSpeedKPH: 'speed',
  FFAMode: 'ffa_mode',
  ID: 'id',
  MMSI: 'mmsi',
  DGPSAge: 'dgps_age',
  DGPSId: 'dgps_id',
  HDOP: 'hdop',
  PDOP: 'pdop',
  VDOP: 'vdop',
  PGN: 'pgn',
  DistanceCPA: 'distance_cpa',
  TimeCPA: 'time_cpa',
  SpeedRPM: 'speed_rpm',
  SpeedMPS: 'speed_mps',
  SpeedKPH: 'speed_kph',
  SpeedThroughWaterKPH: 'speed_through_water_kph',
  UnitID: 'unit_id',
  MessageID: 'message_id',
  VDLMessageNumber: 'vdl_message_number',
  Measurements: 'values',
  TransducerName: 'name',
  ModelAndFirmwareVersion: 'model_and_firmware_version',
  ROMChecksumTest: 'rom_checksum_test',
  Cmd: 'command',
  xteMagn: 'cross_track_error_magnitude',
  DestinationWaypointID: 'destination_waypoint_id',
  OriginWaypointID: 'origin_waypoint_id',
  DestinationTalkerID: 'destination_talker',
  TrueHeading: 'true_heading',
  talker: 'talker',
  sentence_type: 'sentence',
  talkerId: 'talker',
  sentenceId: 'sentence',
  totalRms: 'rms',
  orientationOfSemiMajorError: 'orientation',
  pressure_bars: 'pressure_bar',
  waypoint_list: 'idents',
  datumCode: 'local_datum_code',
  seq_sent_iden: 'message_id',
  eq_status: 'operation_status',
  speed: 'wind_speed',
};

/** Units that the names tell, words for letters, and what is compared by itself below. */
const ELSEWHERE =
  /Unit|Units|Valid|Type$|^Type|^Data$|^Time|^Date$|Day|Month$|^Year|BaseSentence|Value$|Direction$|Port$|sentenceName|status$|Mode$|mode$|fixType|reference|speedKnots|Speed$|Variation|variation|offset|units|unit_bars|command_name|Status$|residuals|sv_res|SentanceVersion|Acknowledgement|DistressCause$|ExpansionIndicator|True$/;

const snake = (name: string) => name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toLowerCase();

/** The bits that an armoured payload stands for. */
function bitsOf({ payload, fill_bits }: Message): number[] {
  const bits = Array.from(payload as string).flatMap((character) => {
    const value = character.charCodeAt(0) - 48;
    return Array.from((value > 40 ? value - 8 : value).toString(2).padStart(6, '0'), Number);
  });
  return bits.slice(0, bits.length - (fill_bits as number));
}

function compareFields(t: Test, message: Message, fields: Fields, name: string): number {
  let compared = 0;
  for (const [key, wanted] of Object.entries(fields)) {
    const actual = message[snake(key)] ?? message[NAMES[key]!];
    const label = `${name}: ${key}`;
    if (key === 'Payload') {
      t.strictSame(bitsOf(message), wanted, label);
      compared++;
    } else if (Array.isArray(wanted) && typeof wanted[0] === 'object') {
      const items = actual as Message[];
      t.equal(items?.length, wanted.length, label);
      wanted.forEach((item, i) => {
        compared += compareFields(t, items[i]!, item as Fields, label);
      });
    } else if (actual === undefined) {
      // The libraries have zero and "" for what is absent.
      if (!ELSEWHERE.test(key)) t.notOk(String(wanted || '').trim(), `${label} ${wanted}`);
    } else if (typeof wanted === 'number' && typeof actual === 'number') {
      const near = Math.abs(Math.abs(actual) - Math.abs(wanted)) < 1e-9;
      t.ok(near || ELSEWHERE.test(key), `${label} ${actual} is ${wanted}`);
      compared++;
    } else if (Array.isArray(wanted)) {
      t.strictSame(
        Array.from(actual as string, String),
        wanted.map((item) => String(item).replace(/^0+/, '')),
        label,
      );
    } else if (typeof wanted !== 'object' && !ELSEWHERE.test(key)) {
      t.equal(String(actual), String(wanted), label);
      compared++;
    }
  }
  return compared;
}

t.test('every sentence decodes to what its source states, however it is cut', async (t) => {
  const rng = random(t);
  let compared = 0;
  for (const { name, ascii, expect } of all) {
    const { fields } = expect.stated;
    if (!fields) continue;
    for (const chunks of splits(bytes(`${ascii}\r\n`), rng)) {
      const { messages, errors, discarded } = nmea.feed(chunks);
      t.strictSame([messages.length, errors, discarded], [1, [], 0], name);
      compared += compareFields(t, messages[0]!, fields, name);
    }
  }
  t.ok(compared > 1500, `${compared} values`);
});

t.test('receivers’ own logs: time, position and speed as gpsd has them', async (t) => {
  let logs = 0;
  for (const { name, ascii, expect } of all) {
    const wanted = expect.stated.gpsd_tpv;
    if (!wanted) continue;
    const message = only(ascii);
    const near = (field: string, actual: unknown, value: number, within: number) =>
      t.ok(Math.abs((actual as number) - value) < within, `${name}: ${field} ${actual} is ${value}`);
    near('time', message.time, Date.parse(wanted.time) / 1000, 1e-3);
    near('latitude', message.latitude, wanted.lat, 1e-6);
    near('longitude', message.longitude, wanted.lon, 1e-6);
    if (wanted.speed_mps !== undefined) near('speed', message.speed, wanted.speed_mps * 3.6, 2e-3);
    t.equal(message.valid, true, name);
    logs++;
  }
  t.ok(logs > 80);
});

t.test('what the sources refuse is refused', async (t) => {
  // Noise ahead of a sentence is discarded here, and not the sentence with it.
  const otherwise = 'nmea RMC no start delimiter';
  for (const { name, ascii, expect } of all) {
    if (!expect.stated.rejected || name === otherwise) continue;
    const { messages, errors, discarded } = feed(ascii);
    t.strictSame(messages, [], name);
    t.ok(errors.length > 0 || discarded > 0, `${name}: and it is told`);
  }
  const { ascii } = all.find(({ name }) => name === otherwise)!;
  t.match(feed(ascii), { messages: [{ sentence: 'RMC', valid: true }], discarded: 3 });
});

t.test('what our names say otherwise', async (t) => {
  t.match(only('$GPRMC,220516,A,5133.82,N,00042.24,W,173.8,231.8,130694,004.2,W*70'), {
    type: 'location',
    time: Date.UTC(1994, 5, 13, 22, 5, 16) / 1000,
    speed: 173.8 * KNOT,
    course: 231.8,
    variation: -4.2,
    valid: true,
  });
  t.match(only('$GPZDA,172809.456,12,07,1996,00,00*57').time, Date.UTC(1996, 6, 12, 17, 28, 9, 456) / 1000);
  t.match(only('$WIXDR,C,9.7,C,2,U,24.1,N,0,U,24.4,V,1,U,3.510,V,2*46').values, [
    { name: '2', value: 9.7, unit: 'C' },
    { name: '0', value: 24.1, unit: 'N' },
    {},
    { value: 3.51 },
  ]);
  t.match(only('$MXPGN,01F112,2807,FC7FFF7FFF168012*11'), {
    pgn: 127250,
    is_send: false,
    priority: 2,
    address: 7,
    data_hex: 'fc7fff7fff168012',
  });
  t.match(only('$PCDIN,01F112,000C72EA,09,28C36A0000B40AFD*56'), {
    timestamp: 815850,
    source: 9,
    data_hex: '28c36a0000b40afd',
  });
  t.match(only('$PKLDS,220516,A,5133.82,N,00042.24,W,173.8,231.8,130694,004.2,W00,100,2000,15,00,*60'), {
    variation: -4.2,
    sentence_version: '00',
    fleet: '100',
    valid: true,
  });
  t.match(only('$STALK,9C,C1,2A,E5*4A').data_hex, '9cc12ae5');
  t.match(only('$GNGRS,162047.00,1,0.6,0.1,-16.6,-0.8,-0.1,0.5,,,,,,*41').residuals, [0.6, 0.1, -16.6, -0.8]);
  t.match(only('$CCGPQ,GGA*2B'), {
    type: 'query',
    talker: 'CC',
    destination_talker: 'GP',
    requested_sentence: 'GGA',
  });
  t.match(only('$AAYYY,20,one,*13'), { sentence: 'YYY', fields: ['20', 'one', ''] }, 'unknown: as it is');
  t.match(only('!AIVDM,1,1,,A,13aGt0PP0jPN@9fMPKVDJgwfR>`<,0*55'), {
    type: 'ais',
    payload: '13aGt0PP0jPN@9fMPKVDJgwfR>`<',
    fill_bits: 0,
    channel: 'A',
  });
  t.match(
    only(
      sentence(
        'PUBX,00,081350.00,4717.113210,N,00833.915187,E,546.589,G3,2.1,2.0,0.007,77.52,0.007,,0.92,1.19,0.77,9,0,0',
      ),
    ),
    {
      type: 'location',
      speed: 0.007,
      satellites: 9,
      valid: true,
    },
  );
  t.match(
    only(sentence('GPVTG,360.0,348.7,000.0,000.0')),
    { course: 360, magnetic_course: 348.7 },
    'before V2',
  );
  t.match(only(sentence('GPTXT,01,01,02,50^25 ^2A')).message, '50% *');
});

t.test('the time of day gets its date from the sentences before', async (t) => {
  const gga = (time: string) => sentence(`GPGGA,${time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,`);
  t.match(only(gga('123519.50')), { time: undefined, time_of_day: 45319.5, valid: true, altitude: 545.4 });
  const rmc = sentence('GPRMC,235958,A,4807.038,N,01131.000,E,022.4,084.4,311224,,,A');
  const { messages } = feed(rmc, gga('235959'), gga('000001'), gga('235959.5'));
  const midnight = Date.UTC(2025, 0, 1) / 1000;
  t.strictSame(
    messages.map(({ time }) => (time as number) - midnight),
    [-2, -1, 1, -0.5],
  );
});

t.test('sentences that belong together', async (t) => {
  const gsv = (talker: string, total: number, number: number, prn: number) =>
    sentence(`${talker}GSV,${total},${number},05,${prn},40,083,46,${prn + 1},17,308,41`);
  const groups = (...lines: string[]) => feed(...lines).messages.map(({ group }) => group);
  const prns = (group: unknown) => (group as Message[] | undefined)?.map(({ prn }) => prn);
  t.strictSame(
    groups(gsv('GP', 2, 1, 1), gsv('GL', 1, 1, 65), gsv('GP', 2, 2, 3)).map(prns),
    [undefined, [65, 66], [1, 2, 3, 4]],
    'of each talker',
  );
  t.strictSame(groups(gsv('GP', 3, 1, 1), gsv('GP', 3, 3, 3)), [undefined, undefined], 'one is missing');
  t.strictSame(groups(gsv('GP', 2, 2, 3)), [undefined], 'the first is missing');
  const short = (number: number, prn: number) => sentence(`GPGSV,,${number},,0${prn},,,`);
  t.strictSame(groups(gsv('GP', 3, 1, 1), short(2, 3), short(3, 4), short(3, 5)).map(prns), [
    undefined,
    undefined,
    [1, 2, 3, 4],
    undefined,
  ]);
  const vdm = (number: number, id: number, payload: string, fill = 0) =>
    sentence(`AIVDM,2,${number},${id},B,${payload},${fill}`, '!');
  t.strictSame(groups(vdm(1, 4, '55P5TL'), vdm(1, 5, '11111'), vdm(2, 4, '00000', 2), vdm(2, 5, '2')), [
    undefined,
    undefined,
    '55P5TL00000',
    '111112',
  ]);
  const rte = (number: number, rest: string) => sentence(`GPRTE,2,${number},c,0,${rest}`);
  t.strictSame(groups(rte(1, 'PBRCPK,PBRTO'), rte(2, 'PTELGR')), [undefined, ['PBRCPK', 'PBRTO', 'PTELGR']]);
  t.match(feed(sentence('GPRTE,1,1,c,0')).messages, [{ name: '0', idents: [], group: [] }], 'an empty route');
  const txt = (number: number, text: string) => sentence(`GPTXT,02,0${number},25,${text}`);
  t.strictSame(groups(txt(1, 'DR MODE-'), txt(2, 'ANTENNA')), [undefined, 'DR MODE-ANTENNA']);
  // Groups that are never completed do not add up.
  const open = Array.from({ length: 200 }, (_, id) => vdm(1, id, '0'));
  t.strictSame(groups(...open, vdm(2, 199, '1')).at(-1), '01');
});

t.test('tag blocks', async (t) => {
  const vdm = '!AIVDM,1,1,,A,13M@ah0025QdPDTCOl`K6`nV00Sv,0*52';
  const tagged = (block: string) => feed(`\\${sentence(block, '')}\\${vdm}`);
  t.match(tagged('s:Satelite_1,c:1553390539,g:1-2-1234').messages, [
    { type: 'ais', time: 1553390539, tags: { source: 'Satelite_1', group: '1-2-1234' } },
  ]);
  t.match(tagged('c:1553390539123').messages, [{ time: 1553390539.123 }]);
  t.match(tagged('n:13,t:hello,d:ara,r:7').messages[0]?.tags, {
    line: 13,
    text: 'hello',
    destination: 'ara',
  });
  t.match(tagged('s:a,,c:1').errors, [/a letter, a colon/]);
  t.match(tagged('n:x').errors, [/tag n must be a whole number/]);
  t.match(feed(`\\s:a*00\\${vdm}`).errors, ['tag block with a wrong checksum']);
  t.match(feed(`\\s:a\\${vdm}`).errors, ['tag block without a checksum']);
});

t.test('what cannot be is absent, not invented', async (t) => {
  const rmc = (time: string, date: string, position = '4807.038,N,01131.000,E') =>
    only(sentence(`GPRMC,${time},A,${position},022.4,084.4,${date},,,A`));
  t.match(rmc('123519', '300224'), { time: undefined, valid: true, time_of_day: 45319 });
  t.match(rmc('243519', '280224'), { time: undefined, time_of_day: undefined });
  t.match(rmc('123519', ''), { time: undefined });
  t.match(rmc('123519', '280224', '9107.038,N,01131.000,E'), { latitude: undefined, valid: false });
  t.match(rmc('123519', '280224', '4861.038,N,01131.000,E'), { latitude: undefined, valid: false });
  t.match(rmc('123519', '280224', '4807.038,N,18031.000,E'), { longitude: undefined });
  t.match(rmc('123519', '280224', ',,,'), { latitude: undefined, longitude: undefined, valid: false });
  t.match(only(sentence('GPGGA,,,,,,0,00,99.99,,,,,,')), {
    valid: false,
    latitude: undefined,
    satellites: 0,
  });
  t.match(only(sentence('GPVTG,400.0,T,,M,1.0,N,,K,A')), { course: undefined, speed: KNOT });
});

t.test('merged, cut and damaged sentences do not take good ones with them', async (t) => {
  const rng = random(t);
  const good = all.filter(({ expect }) => !expect.stated.rejected).map(({ ascii }) => ascii);
  for (let round = 0; round < 60; round++) {
    const [a, b, c] = [rng.pick(good), rng.pick(good), rng.pick(good)];
    const damaged = Buffer.from(bytes(b));
    damaged[1 + rng.below(damaged.length - 4)]! ^= 1;
    const noise = rng.bytes(rng.below(20)).map((byte) => byte | 0x80);
    const cut = bytes(b).subarray(0, 1 + rng.below(b.length - 4));
    const stream = Buffer.concat([bytes(`${a}\r\n`), noise, damaged, bytes('\r\n'), cut, bytes(`${c}\r\n`)]);
    const { messages } = nmea.feed([...rng.pick(splits(stream, rng)), null]);
    for (const line of [a, c]) {
      // Without what the sentences before it in the stream add: a date, a group.
      const { time: _, group: __, ...fields } = only(line);
      const same = (message: Message) =>
        Object.entries(fields).every(
          ([key, value]) => JSON.stringify(message[key]) === JSON.stringify(value),
        );
      t.ok(messages.some(same), `${line} in ${stream.toString('latin1')}`);
    }
  }
  const rmc = good.find((line) => line.startsWith('$GPRMC'))!;
  t.match(nmea.feed([bytes(rmc), null]).messages, [{ sentence: 'RMC' }], 'no end of line');
  // What was cut off has the exclusive or 0, so that the checksum fits both.
  t.match(feed(`$GPXTE,V${rmc}`).messages, [{ sentence: 'RMC' }]);
  t.equal(nmea.feed([bytes(`${rmc}\n${rmc}\r\n`)]).messages.length, 2, 'ends of both kinds');
  t.equal(nmea.peer().decode(bytes(`${rmc}\r\n${rmc}`)).messages.length, 2, 'a datagram');
  t.match(feed(rmc.slice(0, -3)).errors, ['no checksum']);
  t.match(feed(`${rmc.slice(0, -2)}00`).errors, ['wrong checksum']);
  t.match(feed(sentence('INVALID,123')).errors, ['no address']);
  t.match(feed('$'.repeat(1000), rmc).messages, [{ sentence: 'RMC' }]);
  t.match(nmea.feed([bytes(`$${'x'.repeat(3000)}`), bytes(`\r\n${rmc}\r\n`)]).messages, [
    { sentence: 'RMC' },
  ]);
});

t.test('encode', async (t) => {
  const encode = (source: string) => nmea.peer().encode(source);
  const sent = (source: string) => unhex(encode(source)).toString('latin1');
  t.equal(sent('{ address = "PMTK220", fields = { 1000 } }'), '$PMTK220,1000*1F\r\n');
  t.equal(sent('{ address = "CCGPQ", fields = { "GGA" } }'), '$CCGPQ,GGA*2B\r\n');
  t.equal(
    sent('{ address = "AIVDM", encapsulated = true, fields = { 1, 1, "", "A", "13a", 0 } }').slice(0, 7),
    '!AIVDM,',
  );
  const text = sent('{ address = "GPTXT", fields = { "01", "01", "02", "50% *,$" } }');
  t.match(only(text.trimEnd()).message, '50% *,$', 'what is reserved is escaped');
  t.match(encode('{ address = "G" }'), /address must be/);
  t.match(encode('{ address = "GPTXT", fields = { {} } }'), /fields\[1\] must be/);
  t.match(encode('{ address = "GPTXT", fields = { ("x"):rep(300) } }'), /at most 250/);
  t.match(encode('"text"'), /a sentence is a table/);
});

t.test('mutated sentences never raise', async (t) => {
  const rng = random(t);
  const lines = all.map(({ ascii }) => ascii);
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const mutated = Buffer.from(mutate(bytes(rng.pick(lines)), rng)).toString('latin1');
    nmea.feed([bytes(mutated), null]);
    // Past the checksum: any fields under any address.
    const body = mutated.replace(/^[$!]|\*.*$/g, '');
    const fields = body.split(',');
    fields[0] = rng.pick(lines).replace(/^[$!]|,.*$/g, '');
    const peer = nmea.peer();
    peer.decode(bytes(sentence(body)));
    peer.decode(bytes(sentence(fields.join(','))));
  }
  t.comment(`${tried} sentences`);
  t.ok(tried > 0);
});
