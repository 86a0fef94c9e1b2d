import t from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  ascii: string;
  checksum: { present: boolean; ok?: boolean };
  expect: {
    stated: { values?: Record<string, unknown>; manufacturer?: string };
    computed: { identification: string; lines: Record<string, string[][]> };
  };
  names_to_line_pattern?: Record<string, string>;
}

interface Value {
  name: string;
  value: number | string;
  unit?: string;
  obis: string;
  time?: number;
  channel?: number;
  text?: string;
}

const all = vectors<Vector>('dsmr_p1');
const p1 = new ProtocolUnderTest('protocols.dsmr_p1');
const bytes = (text: string) => Buffer.from(text, 'latin1');
const ARC = crc('CRC-16/ARC');

/** A telegram of data lines, with its CRC. */
function telegram(...lines: string[]): Buffer {
  const body = ['/XXX5TEST', '', ...lines, '!'].join('\r\n');
  return bytes(
    `${body}${Number(ARC.compute(bytes(body)))
      .toString(16)
      .padStart(4, '0')
      .toUpperCase()}\r\n`,
  );
}

const decode = (...lines: string[]) => p1.feed([telegram(...lines)]).messages[0]!;
const values = (message: Message) => message.values as Value[];
const entry = (message: Message, obis: string) => values(message).find((value) => value.obis === obis);

t.test('every telegram decodes to its lines and what its source states, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, ascii, expect, names_to_line_pattern } of all) {
    const { messages, errors } = cutAnyhow(t, p1, bytes(ascii), rng, name);
    t.strictSame([messages.length, errors], [1, []], name);
    const message = messages[0]!;
    t.equal(message.manufacturer, expect.computed.identification.slice(1, 4), name);
    for (const [obis, occurrences] of Object.entries(expect.computed.lines)) {
      const measured = /^([\d.]+)\*(.+)$/.exec(occurrences[0]!.at(-1)!);
      if (!measured || /99\.97|98\.1/.test(obis)) continue;
      t.match(entry(message, obis), { value: Number(measured[1]), unit: measured[2] }, `${name} ${obis}`);
    }
    let compared = 0;
    for (const [field, stated] of Object.entries(expect.stated.values ?? {})) {
      const [what, part] = [field.split('.')[0]!, field.split('.').at(-1)!];
      const pattern = names_to_line_pattern?.[what];
      if (part !== 'value' || stated === null || !pattern || /13_MONTHS|DEVICE_TYPE|GAS_METER/.test(what))
        continue;
      // The reference takes the last of the lines that a name stands for.
      const lines = values(message).filter((value) => new RegExp(pattern).test(`${value.obis}(\r\n`));
      t.ok(
        lines.some(({ value }) => String(value) === String(stated)),
        `${name} ${field} is ${stated}`,
      );
      compared++;
    }
    t.ok(compared >= 9 || !names_to_line_pattern, name);
  }
});

t.test('identities, times, sub-meters, logs', async (t) => {
  const of = (name: string) =>
    p1.feed([bytes(all.find((vector) => vector.name.endsWith(name))!.ascii)]).messages[0]!;
  const at = (text: string) => Date.parse(text) / 1000;
  const fluvius = of('FLUVIUS_V171');
  t.match(fluvius, {
    type: 'telegram',
    device_id: '1SAG3101021605',
    identification: '253769484_A',
    version: '50217',
    time: at('2020-05-12T13:54:09+02:00'),
    devices: [
      { channel: 1, medium: 'gas', medium_code: 3, device_id: '7FLO2119033733' },
      { channel: 2, medium: 'water', medium_code: 7, device_id: '8SAG1234567890' },
    ],
  });
  t.match(entry(fluvius, '0-1:24.2.3'), {
    name: 'gas',
    channel: 1,
    time: at('2020-05-12T13:45:58+02:00'),
  });
  t.match(entry(fluvius, '1-0:1.6.0'), { value: 2.589, time: at('2020-05-09T13:45:58+02:00') });
  t.match(
    values(fluvius).filter(({ obis }) => obis === '0-0:98.1.0'),
    [
      {
        value: 3.695,
        unit: 'kW',
        time: at('2020-04-23T19:25:38+02:00'),
        period_end: at('2020-04-30T22:00Z'),
      },
      { value: 5.98 },
      { value: 4.318, time: at('2020-02-10T03:54:21+01:00') },
    ],
  );
  const month = values(of('FLUVIUS_V171_ALT')).filter(({ obis }) => obis === '0-0:98.1.0');
  t.strictSame([month.length, month[0]!.time, month[0]!.value], [4, undefined, 0], 'no such time');

  t.match(of('EXAMPLE_DATA_B'), {
    device_id: 'E2206017647934515',
    power_failure_log: [
      { time: at('2017-05-20T13:09:38+02:00'), duration: 5627 },
      { time: at('2017-03-25T04:40:14+01:00'), duration: 43_178_677 },
    ],
  });
  const v2 = of('V2_2');
  t.match(entry(v2, '0-1:24.3.0'), {
    name: 'gas',
    value: 1.001,
    unit: 'm3',
    time: at('2016-11-07T19:00:00+01:00'),
  });
  t.equal(v2.identification, '2MT382-1004');
  const hungary = of('EON_HU');
  t.equal(hungary.device_id, '890082200002160');
  t.match(
    values(hungary).filter(({ name }) => name.endsWith('_month_end')),
    [
      { name: 'energy_import_month_end', value: 40.777, unit: 'kWh', time: at('2023-06-30T22:00Z') },
      { name: 'energy_import_tariff_1_month_end', value: 8.95 },
      ...Array(16).fill({}),
      { obis: '1-0:2.6.2', value: 3.4, unit: 'kW' },
    ],
  );
  t.match(of('ESY5Q3DA1004_V304'), { device_id: '1336001560' });
  t.match(of('UNPADDED_CRC'), { device_id: 'ADC3100000158491', devices: [{ medium: 'heat' }] });
});

