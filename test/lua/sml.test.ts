import t, { type Test } from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

interface Stated {
  body: string;
  server_id?: string;
  list_name?: string;
  act_sensor_time?: { sec_index: number };
  entries?: {
    obis: string;
    unit?: number;
    status?: { int: number };
    val_time?: { sec_index: number };
    value?: { int?: number; octets?: string };
    scaled?: number;
  }[];
}

interface Vector {
  name: string;
  type: 'frame' | 'stream';
  hex?: string;
  stream_hex?: string;
  expect: { stated: { messages?: Stated[]; results_in_order?: { messages?: Stated[] }[] } };
}

const all = vectors<Vector>('sml');
const frames = all.flatMap(({ hex }) => (hex ? [unhex(hex)] : []));
const sml = new ProtocolUnderTest('protocols.sml');

const UNITS: Record<number, string> = { 8: '°', 27: 'W', 30: 'Wh', 33: 'A', 35: 'V', 44: 'Hz' };

function compare(t: Test, messages: Message[], stated: Stated[], name: string): void {
  const lists = stated.filter(({ body }) => body === 'GetListResponse');
  t.equal(messages.length, lists.length, `${name}: messages`);
  lists.forEach(({ server_id, list_name, act_sensor_time, entries }, i) => {
    const { values, ...rest } = messages[i]!;
    t.match(
      rest,
      { type: 'list', device_id: server_id, list_name, seconds_index: act_sensor_time?.sec_index },
      name,
    );
    const expected = entries!.map(({ obis, unit, status, val_time, value, scaled }) => ({
      obis,
      unit: UNITS[unit ?? 255],
      status: status?.int,
      seconds_index: val_time?.sec_index || undefined,
      value: scaled ?? (value?.octets || undefined),
    }));
    const actual = (values as Record<string, unknown>[]).map(
      ({ obis, unit, status, seconds_index, value, hex }) => ({
        obis,
        unit,
        status,
        seconds_index,
        value: hex ?? value,
      }),
    );
    t.equal(actual.length, expected.length, `${name}: values`);
    expected.forEach((wanted, j) => {
      const got = actual[j]!;
      if (typeof wanted.value === 'number') {
        t.ok(
          Math.abs((got.value as number) - wanted.value) < 1e-6,
          `${name}: ${got.value} is ${wanted.value}`,
        );
        got.value = wanted.value;
      }
      t.strictSame(got, wanted, `${name}: ${wanted.obis}`);
    });
  });
}

t.test('every frame decodes to what its source says, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, expect } of all) {
    if (!hex) continue;
    for (const chunks of splits(unhex(hex), rng)) {
      const { messages, errors, discarded } = sml.feed(chunks);
      t.strictSame([errors, discarded], [[], 0], name);
      compare(t, messages, expect.stated.messages!, name);
    }
  }
  t.equal(frames.length, 19);
});

t.test('captures: what is cut off or damaged is dropped, every other file is read', async (t) => {
  const rng = random(t);
  for (const { name, stream_hex, expect } of all) {
    if (!stream_hex) continue;
    const stated = expect.stated.results_in_order!.flatMap(({ messages }) => messages ?? []);
    const [whole, , random] = splits(unhex(stream_hex), rng);
    for (const chunks of [whole!, random!]) {
      const { messages, errors } = sml.feed([...chunks, null]);
      t.strictSame(errors, [], name);
      compare(t, messages, stated, name);
    }
  }
});

