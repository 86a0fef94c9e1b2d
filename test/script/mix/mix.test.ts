import t from 'tap';
import { codecFunctions, frameFunctions, pureMix, structMethods } from '../../../src/script/mix/index.js';
import { literal, lua, mixVm } from '../../support/mix.js';

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const ALL = literal(ALL_BYTES);

t.test('every entry is documented and its example runs', async (t) => {
  const entries = [...pureMix, ...structMethods, ...codecFunctions, ...frameFunctions];
  const names = entries.map((entry) => entry.name);
  t.equal(new Set(names).size, names.length, 'no name twice');
  for (const { name, doc, example } of entries) {
    t.ok(doc.length > 20, `${name} says what it does`);
    t.match(example, name.includes(':') ? name.split(':')[1]! : name, `${name} is in its example`);
    t.doesNotThrow(() => mixVm().execute(example, '=example'), name);
  }
});

t.test('json_encode and json_decode', async (t) => {
  const cases: [expression: string, json: string][] = [
    ['{}', '[]'],
    ['{1, 2.0, 2.5}', '[1,2,2.5]'],
    ['{a = {}}', '{"a":[]}'],
    ['{[1] = "a", [3] = "c"}', '{"1":"a","3":"c"}'],
    ['{ok = true}', '{"ok":true}'],
    ['nil', 'null'],
    ['"text"', '"text"'],
    ['2^53', '9007199254740992'],
    ['0/0', 'null'],
    ['"a\\"b\\n\\0"', '"a\\"b\\n\\u0000"'],
    ['"\\195\\169"', '"\xc3\xa9"'],
  ];
  for (const [expression, json] of cases) {
    t.strictSame(lua(`return mix.json_encode(${expression})`), [json], expression);
  }
  t.strictSame(
    lua('local t = mix.json_decode(\'{"a":[1,{"b":null}],"c":"\\\\u00e9"}\') return t.a[1], t.a[2].b, t.c'),
    [1, undefined, '\xc3\xa9'],
  );
  t.strictSame(lua('return mix.json_decode("12")'), [12]);
  for (const bad of ['', '{', '[1,]', '{"a":1}x', '\xff', 'nil', '['.repeat(65) + ']'.repeat(65)]) {
    const [value, error] = lua(`return mix.json_decode(${literal(bad)})`);
    t.equal(value, undefined);
    t.match(error, /^decode_error: /, JSON.stringify(bad.slice(0, 10)));
  }
  t.strictSame(lua('local t = mix.json_decode(\'{"__proto__":1}\') return t.__proto__'), [1]);
});

t.test('base64', async (t) => {
  t.strictSame(lua('return mix.base64_encode("hello")'), ['aGVsbG8=']);
  t.strictSame(lua('return mix.base64_decode("aGVs\\r\\nbG8=")'), ['hello']);
  t.strictSame(lua(`return mix.base64_decode(mix.base64_encode(${ALL})) == ${ALL}`), [true]);
  for (const bad of ['a', 'aGVsbG8', 'aGVsbG8*', 'a===', 'aGVs=bG8', 'a-_b']) {
    t.strictSame(
      lua(`return mix.base64_decode("${bad}")`),
      [undefined, 'decode_error: illegal base64 data'],
      bad,
    );
  }
});

t.test('hex, unhex, bcd', async (t) => {
  t.strictSame(lua('return mix.hex("\\0\\x0f\\xff"), mix.unhex("000FfF")'), ['000fff', '\0\x0f\xff']);
  t.strictSame(lua(`return mix.unhex(mix.hex(${ALL})) == ${ALL}`), [true]);
  t.strictSame(lua('return mix.unhex("123")'), [
    undefined,
    'decode_error: an odd number of hexadecimal digits',
  ]);
  t.strictSame(lua('return mix.unhex("12x4")'), [
    undefined,
    'decode_error: no hexadecimal digit at position 3',
  ]);
  t.strictSame(lua('return mix.bcd("\\x01\\x23\\x99")'), ['012399']);
  t.strictSame(lua('return mix.bcd("\\x01\\x2a")'), [
    undefined,
    'decode_error: no decimal digit in the byte at position 2',
  ]);
  t.strictSame(lua('return mix.bcd(mix.unhex("0358899051021316"))'), ['0358899051021316']);
  t.throws(() => lua('return mix.hex(("x"):rep(600000))'), { message: /resulting string too large/ });
});

t.test('str_split and bytes_tostring', async (t) => {
  const parts = (text: string, separator: string) =>
    lua(`return table.unpack(mix.str_split(${literal(text)}, ${literal(separator)}))`);
  t.strictSame(parts('a,b,,c', ','), ['a', 'b', '', 'c']);
  t.strictSame(parts('abc', ','), ['abc']);
  t.strictSame(parts('', ','), ['']);
  t.strictSame(parts('a\r\nb\r\n', '\r\n'), ['a', 'b', '']);
  t.strictSame(parts('a\xff\xc3\xa9\0', ''), ['a', '\xff', '\xc3\xa9', '\0']);
  t.strictSame(parts('\xff\xfe\xff', '\xfe'), ['\xff', '\xff']);
  t.strictSame(lua('return #mix.str_split("", "")'), [0]);
  t.strictSame(lua(`return mix.bytes_tostring({${[...ALL_BYTES].join(',')}}) == ${ALL}`), [true]);
  t.strictSame(lua('return mix.bytes_tostring({})'), ['']);
  for (const bad of ['{256}', '{-1}', '{1.5}', '{"a"}', '{a=1}', '5']) {
    t.throws(() => lua(`mix.bytes_tostring(${bad})`), { message: /mix.bytes_tostring: / }, bad);
  }
});

