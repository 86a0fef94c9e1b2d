import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  type: string;
  hex?: string;
  value_hex?: string;
  option_hex?: string;
  expect: {
    stated: {
      rejected?: string;
      token_hex?: string;
      code?: string;
      value?: number;
      number?: number;
      value_hex?: string;
      payload_hex?: string;
      options?: [number, string][];
    };
    computed?: { options: [number, string][] };
  };
}
interface Message {
  type?: string;
  code: string;
  message_id?: number;
  token: Uint8Array;
  options: { number: number; name?: string; value: Uint8Array }[];
  payload: Uint8Array;
}
const cases = vectors<Case>('coap');
const codecs = defaultCodecs();
const decode = (digits: string, options?: unknown) =>
  codecs.decode('coap', unhex(digits), options) as Message;
const encode = (value: unknown, options?: unknown) => hex(codecs.encode('coap', value, options));

t.test('messages are read as stated, and written again', async (t) => {
  let read = 0;
  for (const { name, type, hex: digits, expect } of cases) {
    if (!digits || type === 'reject') continue;
    const tcp = type === 'tcp' ? { transport: 'tcp' } : undefined;
    const message = decode(digits, tcp);
    const seen = {
      version: 1,
      type: message.type,
      code: message.code,
      message_id: message.message_id,
      token_hex: hex(message.token),
      options: message.options.map(({ number, value }) => [number, hex(value)]),
      payload_hex: hex(message.payload),
    };
    const { options, ...stated } = expect.stated;
    t.match(seen, stated, name);
    if (expect.computed) t.strictSame(seen, expect.computed, name);
    if (options) t.match(seen.options, options, name);
    // Option 0 with delta 0 and the like are written the same way.
    t.equal(encode(message, tcp), digits, `${name}, written`);
    read++;
  }
  t.ok(read > 10);
});

t.test('single options and unsigned integers', async (t) => {
  for (const { name, type, option_hex, value_hex, expect } of cases) {
    const { number, value } = expect.stated;
    if (type === 'single option') {
      const [option] = decode(`40010000${option_hex}`).options;
      t.strictSame([option!.number, hex(option!.value)], [number, expect.stated.value_hex], name);
    } else if (type === 'uint option') {
      const shortest = value_hex!.replace(/^(00)+/, '');
      const written = encode({ code: 'GET', message_id: 0, options: [{ name: 'Max-Age', value }] });
      t.equal(hex(decode(written).options[0]!.value), shortest, name);
    }
  }
});

t.test('malformed messages are refused', async (t) => {
  for (const { name, type, hex: digits } of cases) {
    if (type !== 'reject') continue;
    t.throws(() => decode(digits!), { code: 'decode_error', message: /^CoAP: / }, name);
  }
  const more: [string, RegExp][] = [
    ['80010000', /version 2/],
    ['40010000c2', /ends too early/],
    ['40010000f0', /reserved length/],
    ['40010000e0ffffe0ffff', /option \d+/],
    [`40010000${'00'.repeat(257)}`, /more than 256 options/],
  ];
  for (const [digits, message] of more) t.throws(() => decode(digits), { code: 'decode_error', message });
  t.throws(() => decode('0201', { transport: 'tcp' }), { code: 'decode_error' });
  t.throws(() => decode('000101', { transport: 'tcp' }), { message: /length does not match/ });
  t.throws(() => decode('40010000', { transport: 'x' }), { code: 'invalid_argument' });
});

t.test('writing', async (t) => {
  const get = {
    code: 'GET',
    message_id: 0x1234,
    token: 'ab',
    options: [
      { name: 'Uri-Query', value: 'q=1' },
      { name: 'Uri-Path', value: 'a' },
      { number: 11, value: 'b' },
    ],
  };
  t.equal(encode(get), '42011234' + '6162' + 'b161' + '0162' + '43713d31', 'options sorted by number');
  const long = {
    code: '2.05',
    type: 'ACK',
    message_id: 1,
    payload: 'x'.repeat(70_000),
    token: 'y'.repeat(300),
  };
  const back = decode(encode(long));
  t.strictSame([back.payload.length, back.token.length, back.type], [70_000, 300, 'ACK']);
  for (const payload of ['', 'x', 'x'.repeat(20), 'x'.repeat(500), 'x'.repeat(70_000)]) {
    const tcp = { transport: 'tcp' };
    t.equal(decode(encode({ code: 'POST', token: 'abc', payload }, tcp), tcp).payload.length, payload.length);
  }
  const refused: [unknown, RegExp][] = [
    [{ code: 'GET' }, /message_id is missing/],
    [{ message_id: 1 }, /code is missing/],
    [{ code: '9.99', message_id: 1 }, /code must be like/],
    [{ code: '2.32', message_id: 1 }, /code must be like/],
    [{ code: '0.00', message_id: 1, payload: 'x' }, /carries nothing/],
    [{ code: 'GET', message_id: 70_000 }, /0 to 65535/],
    [{ code: 'GET', message_id: 1, type: 'X' }, /one of CON/],
    [{ code: 'GET', message_id: 1, options: 7 }, /options must be a list/],
    [{ code: 'GET', message_id: 1, options: [{ name: 'Nope' }] }, /number is missing/],
    [{ code: 'GET', message_id: 1, options: [{ number: 1, value: -1 }] }, /whole number/],
    [{ code: 'GET', message_id: 1, options: [{ number: 1, value: 'x'.repeat(70_000) }] }, /70000 bytes/],
    [7, /needs a table/],
  ];
  for (const [value, message] of refused)
    t.throws(() => encode(value), { code: 'invalid_argument', message });
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  const good = cases.flatMap(({ hex: digits }) => (digits ? [unhex(digits)] : []));
  let n = 0;
  abuse(t, codecs, 'coap', good, () => (n++ % 2 ? { transport: 'tcp' } : undefined));
});