t.test('what a meter says, in names', async (t) => {
  const one = (name: string) => {
    const { hex } = all.find((vector) => vector.name === `sml frame ${name}`)!;
    return sml.feed([unhex(hex!)]).messages[0]! as Message & { values: Message[] };
  };
  const iskra = one('ISKRA_MT175_eHZ');
  t.match(iskra, {
    device_id: '090149534b000403df63',
    meter_number: '1ISK0067362659',
    values: [
      { name: 'manufacturer', value: 'ISK', hex: '49534b' },
      { name: 'device_number', value: '090149534b000403df63' },
      { name: 'energy_import', obis: '1-0:1.8.0*255', unit: 'Wh', value: 22_462_413.6 },
      { name: 'energy_import_tariff_1' },
      { name: 'energy_import_tariff_2', value: 0 },
      { name: 'power', unit: 'W', value: 168 },
      { name: 'power_l1', value: 117 },
      { name: 'power_l2', value: 22 },
      { name: 'power_l3', value: 29 },
      { name: 'public_key', value: /^[0-9a-f]{96}$/ },
    ],
  });
  t.equal(iskra.values[1]!.hex, undefined, 'octets that are no text');
  t.match(one('HOLLEY_DTZ541-ZDBA').values.slice(5, 15), [
    { name: 'power' },
    { name: 'voltage_l1', unit: 'V' },
    { name: 'voltage_l2' },
    { name: 'voltage_l3' },
    { name: 'current_l1', unit: 'A' },
    { name: 'current_l2' },
    { name: 'current_l3' },
    { name: 'phase_angle_u_l2_u_l1', unit: '°' },
    { name: 'phase_angle_u_l3_u_l1' },
    { name: 'phase_angle_i_l1_u_l1' },
  ]);
  t.equal(one('EMH_eHZ361L5R').meter_number, undefined, 'a server id of another kind');
});

/** Encoders for what the captures do not hold. */
const u8 = (value: number) => `62${value.toString(16).padStart(2, '0')}`;
const u32 = (value: number) => `65${value.toString(16).padStart(8, '0')}`;
const octets = (hex: string) => (hex.length / 2 + 1).toString(16).padStart(2, '0') + hex;
const list = (...items: string[]) => `7${items.length.toString(16)}${items.join('')}`;
const message = (tag: string, body: string) =>
  list(octets('01'), u8(0), u8(0), list(`63${tag}`, body), '631234', '00');

function transport(payload: string, name = 'CRC-16/IBM-SDLC'): Buffer {
  const padding = (4 - ((payload.length / 2) % 4)) % 4;
  const stuffed = payload.replaceAll(/(?<=^(?:..)*)1b1b1b1b/g, '1b1b1b1b1b1b1b1b');
  const frame = unhex(`1b1b1b1b01010101${stuffed}${'00'.repeat(padding)}1b1b1b1b1a0${padding}`);
  const sum = Number(crc(name).compute(frame));
  return Buffer.concat([frame, Buffer.from([sum & 0xff, sum >> 8])]);
}

const SERVER = octets('0a01454d480000a1bd34');
const DEVICE = '0a01454d480000a1bd34';
const TIME = list(u8(2), u32(1_700_000_000));

t.test('profiles, parameters and attentions', async (t) => {
  const read = (payload: string) => sml.feed([transport(payload)]);
  const entry = list(octets('0100010800ff'), u8(30), '5201', '5301f4', '01');
  t.strictSame(
    read(
      message(
        '0401',
        list(SERVER, '01', u32(900), list(octets('8181c78610ff')), TIME, u8(5), list(entry), '01', '01'),
      ),
    ).messages,
    [
      {
        type: 'profile',
        device_id: DEVICE,
        meter_number: '1EMH0010599732',
        time: 1_700_000_000,
        period: 900,
        path: '129-129:199.134.16*255',
        status: 5,
        values: [{ name: 'energy_import', obis: '1-0:1.8.0*255', unit: 'Wh', value: 5000 }],
      },
    ],
  );
  const head = list(octets('0100020800ff'), u8(30), '5200');
  const row = (time: number, value: number) =>
    list(list(u8(3), list(u32(time), '530078', '530000')), u8(0), list(list(u32(value), '01')), '01');
  t.match(
    read(
      message(
        '0301',
        list(SERVER, '01', u32(900), '01', list(head), list(row(900, 7), row(1800, 9)), '01', '01'),
      ),
    ).messages,
    [
      { time: 900, values: [{ name: 'energy_export', value: 7 }] },
      { time: 1800, values: [{ value: 9 }] },
    ],
    'a message for each row; a local time carries UTC',
  );
  const leaf = (code: string, choice: string) => list(octets(code), choice, '01');
  const tree = list(
    octets('8181c78202ff'),
    '01',
    list(
      leaf('0100000200ff', list(u8(1), octets('414243'))),
      leaf('0100600800ff', list(u8(4), TIME)),
      leaf('0100010800ff', list(u8(2), entry)),
    ),
  );
  t.match(read(message('0501', list(SERVER, list(octets('8181c78202ff')), tree))).messages, [
    {
      type: 'parameters',
      device_id: DEVICE,
      values: [
        { name: 'firmware_version', value: 'ABC' },
        { name: 'operating_time', value: 1_700_000_000 },
        { name: 'energy_import', value: 5000 },
      ],
    },
  ]);
  t.match(read(message('ff01', list(SERVER, octets('8181c7c7fe03'), octets('6e6f'), '01'))).messages, [
    { type: 'attention', device_id: DEVICE, attention: '8181c7c7fe03', text: 'no' },
  ]);
  t.match(
    read(message('0700', list('01'))).messages,
    [{ type: 'unknown', tag: 0x700 }],
    'a request overheard',
  );
  const open = message('0101', list('01', '01', octets('01'), SERVER, TIME, u8(2)));
  t.match(
    read(open + message('0701', list('01', '01', '01', '01', list(), '01', '01'))).messages,
    [{ device_id: DEVICE, time: 1_700_000_000, values: [] }],
    'what an answer leaves out is as the file was opened',
  );
});

