import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';
import { abuse } from '../support/codecs.js';
import { hex, unhex } from '../support/framing.js';
import { vectors } from '../support/vectors.js';

interface Case {
  name: string;
  hex: string;
  direction?: string;
  options?: { protocolVersion?: number };
  expect: { stated: { rejected?: string; packet?: Record<string, unknown> } };
}
const cases = vectors<Case>('mqtt');
const codecs = defaultCodecs();
const decode = (digits: string, options?: unknown) => codecs.decode('mqtt', unhex(digits), options);
const optionsOf = ({ options, expect }: Case) => {
  const version = options?.protocolVersion ?? expect.stated.packet?.protocolVersion;
  return version === 3 || version === 4 || version === 5 ? { version } : {};
};

/** Bytes both ways: `{"$hex": …}` in the vectors, Uint8Array in packets; what is null is not there. */
function settled(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $hex: hex(value) };
  if (Array.isArray(value)) return value.map(settled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, settled(item)]),
  );
}
function fromVector(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromVector);
  if (typeof value !== 'object' || value === null) return value;
  if ('$hex' in value) return new Uint8Array(unhex(String(value.$hex)));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromVector(item)]));
}
/** Texts that the vectors give as bytes are texts in packets. */
const textual = (packet: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(packet).map(([key, item]) => {
      const bytes = (item as { $hex?: string } | null)?.$hex;
      return key === 'username' && bytes !== undefined ? [key, unhex(bytes).toString()] : [key, item];
    }),
  );

t.test('packets are read as stated', async (t) => {
  let read = 0;
  for (const vector of cases) {
    const { packet } = vector.expect.stated;
    if (!packet || vector.direction === 'encode only') continue;
    const wanted = settled(textual(packet)) as Record<string, unknown>;
    const actual = settled(decode(vector.hex, optionsOf(vector))) as Record<string, unknown>;
    // A password is bytes whatever the vector calls it.
    for (const side of [wanted, actual]) {
      const password = side.password as { $hex: string } | string | undefined;
      if (typeof password === 'string') side.password = { $hex: Buffer.from(password).toString('hex') };
      const will = side.will as { payload?: unknown } | undefined;
      if (typeof will?.payload === 'string')
        will.payload = { $hex: Buffer.from(will.payload).toString('hex') };
    }
    t.strictSame(actual, wanted, vector.name);
    read++;
  }
  t.ok(read > 30);
});

t.test('packets are written as stated', async (t) => {
  let written = 0;
  for (const vector of cases) {
    const { packet } = vector.expect.stated;
    if (!packet || vector.direction === 'decode only') continue;
    t.equal(hex(codecs.encode('mqtt', fromVector(packet), optionsOf(vector))), vector.hex, vector.name);
    written++;
  }
  t.ok(written > 30);
});

t.test('malformed packets are refused', async (t) => {
  for (const vector of cases) {
    if (!vector.expect.stated.rejected) continue;
    t.throws(
      () => decode(vector.hex, optionsOf(vector)),
      { code: 'decode_error', message: /^MQTT: / },
      vector.name,
    );
  }
});

t.test('size, wholeness and options', async (t) => {
  t.throws(() => decode('c000c000'), { code: 'decode_error', message: /a packet of 2 bytes in 4/ });
  t.throws(() => decode('30ffffff7f'), { code: 'decode_error', message: /max is 1048576/ });
  t.throws(() => decode('3009000161'), { code: 'decode_error', message: /a packet of 11 bytes in 5/ });
  t.throws(() => decode('c0'), { code: 'decode_error', message: /ends too early/ });
  t.throws(() => decode('c000', { max: 1 }), { code: 'invalid_argument', message: /max must be/ });
  t.throws(() => decode('c000', { version: 6 }), { code: 'invalid_argument', message: /one of 3, 4, 5/ });
  const publish = { cmd: 'publish', topic: 'a', payload: 'x'.repeat(100), qos: 0 };
  t.throws(() => codecs.encode('mqtt', publish, { max: 50 }), {
    code: 'invalid_argument',
    message: /max is 50/,
  });
  t.match(decode(hex(codecs.encode('mqtt', publish))), { cmd: 'publish', topic: 'a' });
  for (const value of [null, 7, {}, { cmd: 'nope' }, { cmd: 'publish' }, { cmd: 'publish', topic: 7 }]) {
    t.throws(() => codecs.encode('mqtt', value), { code: 'invalid_argument' }, JSON.stringify(value));
  }
});

t.test('random and damaged input either decodes or is refused', async (t) => {
  let n = 0;
  abuse(
    t,
    codecs,
    'mqtt',
    cases.map((vector) => unhex(vector.hex)),
    () => ({ version: [3, 4, 5][n++ % 3] }),
  );
});