t.test('digests', async (t) => {
  t.strictSame(lua('return mix.md5("hello")'), ['5d41402abc4b2a76b9719d911017c592']);
  t.strictSame(lua('return mix.sha1("hello")'), ['aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d']);
  t.strictSame(lua(`return mix.hex(mix.md5_bin(${ALL})) == mix.md5(${ALL})`), [true]);
  t.strictSame(lua(`return mix.hex(mix.sha1_bin(${ALL})) == mix.sha1(${ALL})`), [true]);
  // The handshake of RFC 6455, 1.3, as CONNMIX's websocket protocol answers it.
  t.strictSame(
    lua(
      'return mix.base64_encode(mix.sha1_bin("dGhlIHNhbXBsZSBub25jZQ==" .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))',
    ),
    ['s3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
  );
});

t.test('crc and checksums over positions', async (t) => {
  t.strictSame(lua('return mix.crc("CRC-16/MODBUS", "123456789")'), [0x4b37]);
  t.strictSame(lua('return mix.crc("crc-16/x-25", "xx123456789y", 3, -2)'), [0x906e]);
  t.strictSame(lua('return mix.crc("CRC-32/ISO-HDLC", "123456789")'), [0xcbf43926]);
  t.strictSame(lua('return mix.crc("CRC-64/XZ", "123456789")'), ['11051210869376104954']);
  t.strictSame(lua('return mix.checksum.lrc("\\x01\\x03\\x00\\x00\\x00\\x0a")'), [0xf2]);
  t.strictSame(lua('return mix.checksum.xor("\\x01\\x02\\x04", 2, 3)'), [6]);
  t.strictSame(lua('return mix.checksum.sum8("\\xff\\x02")'), [1]);
  t.strictSame(lua('return mix.checksum.fletcher16("abcde")'), [0xc8f0]);
  t.strictSame(lua('return mix.checksum.adler32("Wikipedia")'), [0x11e60398]);
  t.strictSame(
    lua('return mix.checksum.sum8("abc", 3, 2), mix.checksum.sum8("abc", 9, 12)'),
    [0, 0],
    'empty ranges',
  );
  t.strictSame(
    lua('return mix.checksum.sum8("\\1\\2\\4", -2), mix.checksum.sum8("\\1\\2\\4", -99, 99)'),
    [6, 7],
  );
  t.throws(() => lua('mix.crc("CRC-99", "")'), { message: /test:1: no CRC named "CRC-99"/ });
});

t.test('codecs', async (t) => {
  t.strictSame(lua('return mix.hex(mix.codec.encode("cbor", {1, 2, 3}))'), ['83010203']);
  t.strictSame(lua('local t = mix.codec.decode("json", "[1,2]") return #t'), [2]);
  const [value, error] = lua('return mix.codec.decode("cbor", "\\x83\\x01")');
  t.equal(value, undefined);
  t.match(error, /^decode_error: /);
  t.throws(() => lua('mix.codec.encode("morse", 1)'), {
    message: /no codec named "morse": there are cbor, coap, json/,
  });
});

t.test('struct', async (t) => {
  const point = 'local s = mix.struct{ endian = "little", {"u16", "x"}, {"i16", "y", scale = 0.1} } ';
  t.strictSame(
    lua(`${point} local t, next = s:decode("\\xff\\x01\\0\\xf6\\xff", 2) return t.x, t.y, next`),
    [1, -1, 6],
  );
  t.strictSame(lua(`${point} return mix.hex(s:encode{ x = 258, y = -1 })`), ['0201f6ff']);
  const [nothing, short] = lua(`${point} return s:decode("\\0")`);
  t.equal(nothing, undefined);
  t.match(short, /^decode_error: .*x/);
  t.match(lua(`${point} return s:encode{ x = 70000, y = 0 }`)[1], /^invalid_argument: .*x/);
  t.throws(() => lua(`${point} s:decode("abcd", 9)`), { message: /position out of string/ });
  t.throws(() => lua('mix.struct{ {"u17", "x"} }'), { message: /test:1: .*u17/ });
  t.throws(() => lua(`${point} s.decode("abcd")`), { message: /colon/ });
});

t.test('clocks', async (t) => {
  const [now, later] = lua('local a = mix.monotonic() return mix.now(), mix.monotonic() - a');
  t.ok(Math.abs(Number(now) - Date.now() / 1000) < 5);
  t.ok(Number(later) >= 0);
  t.strictSame(lua('return mix.now() * 1000 > 1.6e12'), [true], 'no integer wraps');
});