t.test('escapes within the content, either CRC, and starts anew', async (t) => {
  const rng = random(t);
  const text = (hex: string) => message('0701', list('01', SERVER, octets(hex), '01', list(), '01', '01'));
  for (const hex of ['1b1b1b1b', '001b1b1b1b1b', '1b'.repeat(12), '1b1b1b1a00', '1b1b1b1b1a000000']) {
    for (const chunks of splits(transport(text(hex)), rng)) {
      t.match(sml.feed(chunks), { messages: [{ list_name: hex }], discarded: 0, errors: [] }, hex);
    }
  }
  t.equal(sml.feed([transport(text('00'), 'CRC-16/KERMIT')]).messages.length, 1, 'as Holley computes it');
  const good = frames[0]!;
  const cut = good.subarray(0, 100);
  const again = sml.feed([cut, good]);
  t.match(again, { discarded: cut.length, reasons: ['malformed'] });
  t.equal(again.messages.length, 1, 'a start within a frame begins a new one at once');
});

t.test('merged, truncated and damaged frames do not take good ones with them', async (t) => {
  const rng = random(t);
  for (let round = 0; round < 25; round++) {
    const [a, b, c] = [rng.pick(frames), rng.pick(frames), rng.pick(frames)];
    const damaged = Uint8Array.from(b);
    damaged[8 + rng.below(b.length - 16)]! ^= 1 << rng.below(8);
    const noise = rng.bytes(rng.below(20));
    const stream = Buffer.concat([noise, a, damaged, noise, c, c.subarray(0, rng.below(c.length))]);
    const outcome = sml.feed([...rng.pick(splits(stream, rng)), ...Array<null>(8).fill(null)]);
    const wanted = [...sml.feed([a]).messages, ...sml.feed([c]).messages];
    t.strictSame(outcome.messages, wanted);
    t.equal(outcome.discarded, stream.length - a.length - c.length);
    t.strictSame(outcome.errors, []);
  }
});

t.test('malformed content is an error with its place', async (t) => {
  const fails = (payload: string) => sml.feed([transport(payload)]).errors[0];
  t.equal(fails('42'), 'message at byte 1: no message');
  t.equal(fails('7601'), 'message at byte 1: ends where an element should begin');
  t.equal(fails(`76${'71'.repeat(40)}01`), 'message at byte 1: lists within lists too deep');
  t.equal(fails('768f8f8f8f8f0f'), 'message at byte 1: impossible length');
  t.equal(fails('767f'), 'message at byte 1: a list longer than the message');
  t.equal(fails('760501'), 'message at byte 1: an element longer than the message');
  t.equal(fails('766a000102030405060708'), 'message at byte 1: no element of type 6 has 9 bytes');
  t.equal(fails(list('01', '01', '01', '01', '01', '00')), 'message at byte 1: a message without a body');
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const bytes = mutate(rng.pick(frames), rng);
    sml.feed([bytes, null]);
    sml.peer().decode(bytes.subarray(8, -8)); // past the checksum, which few mutations survive
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});
