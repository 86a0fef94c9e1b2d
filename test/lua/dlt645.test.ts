import { createServer } from 'node:net';
import t from 'tap';
import { sum8 } from '../../src/bytes/checksum.js';
import { startTestEngine, until } from '../support/engine.js';
import { unhex } from '../support/framing.js';
import { library } from '../support/library.js';
import { ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { cutAnyhow, goodAmongBad, neverRaises } from '../support/robustness.js';
import { vectors } from '../support/vectors.js';

interface Vector {
  name: string;
  type: string;
  hex?: string;
  stream_hex?: string;
  format?: string;
  data_minus_33_hex?: string;
  checksum?: { ok: boolean };
  expect: {
    stated: {
      address?: string;
      control_hex?: string;
      data_identifier?: string;
      value?: number;
      unit?: string;
      error_byte?: number;
      meaning?: string;
      sequence?: number;
      text?: string;
    };
    computed?: {
      address: string;
      control_hex: string;
      data_identifier?: string;
      answered_address?: string;
      data_minus_33_hex: string;
    };
  };
}

const all = vectors<Vector>('dlt645');
const dlt645 = new ProtocolUnderTest('protocols.dlt645');
const frames = all.filter(({ hex, checksum }) => hex && checksum?.ok);

/** A frame of an address (as printed), a control byte and data without the 33. */
function frame(address: string, control: number, data: string): Buffer {
  const body = unhex(data).map((byte) => (byte + 0x33) & 0xff);
  const head = Buffer.concat([
    unhex(`68${Buffer.from(unhex(address)).reverse().toString('hex')}68`),
    Uint8Array.of(control, body.length),
    body,
  ]);
  return Buffer.concat([head, Uint8Array.of(sum8(head), 0x16)]);
}

/** An identifier as on the wire. */
const id = (digits: string) => Buffer.from(unhex(digits)).reverse().toString('hex');
const decode = (control: number, data: string) =>
  dlt645.feed([frame('161'.padStart(12, '0'), control, data)]);
const answer = (identifier: string, data: string) => {
  const { messages } = decode(identifier.length === 8 ? 0x91 : 0x81, id(identifier) + data);
  return messages[0]!.values as { name: string; value: unknown; unit?: string; time?: number }[];
};

t.test('every frame decodes to what its source states, however it is cut', async (t) => {
  const rng = random(t);
  for (const { name, hex, expect } of frames) {
    const { stated, computed } = expect;
    const { messages, errors, discarded } = cutAnyhow(t, dlt645, unhex(hex!), rng, name);
    t.strictSame([messages.length, errors, discarded], [1, [], 0], name);
    const message = messages[0]!;
    t.match(
      message,
      { address: computed!.address, control: Number.parseInt(computed!.control_hex, 16) },
      name,
    );
    for (const identifier of [stated.data_identifier, computed!.data_identifier]) {
      if (identifier && message.type !== 'error') t.equal(message.data_identifier, identifier, name);
    }
    if (stated.value !== undefined) {
      const wanted = { value: stated.value, unit: stated.unit || undefined };
      t.match((message.values as unknown[])[0], wanted, name);
    }
    if (stated.error_byte !== undefined) {
      t.match(message, { type: 'error', error_code: stated.error_byte, errors: [stated.meaning] }, name);
    }
    if (stated.sequence !== undefined) t.equal(message.sequence, stated.sequence, name);
    if (computed!.answered_address) t.equal(message.device_id, computed!.answered_address, name);
  }
  t.ok(frames.length > 20);
});

t.test('what must be refused is, and counted', async (t) => {
  for (const { name, hex, type } of all) {
    if (type !== 'reject') continue;
    const { messages, discarded } = dlt645.feed([unhex(hex!), null, null]);
    const preamble = /^(fe)*/.exec(hex!)![0].length;
    t.strictSame([messages, discarded], [[], (hex!.length - preamble) / 2], name);
    t.equal(dlt645.peer().decode(unhex(hex!)).errors.length, 1, `${name}: past the framing`);
  }
});

t.test('answers that do not tell their address, errors of functions that are not known', async (t) => {
  const { messages, errors } = dlt645.feed([frame('a'.repeat(12), 0x81, `${id('9010')}78560000`)]);
  t.strictSame(errors, []);
  t.match(messages, [{ type: 'response', device_id: undefined, values: [{ value: 56.78 }] }]);
  const [error] = dlt645.feed([frame('161'.padStart(12, '0'), 0xc5, 'b6d0')]).messages;
  t.match(error, { type: 'error', command: 'unknown', error_code: 0xb6 });
  t.strictSame(error!.errors, []);
});

t.test('formats', async (t) => {
  /** An identifier whose data has that format. */
  const of: Record<string, string> = {
    'XXXXXX.XX': '00010000',
    'XXX.X': '02010100',
    'XXX.XXX': '02020100',
    'X.XXX': '02060000',
    NNNNNN: '04000409',
    YYMMDDhhmm: '05000001',
  };
  for (const { name, format, data_minus_33_hex, expect } of all) {
    if (!format) continue;
    const [value] = answer(of[format]!, data_minus_33_hex!);
    if (expect.stated.text === 'invalid') t.equal(value, undefined, name);
    else if (format === 'YYMMDDhhmm') t.equal(value!.value, expect.stated.text, name);
    else t.equal(value!.value, Number(expect.stated.text), name);
  }
  t.equal(
    answer('05000001', '4513200524')[0]!.time,
    Date.UTC(2024, 4, 20, 5, 45) / 1000,
    'the clock of China',
  );
});

t.test('identifiers of 2007', async (t) => {
  const one = (identifier: string, data: string) => answer(identifier, data)[0];
  t.match(one('00020000', '11223344'), { name: 'energy_export', value: 443322.11, unit: 'kWh' });
  t.match(one('00000000', '11223384'), { name: 'energy_combined', value: -43322.11 });
  t.match(one('00010301', '00010000'), { name: 'energy_import_tariff_3_history_1', value: 1 });
  t.match(one('00150000', '00010000'), { name: 'energy_import_l1' });
  t.match(one('003e0000', '00010000'), { name: 'energy_export_l3' });
  t.match(one('00810000', '00010000'), { name: 'energy_fundamental_import' });
  t.match(one('00900200', '50010000'), { name: 'credit', value: 1.5, unit: 'CNY' });
  t.match(one('01010000', '4523014513200524'), {
    name: 'power_import_maximum',
    value: 1.2345,
    unit: 'kW',
    time: Date.UTC(2024, 4, 20, 5, 45) / 1000,
  });
  t.equal(one('01010000', '4523010000000000')!.time, undefined, 'it never was');
  t.match(one('02800002', '0050'), { name: 'frequency', value: 50, unit: 'Hz' });
  t.match(one('02800007', '3582'), { name: 'temperature', value: -23.5, unit: '°C' });
  t.match(one('020a0103', '1203'), { name: 'voltage_harmonic_3_l1', value: 3.12, unit: '%' });
  t.match(one('04000101', '01200524'), { name: 'date', value: '2024-05-20' });
  t.match(one('04000102', '594513'), { name: 'time_of_day', value: '13:45:59' });
  t.match(one('0400010c', '59451301200524'), {
    value: '2024-05-20 13:45:59',
    time: Date.UTC(2024, 4, 20, 5, 45, 59) / 1000,
  });
  t.match(one('04000402', '610100000000'), { name: 'meter_number', value: '000000000161' });
  const model = Buffer.from('DDZY     \0').reverse().toString('hex');
  t.match(one('0400040b', model), { name: 'meter_model', value: 'DDZY' });
  t.match(one('04000501', '0480'), { name: 'status_word_1', value: 0x8004 });
  t.strictSame(
    answer('0201ff00', '052310241225').map(({ name, value }) => [name, value]),
    [
      ['voltage_l1', 230.5],
      ['voltage_l2', 241],
      ['voltage_l3', 251.2],
    ],
  );
  t.match(answer('0203ff00', '000001000002ffffff000003'), [
    { name: 'power', value: 1 },
    { name: 'power_l1', value: 2 },
    { name: 'power_l3', value: 3 },
  ]);
  t.match(answer('0001ff00', '000100000002000000030000'), [
    { name: 'energy_import', value: 1 },
    { name: 'energy_import_tariff_1', value: 2 },
    { name: 'energy_import_tariff_2', value: 3 },
  ]);
  t.match(answer('05000101', '0001000000020000'), [
    { name: 'energy_import_frozen_1', value: 1 },
    { name: 'energy_import_frozen_1_tariff_1', value: 2 },
  ]);
  t.strictSame(answer('09990000', '01'), [], 'unknown');
});

t.test('identifiers of 1997', async (t) => {
  const one = (identifier: string, data: string) => answer(identifier, data)[0];
  t.match(one('9010', '56341200'), { name: 'energy_import', value: 1234.56, unit: 'kWh' });
  t.match(one('9421', '56341200'), { name: 'energy_export_tariff_1_history_1' });
  t.match(one('9130', '56341200'), { name: 'reactive_energy_q1', unit: 'kvarh' });
  t.match(one('a010', '452301'), { name: 'power_import_maximum', value: 1.2345, unit: 'kW' });
  t.match(one('b010', '45132005'), { name: 'power_import_maximum_time', value: '05-20 13:45' });
  t.match(one('b611', '2002'), { name: 'voltage_l1', value: 220, unit: 'V' });
  t.match(one('b630', '563412'), { name: 'power', value: 12.3456 });
  t.match(one('c032', '610100000000'), { value: '000000000161' });
  t.match(answer('901f', '0001000000020000aa'), [{ value: 1 }, { name: 'energy_import_tariff_1', value: 2 }]);
  t.match(dlt645.feed([frame('000000000161', 0xc1, '06')]).messages[0], {
    type: 'error',
    errors: ['unknown identifier', 'wrong password'],
  });
});

t.test('an answer in several frames, and the echo of what was asked', async (t) => {
  const peer = dlt645.peer();
  const asked = unhex(peer.encode('{ device_id = "161", data_identifier = "0001ff00" }'));
  t.equal(asked.toString('hex'), `fefefefe${frame('000000000161', 0x11, id('0001ff00')).toString('hex')}`);
  t.strictSame(peer.feed([asked]).messages, [], 'our own');
  t.match(peer.feed([asked]).messages, [{ type: 'request' }], "another's");
  const part = (control: number, data: string) =>
    peer.feed([frame('000000000161', control, id('0001ff00') + data)]).messages[0]!;
  t.match(part(0xb1, '00010000'), { more: true, values: [{ value: 1 }] });
  t.match(part(0xb2, '0002000001'), { more: true, sequence: 1, values: [{ value: 2 }] });
  const whole = part(0x92, '0003000002');
  t.match(whole, { sequence: 2, more: undefined });
  t.strictSame(
    (whole.values as { value: number }[]).map(({ value }) => value),
    [1, 2, 3],
  );
});

t.test('requests', async (t) => {
  const encode = (source: string) => dlt645.peer().encode(source);
  const same = (source: string, address: string, control: number, data: string) =>
    t.equal(encode(source), `fefefefe${frame(address, control, data).toString('hex')}`, source);
  const one = 'device_id = "123456789012"';
  same(`{ ${one}, data_identifier = "9010" }`, '123456789012', 0x01, '1090');
  same(
    `{ ${one}, command = "read_next", data_identifier = "03300001", sequence = 1 }`,
    '123456789012',
    0x12,
    '0100300301',
  );
  same('{ command = "read_address" }', 'aaaaaaaaaaaa', 0x13, '');
  const time = Date.UTC(2024, 4, 20, 5, 45, 59) / 1000;
  same(`{ command = "broadcast_time", time = ${time} }`, '999999999999', 0x08, '594513200524');
  t.equal(dlt645.feed([frame('999999999999', 0x08, '594513200524')]).messages[0]!.time, time);
  same(
    `{ ${one}, command = "write", data_identifier = "04000e03", value = 253.5, password = "02123456", operator = "01020304" }`,
    '123456789012',
    0x14,
    '030e000402123456010203043525',
  );
  same(
    `{ ${one}, command = "write", data_identifier = "04000402", value = "000000000161" }`,
    '123456789012',
    0x14,
    '020400040000000000000000610100000000',
  );
  same(
    `{ ${one}, command = "read", data_identifier = "06010001", count = 2, since = ${time} }`,
    '123456789012',
    0x11,
    '010001060245132005 24'.replace(' ', ''),
  );
  same(`{ ${one}, command = "freeze", data_hex = "99999999" }`, '123456789012', 0x16, '99999999');
  for (const [source, problem] of [
    ['"x"', /a table/],
    [`{ data_identifier = "9010" }`, /device_id must be/],
    [`{ device_id = "1234567890123", data_identifier = "9010" }`, /device_id must be/],
    [`{ ${one}, data_identifier = "901" }`, /8 or 4 hexadecimal digits/],
    [`{ ${one}, command = "dance" }`, /no command dance/],
    [`{ ${one}, command = "write", data_identifier = "04000e03", value = 99999 }`, /does not fit/],
    [
      `{ ${one}, command = "write", data_identifier = "04000e03", value = 1, password = "1" }`,
      /password must be/,
    ],
    [`{ ${one}, command = "freeze", data_hex = ("00"):rep(201) }`, /at most 200 bytes/],
    [`{ ${one}, data_identifier = "06010001", count = 0 }`, /from 1 to 255/],
    ['{ command = "broadcast_time", time = 1e18 }', /of 2000 to 2099/],
  ] as const) {
    t.match(encode(source), problem, source);
  }
});

t.test('good frames among bad ones; mutated ones never raise', async (t) => {
  const rng = random(t);
  const good = frames.map(({ hex }) => unhex(hex!.replace(/^(fe)+/, '')));
  goodAmongBad(t, dlt645, good, rng, {
    noise: (byte) => byte & 0x17,
    damage: (frame) => {
      frame[frame.length - 2]! ^= 1 + rng.below(255);
    },
  });
  neverRaises(
    t,
    dlt645,
    all.flatMap(({ hex, stream_hex }) => (hex || stream_hex ? [unhex((hex ?? stream_hex)!)] : [])),
    rng,
  );
});

t.test(
  'entry.dlt645: meters are asked in turn, parts are collected, a silent one holds up nobody',
  async (t) => {
    const meter = dlt645.peer();
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        socket.write(bytes); // as converters echo
        for (const { device_id, command, data_identifier } of meter.feed([bytes]).messages) {
          asked.push(`${device_id} ${command} ${data_identifier}`);
          if (device_id !== '000000000161') continue;
          if (data_identifier === '00020000') socket.write(frame('000000000161', 0xd1, '02'));
          else if (command === 'read') socket.write(frame('000000000161', 0xb1, `${id('0001ff00')}00010000`));
          else socket.write(frame('000000000161', 0x92, `${id('0001ff00')}0002000001`));
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    t.teardown(() => server.close());
    const engine = await startTestEngine(
      library,
      `links:
  - name: line
    tcp: { host: 127.0.0.1, port: ${(server.address() as { port: number }).port} }
    entry: entry.dlt645.lua
    options: { meters: "7,161", identifiers: "0001FF00,00020000", seconds: 60, patience: 0.2 }`,
    );
    t.teardown(() => engine.stop());
    const logged = (text: RegExp) => engine.log.some(({ message }) => text.test(message));
    await until(() => logged(/000000000161 refuses 00020000: no requested data/));
    t.strictSame(asked, [
      // The silent one is asked twice, as a bus does unless it is told otherwise; after three its breaker is open.
      '000000000007 read 0001ff00',
      '000000000007 read 0001ff00',
      '000000000007 read 00020000',
      '000000000161 read 0001ff00',
      '000000000161 read_next 0001ff00',
      '000000000161 read 00020000',
    ]);
    t.ok(logged(/^000000000007: timeout/));
    t.match(engine.reports, [
      {
        deviceId: '000000000161',
        values: {
          values: [
            { name: 'energy_import', value: 1 },
            { name: 'energy_import_tariff_1', value: 2 },
          ],
        },
      },
    ]);
    t.strictSame(
      engine.log.filter(({ level }) => level === 'error'),
      [],
    );
  },
);
