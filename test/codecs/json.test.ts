import t from 'tap';
import { defaultCodecs } from '../../src/codecs/registry.js';

const codecs = defaultCodecs();
const encode = (value: unknown) => Buffer.from(codecs.encode('json', value)).toString();
const decode = (text: string | Uint8Array) => codecs.decode('json', Buffer.from(text));

t.test('values as JSON', async (t) => {
  t.equal(
    encode({ a: [1, 'ü', null, true], m: new Map([['k', 1.5]]) }),
    '{"a":[1,"ü",null,true],"m":{"k":1.5}}',
  );
  t.equal(encode({ text: Buffer.from('ü'), bytes: Uint8Array.of(0xff, 0) }), '{"text":"ü","bytes":"/wA="}');
  t.equal(encode([10n, 2n ** 63n, Number.NaN]), '[10,"9223372036854775808",null]');
  t.strictSame(decode('{"a":[1,"ü"]}'), { a: [1, 'ü'] });
  t.equal(Object.getPrototypeOf(decode('{"__proto__":{"x":1}}')), Object.prototype);
  t.equal(encode(decode('{"__proto__":{"x":1}}')), '{"__proto__":{"x":1}}');
});

t.test('what cannot be is refused', async (t) => {
  const refused = (text: string | Uint8Array, message: RegExp) =>
    t.throws(() => decode(text), { code: 'decode_error', message });
  refused('', /JSON/);
  refused('{"a":1} x', /JSON/);
  refused(Uint8Array.of(0x22, 0xff, 0x22), /UTF-8/);
  refused('['.repeat(100_000), /deeper than 64/);
  t.strictSame(decode(`"${'['.repeat(100)}\\"${'['.repeat(100)}"`), `${'['.repeat(100)}"${'['.repeat(100)}`);
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  t.throws(() => encode(cycle), { code: 'invalid_argument', message: /deeper than 64/ });
  t.throws(() => encode({ f() {} }), { code: 'invalid_argument', message: /function/ });
  t.throws(() => encode(new Date(0)), { code: 'invalid_argument', message: /Date/ });
  t.throws(() => encode(undefined), { code: 'invalid_argument' });
});

t.test('the registry', async (t) => {
  const own = defaultCodecs();
  own.register({
    name: 'hex',
    encode: (value) => Buffer.from(String(value), 'hex'),
    decode: (bytes) => Buffer.from(bytes).toString('hex'),
  });
  t.equal(own.decode('hex', own.encode('hex', 'c0ffee')), 'c0ffee');
  t.throws(
    () => codecs.get('hex'),
    { code: 'not_found', message: /"hex": there are cbor, coap, json, mqtt/ },
    'registries share nothing',
  );
  t.throws(() => own.register(own.get('hex')), { code: 'conflict' });
});