t.test('a load profile has each value at its time', async (t) => {
  const head = '1-0:99.1.0(2)(0-0:96.10.7)(1-0:1.29.0)(1-0:2.29.0)';
  const row = (time: string, value: string) => `(${time})(00)(${value}*kWh)()`;
  const { values } = decode(`${head}${row('240101000000W', '0.25')}${row('632525252525W', '0.5')}(2401`);
  const common = { name: 'energy_import_interval', unit: 'kWh', obis: '1-0:1.29.0' };
  t.match(values, [
    { ...common, value: 0.25, time: Date.UTC(2023, 11, 31, 23) / 1000 },
    { ...common, value: 0.5, time: undefined },
  ]);
  t.equal((values as unknown[]).length, 2);
});

t.test('what cannot be is absent, not invented', async (t) => {
  t.equal(decode('0-0:1.0.0(210230120000W)', '1-0:1.8.0(1*kWh)').time, undefined, '30 February');
  t.match(decode('1-0:1.8.0(1*kWh)', '0-1:24.2.1(632525252525W)(00000.000*m3)'), {
    values: [{}, { name: '0-1:24.2.1', value: 0, unit: 'm3', time: undefined }],
  });
  t.strictSame(decode('1-0:99.97.0(0)(0-0:96.7.19)').power_failure_log, [], 'none');
  t.strictSame(decode('1-0:99.97.0()').power_failure_log, []);
  t.equal(decode('0-0:96.1.1()', '1-0:1.8.0(1*kWh)').device_id, undefined);
  t.equal(decode('0-0:96.1.1(4530303436)').device_id, 'E0046', 'hexadecimal digits');
  t.equal(decode('0-0:96.1.1(7359992892587665)').device_id, '7359992892587665', 'a number as it is');
  t.match(entry(decode('0-0:96.13.0(48616C6C6F)'), '0-0:96.13.0'), { name: 'text_message', text: 'Hallo' });
  t.match(p1.feed([telegram('no data')]).errors, ['a telegram without data']);
});

t.test('clocks: summer, winter, other countries', async (t) => {
  const time = (text: string, options = '') => {
    const under = options ? new ProtocolUnderTest(options) : p1;
    return new Date(
      Number(under.feed([telegram(`0-0:1.0.0(${text})`)]).messages[0]!.time) * 1000,
    ).toISOString();
  };
  t.equal(time('200701120000S'), '2020-07-01T10:00:00.000Z');
  t.equal(time('200701120000W'), '2020-07-01T11:00:00.000Z');
  t.equal(time('200701120000'), '2020-07-01T10:00:00.000Z', 'the calendar tells');
  t.equal(time('200329015959'), '2020-03-29T00:59:59.000Z');
  t.equal(time('200329030000'), '2020-03-29T01:00:00.000Z');
  t.equal(time('201025030000'), '2020-10-25T02:00:00.000Z');
  const [finnish] = p1.vm.execute('return require("protocols.dsmr_p1").new { utc_offset = 2 }', '@test');
  t.equal(p1.vm.field(finnish, 'name'), 'dsmr_p1');
  const [shifted] = p1.vm.execute(
    `return require("protocols.dsmr_p1").new({ utc_offset = 2 }).decode("/ABC5\\r\\n0-0:1.0.0(200101020000W)\\r\\n!").time`,
    '@test',
  );
  t.equal(shifted, Date.UTC(2020, 0, 1) / 1000);
  t.throws(
    () => p1.vm.execute('require("protocols.dsmr_p1").new { utc_offset = 99 }', '@test'),
    /utc_offset/,
  );
});

t.test('a wrong CRC is discarded and counted', async (t) => {
  for (const { name, ascii, checksum } of all) {
    if (!checksum.present) continue;
    const stream = bytes(ascii.replace('(0', '(1'));
    const { messages, errors, discarded, reasons } = p1.feed([stream, null]);
    t.strictSame([messages, errors, discarded, reasons], [[], [], stream.length, ['checksum']], name);
  }
});

t.test('good telegrams among bad ones', async (t) => {
  const rng = random(t);
  const good = all.filter(({ checksum }) => checksum.present).map(({ ascii }) => bytes(ascii));
  goodAmongBad(t, p1, good, rng, {
    damage: (frame) => {
      frame[20 + rng.below(frame.length - 40)]! ^= 1;
    },
  });
});

t.test('mutated telegrams never raise', async (t) => {
  neverRaises(
    t,
    p1,
    all.map(({ ascii }) => bytes(ascii)),
    random(t),
  );
});
