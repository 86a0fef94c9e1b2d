import t from 'tap';
import { crc } from '../../src/bytes/crc.js';
import { splits, unhex } from '../support/framing.js';
import { type Message, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';
import { mutate, vectors } from '../support/vectors.js';

type Fields = Record<string, unknown>;

interface Vector {
  name: string;
  type: string;
  transport?: 'pdu' | 'rtu' | 'tcp' | 'ascii';
  direction?: 'request' | 'response' | 'exchange' | 'stream';
  hex?: string;
  stream_hex?: string;
  chunks_hex?: string[];
  pending_request_hex?: string;
  data_type?: string;
  byte_order?: string;
  bit?: number;
  scale?: number;
  expect: {
    stated?: Fields & {
      value?: number | string;
      response_hex?: string;
      frames_pdu_hex?: string[];
      frame_hex?: string;
    };
    computed?: Fields;
    computed_mbap?: { transaction: number };
  };
}

const all = vectors<Vector>('modbus');
const rtu = new ProtocolUnderTest('protocols.modbus_rtu');
const tcp = new ProtocolUnderTest('protocols.modbus_tcp', undefined, rtu.vm);
const servers = {
  rtu: new ProtocolUnderTest('protocols.modbus_rtu', 'server', rtu.vm),
  tcp: new ProtocolUnderTest('protocols.modbus_tcp', 'server', rtu.vm),
};
const monitor = new ProtocolUnderTest('protocols.modbus_rtu', 'monitor', rtu.vm);
const CRC = crc('CRC-16/MODBUS');

function overRtu(unit: number, pdu: Uint8Array): Buffer {
  const frame = Buffer.concat([Uint8Array.of(unit), pdu, Buffer.alloc(2)]);
  frame.writeUInt16LE(Number(CRC.compute(frame, 0, frame.length - 2)), frame.length - 2);
  return frame;
}

function overTcp(pdu: Uint8Array): Buffer {
  const frame = Buffer.concat([unhex('00070000000001'), pdu]);
  frame.writeUInt16BE(pdu.length + 1, 4);
  return frame;
}

/** How a message of ours holds a field of the vectors; those that are not here are as they are there. */
const RENAMED: Record<string, (value: never, direction: string) => Message> = {
  function: (function_code) => ({ function_code }),
  count: (quantity, direction) => (direction === 'request' ? { quantity } : {}),
  registers: (values) => ({ values }),
  read_count: (read_quantity) => ({ read_quantity }),
  write_registers: (write_values) => ({ write_values }),
  exception: (exception) => ({ type: 'exception', exception }),
  more_follows: (byte) => ({ more_follows: byte === 0xff }),
  objects: (objects) => ({
    objects: Object.entries(objects).map(([id, value]) => ({ id: Number(id), value })),
  }),
  events_hex: (hex) => ({ events: [...unhex(hex)] }),
  // Lengths, and what is compared by itself below.
  byte_count: () => ({}),
  status_word: () => ({}),
  data_hex: () => ({}),
  records: () => ({}),
  value: () => ({}),
};

function expected(fields: Fields, direction: string): Message {
  const wanted: Message = { type: direction };
  for (const [name, value] of Object.entries(fields)) {
    Object.assign(wanted, RENAMED[name]?.(value as never, direction) ?? { [name]: value });
  }
  return wanted;
}

t.test('every frame decodes to its fields, however it is cut', async (t) => {
  const rng = random(t);
  let checked = 0;
  for (const vector of all) {
    const { transport, direction, hex, expect, name } = vector;
    if ((direction !== 'request' && direction !== 'response') || transport === 'ascii' || !hex) continue;
    const over = transport === 'rtu' ? 'rtu' : 'tcp';
    const frame = transport === 'pdu' ? overTcp(unhex(hex)) : unhex(hex);
    const under = direction === 'request' ? servers[over] : over === 'rtu' ? rtu : tcp;
    for (const chunks of splits(frame, rng)) {
      const { messages, discarded, errors } = under.feed(chunks);
      t.strictSame(
        { discarded, errors, count: messages.length },
        { discarded: 0, errors: [], count: 1 },
        name,
      );
      t.match(messages[0], expected(expect.computed ?? {}, direction), name);
      if (expect.computed_mbap) t.equal(messages[0]?.transaction, expect.computed_mbap.transaction);
    }
    checked++;
  }
  t.equal(checked, 97);
});

t.test('what the vectors state in a form of their own', async (t) => {
  const decode = (hex: string, under: ProtocolUnderTest) => under.feed([unhex(hex)]).messages[0];
  t.match(decode('01050003ff007c3a', servers.rtu), { function_code: 5, value: true });
  t.match(decode('01070000', servers.rtu), undefined, 'a wrong CRC is no frame');
  t.match(decode('01140605060dfe00208b4e', rtu), { records: [{ values: [0x0dfe, 0x20] }] });
  t.match(decode('01150b060004000100020aabcdef5ee2', servers.rtu), {
    records: [{ file_number: 4, record_number: 1, record_length: 2, values: [0x0aab, 0xcdef] }],
  });
  t.match(tcp.feed([overTcp(unhex('140e0600040001000206000300090002'))]).messages[0], {
    type: 'request',
    records: [
      { file_number: 4, record_number: 1, record_length: 2 },
      { file_number: 3, record_number: 9, record_length: 2 },
    ],
  });
  t.match(decode('01110405ff414279dc', rtu), { server_id: 5, run_indicator: 255, data_hex: '05ff4142' });
  t.match(decode('01080000a537da8d', servers.rtu), { sub_function: 0, values: [0xa537] });
});

t.test('a server refuses what breaks the rules of a function, and answers with the exception', async (t) => {
  for (const { hex, type, direction, expect } of all) {
    if (direction !== 'exchange') continue;
    const peer = servers.rtu.peer();
    // Frames by hand: no length follows from what breaks the rules.
    const { messages } = peer.decode(overRtu(9, unhex(hex!)));
    if (type === 'pdu illegal function rule') {
      t.match(messages, [{ type: 'request', unit: 9 }], 'known here: the script decides');
    } else {
      t.match(messages, [{ exception: Number.parseInt(expect.stated!.response_hex!.slice(2), 16) }]);
    }
    const answer = type === 'pdu illegal function rule' ? '{ exception = 1 }' : '{}';
    t.equal(peer.encode(answer), overRtu(9, unhex(expect.stated!.response_hex!)).toString('hex'));
  }
  const refused = (pdu: string) => servers.tcp.feed([overTcp(unhex(pdu))]).messages[0]?.exception_name;
  t.equal(refused('0300000000'), 'illegal data value', 'no quantity');
  t.equal(refused('030000007e'), 'illegal data value', '126 registers');
  t.equal(refused('03ffff0002'), 'illegal data address', 'beyond the last register');
  t.equal(refused('0f0000000a01ff'), 'illegal data value', 'fewer bytes than bits');
  t.equal(refused('1000000002020001'), 'illegal data value', 'fewer bytes than registers');
  t.equal(refused('0300'), 'illegal data value', 'too short');
  t.equal(refused('63'), 'illegal function', 'unknown');
  t.equal(refused('0300000001'), undefined);
});

t.test('each request that is encoded is what a server decodes', async (t) => {
  const requests: Record<number, string> = {
    1: 'address = 19, quantity = 19',
    2: 'address = 196, quantity = 22',
    3: 'address = 107, quantity = 3',
    4: 'address = 8, quantity = 1',
    5: 'address = 172, value = true',
    6: 'address = 1, value = 3',
    7: '',
    8: 'sub_function = 0, values = { 0xa537 }',
    11: '',
    12: '',
    15: 'address = 19, bits = { true, false, true, true, false, false, true, true, true, false }',
    16: 'address = 1, values = { 10, 258 }',
    17: '',
    20: 'records = { { file_number = 4, record_number = 1, record_length = 2 } }',
    21: 'records = { { file_number = 4, record_number = 7, values = { 1711, 1213 } } }',
    22: 'address = 4, and_mask = 242, or_mask = 37',
    23: 'read_address = 3, read_quantity = 6, write_address = 14, write_values = { 255, 255, 255 }',
    24: 'address = 1246',
    43: 'read_code = 1, object_id = 0',
  };
  for (const [code, fields] of Object.entries(requests)) {
    const source = `{ unit = 17, function_code = ${code}, ${fields} }`;
    const [wanted] = rtu.vm.execute(`return ${source}`, '@test');
    for (const [client, server] of [
      [rtu, servers.rtu],
      [tcp, servers.tcp],
    ] as const) {
      const { messages, errors } = server.feed([unhex(client.peer().encode(source))]);
      t.strictSame(errors, []);
      t.match(messages, [client.protocol.toJs(wanted) as object], source);
      t.equal(messages[0]?.exception, undefined);
    }
  }
});

t.test('each response that is encoded is what the client decodes by its request', async (t) => {
  const exchanges: [request: string, response: string, decoded: object][] = [
    [
      'function_code = 1, address = 19, quantity = 3',
      'bits = { true, false, true }',
      { address: 19, bits: [true, false, true] },
    ],
    [
      'function_code = 3, address = 107, quantity = 2',
      'values = { 555, 100 }',
      { address: 107, values: [555, 100] },
    ],
    ['function_code = 5, address = 172, value = false', '', { address: 172, value: false }],
    ['function_code = 6, address = 1, value = 3', '', { address: 1, value: 3 }],
    ['function_code = 7', 'status = 109', { status: 109 }],
    ['function_code = 8, sub_function = 0, values = { 1 }', '', { sub_function: 0, values: [1] }],
    ['function_code = 11', 'status = 65535, event_count = 264', { status: 65535, event_count: 264 }],
    [
      'function_code = 12',
      'status = 0, event_count = 264, message_count = 289, events = { 32, 0 }',
      { events: [32, 0], message_count: 289 },
    ],
    ['function_code = 15, address = 19, bits = { true }', '', { address: 19, quantity: 1 }],
    ['function_code = 16, address = 1, values = { 10, 258 }', '', { address: 1, quantity: 2 }],
    ['function_code = 17', 'data_hex = "05ff4142"', { server_id: 5, run_indicator: 255 }],
    [
      'function_code = 20, records = { { file_number = 4, record_number = 1, record_length = 2 } }',
      'records = { { values = { 3582, 32 } } }',
      { records: [{ values: [3582, 32] }] },
    ],
    ['function_code = 22, address = 4, and_mask = 242, or_mask = 37', '', { and_mask: 242 }],
    [
      'function_code = 23, read_address = 3, read_quantity = 1, write_address = 14, write_values = { 255 }',
      'values = { 254 }',
      { address: 3, values: [254] },
    ],
    ['function_code = 24, address = 1246', 'values = { 440, 4740 }', { address: 1246, values: [440, 4740] }],
    [
      'function_code = 43, read_code = 1',
      'conformity = 1, objects = { { id = 0, value = "Compan" } }',
      { objects: [{ id: 0, value: 'Compan' }], more_follows: false },
    ],
    [
      'function_code = 3, address = 0, quantity = 1',
      'exception = 2',
      { exception_name: 'illegal data address' },
    ],
  ];
  for (const [request, response, decoded] of exchanges) {
    for (const [client, server] of [
      [rtu.peer(), servers.rtu.peer()],
      [tcp.peer(), servers.tcp.peer()],
    ] as const) {
      server.feed([unhex(client.encode(`{ unit = 5, ${request} }`))]);
      const { messages, errors } = client.feed([unhex(server.encode(`{ ${response} }`))]);
      t.strictSame(errors, [], request);
      t.match(messages, [{ unit: 5, ...decoded }], request);
    }
  }
});

t.test('a response is matched to its request', async (t) => {
  const ask = (unit: number) => {
    const peer = rtu.peer();
    peer.encode(`{ unit = ${unit}, function_code = 3, address = 0, quantity = 2 }`);
    return peer;
  };
  const response = unhex('110304008d008e');
  const frame = overRtu(response[0]!, response.subarray(1));
  t.match(ask(17).feed([frame]), { messages: [{ address: 0, values: [141, 142] }] });
  t.match(ask(18).feed([frame]), { messages: [], errors: ['unit 17 answers unit 18'] });
  t.match(ask(17).feed([overRtu(17, unhex('03020101'))]).errors, ['the response answers another request']);
  t.match(ask(17).feed([overRtu(17, unhex('040400010002'))]).errors, ['function 4 answers function 3']);

  const peer = tcp.peer();
  const asked = [1, 2, 3].map((n) =>
    peer.encode(`{ unit = 1, function_code = 3, address = ${n}, quantity = 1 }`),
  );
  t.strictSame(
    asked.map((hex) => hex.slice(0, 4)),
    ['0001', '0002', '0003'],
    'requests are numbered',
  );
  const { messages } = peer.feed([unhex('000200000005010302002a'), unhex('000100000005010302002b')]);
  t.match(messages, [
    { transaction: 2, address: 2, values: [42] },
    { transaction: 1, address: 1, values: [43] },
  ]);
});

t.test('a broadcast is never answered, but unit 0 of Modbus TCP is a device', async (t) => {
  const request = '{ unit = 0, function_code = 6, address = 1, value = 2 }';
  const line = servers.rtu.peer();
  t.match(line.feed([unhex(rtu.peer().encode(request))]).messages, [{ unit: 0, value: 2 }]);
  t.equal(line.encode('{}'), 'a broadcast is not answered');
  const socket = servers.tcp.peer();
  socket.feed([unhex(tcp.peer().encode(request))]);
  t.equal(socket.encode('{}'), '00010000000600060001'.concat('0002'));
});

t.test('fields out of range are named', async (t) => {
  const wrong = (source: string) => rtu.peer().encode(source);
  t.match(wrong('{ unit = 1, function_code = 9 }'), /function_code must be one of/);
  t.match(wrong('{ unit = 248, function_code = 7 }'), 'unit must be a whole number from 0 to 247');
  t.match(
    wrong('{ unit = 1, function_code = 3, address = 65536, quantity = 1 }'),
    'address must be a whole number from 0 to 65535',
  );
  t.match(wrong('{ unit = 1, function_code = 3, address = 0, quantity = 126 }'), /quantity .* 1 to 125/);
  t.match(
    wrong('{ unit = 1, function_code = 16, address = 0, values = { 1, 2.5 } }'),
    /values\[2\] .* 0 to 65535/,
  );
  t.match(wrong('{ unit = 1, function_code = 5, address = 0 }'), 'value must be true or false');
  t.match(wrong('"text"'), 'a request is a table');
});

t.test('streams', async (t) => {
  const rng = random(t);
  for (const { type, stream_hex, chunks_hex, pending_request_hex, expect } of all) {
    if (type === 'stream tcp' || (type === 'stream rtu' && stream_hex)) {
      const outcome = (type === 'stream tcp' ? tcp : rtu).feed([unhex(stream_hex!)]);
      t.strictSame(outcome.messages, [], 'nothing to read');
      t.ok(outcome.errors.length > 0 || outcome.discarded > 0, 'and it is told');
    } else if (chunks_hex) {
      const peer = rtu.peer();
      const request = servers.rtu.feed([unhex(pending_request_hex!)]).messages[0]!;
      peer.encode(
        `{ unit = ${request.unit}, function_code = 3, address = ${request.address}, quantity = 3 }`,
      );
      const { messages } = peer.feed(chunks_hex.map(unhex));
      t.match(messages, [{ type: 'response', values: [44609, 22098, 17216] }]);
      t.ok(expect.stated!.frame_hex!.startsWith('1103'));
    }
  }
  const good = unhex('110306ae415652434049ad');
  const bad = Uint8Array.from(good);
  bad[5]! ^= 1;
  for (const chunks of splits(Buffer.concat([unhex('ff00'), good, bad, good, unhex('fe')]), rng)) {
    const { messages, discarded, errors } = rtu.feed([...chunks, null, null, null]);
    t.equal(messages.length, 2, 'the frames around noise and a wrong CRC');
    t.strictSame([discarded, errors], [2 + bad.length + 1, []]);
  }
});

t.test('a monitor hears both directions', async (t) => {
  const rng = random(t);
  const frames = all.filter(({ transport, type }) => transport === 'rtu' && !type.startsWith('stream'));
  for (const { hex, direction, expect, name } of frames) {
    const { messages, errors } = monitor.feed([unhex(hex!), null]);
    t.strictSame(errors, [], name);
    t.equal(messages[0]?.function_code, expect.computed?.function ?? 20, name);
    const echoed = [5, 6, 8, 21, 22].includes(messages[0]?.function_code as number);
    if (direction === 'request' && !echoed) t.equal(messages[0]?.type, 'request', name);
  }
  t.match(monitor.feed([unhex('0103000000020000'), null, null]), { messages: [], reasons: ['checksum'] });
  const line = unhex('1103006b00037687110306ae415652434049ad1103006b00037687118302c134');
  for (const chunks of splits(line, rng)) {
    t.strictSame(
      monitor.feed([...chunks]).messages.map(({ type }) => type),
      ['request', 'response', 'request', 'exception'],
    );
  }
});

t.test('registers hold numbers of many kinds, in any order of bytes', async (t) => {
  const vm = rtu.vm;
  const registers = vm.require('utils.registers');
  const typed = all.filter(({ type }) => type.startsWith('typed') && type !== 'typed STRING');
  t.equal(typed.length, 49);
  for (const { name, data_type, byte_order, hex, scale = 1, bit, expect } of typed) {
    const bytes = unhex(hex!).toString('latin1');
    const wanted = expect.stated!.value as number;
    const kind =
      data_type === 'FIXED' || data_type === 'UFIXED'
        ? `${data_type === 'FIXED' ? 'int' : 'uint'}${hex!.length * 4}`
        : data_type!
            .toLowerCase()
            .replace('-ieee', '')
            .replace(/8([hl])$/, (_, half) => `8_${half === 'h' ? 'high' : 'low'}`);
    if (data_type === 'BIT') {
      const [value] = vm.invoke(vm.field(registers, 'bit'), [Number.parseInt(hex!, 16), bit!]);
      t.equal(value, wanted === 1, name);
      continue;
    }
    const options = vm.table({ type: kind, order: byte_order!, scale });
    const [value] = vm.invoke(vm.field(registers, 'number'), [bytes, options]);
    // The source keeps integers integers when it scales them.
    const whole = /^U?INT/.test(data_type!);
    const actual = whole ? Math.trunc(value as number) : (value as number);
    t.ok(Math.abs(actual - wanted) <= Math.abs(wanted) * 1e-7, `${name}: ${actual} is ${wanted}`);
  }
});

t.test('mutated frames never raise', async (t) => {
  const rng = random(t);
  const frames = all.flatMap(({ hex, transport }) => (hex && transport ? [{ hex, transport }] : []));
  const until = Date.now() + 1500;
  let tried = 0;
  for (; Date.now() < until; tried++) {
    const { hex, transport } = rng.pick(frames);
    const bytes = mutate(unhex(hex), rng);
    for (const under of [servers.rtu, servers.tcp, rtu, tcp]) {
      under.feed([bytes, null]);
      // Past the checksum, which few mutations survive.
      const pdu = transport === 'pdu' ? bytes : bytes.subarray(1, -2);
      const framed = under === rtu || under === servers.rtu ? overRtu(1, pdu) : overTcp(pdu);
      under.peer().decode(framed);
    }
  }
  t.comment(`${tried} frames`);
  t.ok(tried > 0);
});
