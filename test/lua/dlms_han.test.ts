import t, { type Test } from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  hex: string;
  expect: { stated: { fields: Record<string, string | number> } };
}

const all = vectors<Vector>('dlms_han');
const han = new ProtocolUnderTest('protocols.dlms_han');
const FCS = crc('CRC-16/IBM-SDLC');

const LLC = 'e6e700';

/** An HDLC frame around an information field. */
function hdlc(information: string, { segmented = false, stuffed = false } = {}): Buffer {
  const content = Buffer.concat([unhex('a000010201100000'), unhex(information)]);
  content.writeUInt16BE((segmented ? 0xa800 : 0xa000) + content.length + 2);
  content.writeUInt16LE(Number(FCS.compute(content, 0, 6)), 6);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(Number(FCS.compute(content)));
  const bytes = [...content, ...check];
  return Buffer.from([
    0x7e,
    ...(stuffed ? bytes.flatMap((b) => (b === 0x7e || b === 0x7d ? [0x7d, b ^ 0x20] : [b])) : bytes),
    0x7e,
  ]);
}

/** The sources' names of values in ours. */
const NAMES: Record<string, string> = {
  list_ver_id: 'list_version',
  meter_id: 'device_id',
  meter_type: 'meter_type',
  meter_manufacturer: 'manufacturer',
};

function compare(t: Test, message: Message, { name, expect }: Vector): void {
  const values = message.values as { name: string; value: number; unit: string; obis: string }[];
  for (const [field, stated] of Object.entries(expect.stated.fields)) {
    if (field === 'meter_datetime') {
      const text = String(stated);
      t.equal(message.local_time, text.slice(0, 19), `${name}: ${field}`);
      t.equal(message.time, text.length > 19 ? Date.parse(text) / 1000 : undefined, `${name}: ${field}`);
    } else if (NAMES[field]) {
      t.equal(message[NAMES[field]], stated, `${name}: ${field}`);
    } else {
      const ours = field.replace(/^active_/, '').replace(/power_(import|export)_total$/, 'energy_$1');
      const value = values.find((each) => each.name === ours);
      t.equal(value?.value, stated, `${name}: ${field}`);
      const [, reactive] = /^(re)?active/.exec(field) ?? [];
      const unit = /^current/.test(field)
        ? 'A'
        : /^voltage/.test(field)
          ? 'V'
          : `${reactive ? 'var' : 'W'}${/total/.test(field) ? 'h' : ''}`;
      t.equal(value?.unit, unit, `${name}: ${field}`);
    }
  }
}

t.test(
  'every list decodes to what its source states: in HDLC, stuffed, without it, as a datagram',
  async (t) => {
    const rng = random(t);
    for (const vector of all) {
      for (const stream of [hdlc(vector.hex), hdlc(vector.hex, { stuffed: true }), unhex(vector.hex)]) {
        const { messages, errors, discarded } = cutAnyhow(t, han, stream, rng, vector.name);
        t.strictSame([messages.length, errors, discarded], [1, [], 0], vector.name);
        compare(t, messages[0]!, vector);
      }
    }
  },
);

/** A notification of data, with a date of 12 bytes or none. */
const notification = (data: string, date = '') =>
  `${LLC}0f40000000${date === '' ? '00' : `0c${date}`}${data}`;
const decode = (information: string) => han.feed([hdlc(information)]);

t.test('Kaifa: short lists, one phase, every hour', async (t) => {
  t.match(decode(notification('0201060000028a')).messages, [
    { manufacturer: 'Kaifa', values: [{ name: 'power_import', value: 650, unit: 'W' }] },
  ]);
  const text = (value: string) =>
    `09${value.length.toString(16).padStart(2, '0')}${Buffer.from(value).toString('hex')}`;
  const number = (value: number) => `06${value.toString(16).padStart(8, '0')}`;
  const head = text('KFM_001') + text('123') + text('MA105') + [1000, 0, 3, 4].map(number).join('');
  const hour = `090c07e40119060d0000ff800000${[5000, 6, 7, 8].map(number).join('')}`;
  const one = decode(notification(`020e${head}${number(1500)}${number(2301)}${hour}`)).messages[0]!;
  t.match(one, {
    device_id: '123',
    meter_type: 'MA105',
    local_time: '2020-01-25T13:00:00',
    values: [
      { value: 1000 },
      { value: 0 },
      { value: 3 },
      { value: 4 },
      { name: 'current_l1', value: 1.5 },
      { name: 'voltage_l1', value: 230.1 },
      { name: 'energy_import', value: 5000, unit: 'Wh' },
    ],
  });
  t.match(decode(notification(`0209${head}${number(1500)}${number(2301)}`)).messages[0]!.device_id, '123');
  t.match(decode(notification('02020600000001 0600000002'.replace(' ', ''))).errors, [/unknown layout/]);
});

t.test('Landis+Gyr and others: described values, whose scale is not known', async (t) => {
  const object = (code: string, index: number) =>
    `0204120003 0906${code} 0f02 12000${index}`.replaceAll(' ', '');
  const list = `0103${object('00002a0000ff', 1)}${object('0100010800ff', 2)}${object('01001f0700ff', 3)}`;
  const values = `0910${Buffer.from('LGZ1030655933512').toString('hex')}06000003e81200fa`;
  const { messages } = decode(notification(`0204${list}${values}`));
  t.match(messages, [
    {
      manufacturer: 'Landis+Gyr',
      device_id: 'LGZ1030655933512',
      values: [
        { name: 'energy_import', value: 1000, unit: 'Wh' },
        { name: 'current_l1', value: 250, unit: undefined },
      ],
    },
  ]);
});

t.test('encrypted lists are told as such', async (t) => {
  const cipher = `db084c475a6773745565${'82011e'}2100000c05${'5a'.repeat(281)}`;
  t.match(decode(LLC + cipher).messages, [
    {
      type: 'encrypted',
      manufacturer: 'Landis+Gyr',
      device_id: '4c475a6773745565',
      system_title: '4c475a6773745565',
      security_control: 0x21,
      frame_counter: 3077,
      ciphertext_size: 281,
    },
  ]);
  t.match(decode(`${LLC}dd00`).messages, [{ type: 'encrypted', ciphering: 'general' }]);
});

t.test('segments and blocks', async (t) => {
  const { hex } = all[0]!;
  const parts = [hex.slice(0, 200), hex.slice(200, 400), hex.slice(400)];
  const stream = parts.map((part, i) => hdlc(part, { segmented: i < 2 }));
  const whole = decode(hex).messages;
  t.strictSame(han.feed(stream).messages, whole, 'segments');
  t.strictSame(han.feed([stream[0]!, ...stream]).messages, whole, 'a message that begins anew');
  const block = (number: number, last: boolean, part: string) =>
    hdlc(
      `${LLC}e0${last ? '80' : '00'}000${number}000082${(part.length / 2).toString(16).padStart(4, '0')}${part}`,
    );
  const inner = hex.slice(LLC.length);
  const blocks = [
    block(1, false, inner.slice(0, 100)),
    block(2, false, inner.slice(100, 200)),
    block(3, true, inner.slice(200)),
  ];
  t.strictSame(han.feed(blocks).messages, whole, 'blocks');
  t.match(han.feed([blocks[0]!, blocks[2]!]).errors, ['block 3 without those before it']);
});

t.test('times', async (t) => {
  const time = (date: string) => decode(notification('0201060000028a', date)).messages[0]!;
  t.match(time('07e5091603112 31effffc400'.replace(' ', '')), {
    time: Date.UTC(2021, 8, 22, 16, 35, 30) / 1000,
  });
  t.match(time('07e509160311231eff007800'), { time: Date.UTC(2021, 8, 22, 19, 35, 30) / 1000 }, 'west');
  t.match(time('07e509160311231eff800000'), { time: undefined, local_time: '2021-09-22T17:35:30' });
  t.match(time('07e5021e0311231eff800000'), { local_time: undefined }, '30 February');
  const [at] = han.vm.execute(
    `return require("protocols.dlms_han").new({ utc_offset = 1 }).decode(
      mix.unhex("${notification('0201060000028a', '07e509160311231eff800000')}"), {}).time`,
    '@test',
  );
  t.equal(at, Date.UTC(2021, 8, 22, 16, 35, 30) / 1000);
  t.throws(
    () => han.vm.execute('require("protocols.dlms_han").new { utc_offset = "1" }', '@test'),
    /utc_offset/,
  );
});

t.test('a wrong check sequence is discarded and counted; what has none must end with its data', async (t) => {
  for (const { name, hex } of all) {
    const frame = hdlc(hex);
    frame[40]! ^= 1;
    const { messages, discarded, errors } = han.feed([frame, null, null, null]);
    t.strictSame([messages, discarded, errors], [[], frame.length, []], name);
    t.match(han.peer().decode(frame).errors, ['checksum error'], name);
  }
  // The rest of a frame whose begin was not heard.
  t.match(han.feed([hdlc(all[0]!.hex).subarray(9), null]).errors, ['3 bytes behind the data']);
  t.match(han.feed([unhex(`${notification('0201060000028a')}00`), null]).errors, ['1 bytes behind the data']);
});

t.test('malformed messages', async (t) => {
  for (const [information, problem] of [
    [`${LLC}0f4000`, /cut short/],
    [`${LLC}0f400000000a00`, /without its date/],
    [notification('02'), /without its length/],
    [notification('020106'), /cut short/],
    [notification('0113'), /cut short/],
    [notification('010113'), /unknown type 19/],
    [notification('0282ffff'), /more than 1000 elements/],
    [notification('0201'.repeat(9)), /more than 8 levels/],
    [notification('00'), /no list/],
    [`${LLC}c0`, /unknown message c0/],
  ] as const) {
    t.match(decode(information).errors, [problem], information);
  }
  t.match(han.peer().decode(unhex('a00902211300')).errors.length, 1);
});

t.test('good frames among bad ones; mutated ones never raise', async (t) => {
  const rng = random(t);
  goodAmongBad(
    t,
    han,
    all.map(({ hex }) => hdlc(hex)),
    rng,
    {
      noise: (byte) => byte & 0x3f,
      damage: (frame) => {
        frame[9 + rng.below(frame.length - 11)]! ^= 1;
      },
    },
  );
  neverRaises(t, han, [...all.map(({ hex }) => unhex(hex)), ...all.map(({ hex }) => hdlc(hex))], rng);
});
