/** Strings in other forms: base64, hexadecimal, decimal digits, lists. */

import { type ApiFunction, Failure, value } from '../api.js';
import { LuaError } from '../executor.js';
import { checkSize } from '../stdlib/strings.js';

/** Base64 text without line breaks; its length is a multiple of 4. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** One UTF-8 character or, where the bytes are none, one byte. */
const CHARACTER = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|./gs;

export const textFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.base64_encode',
    doc: 'Bytes as base64 (RFC 4648, the standard alphabet, padded).',
    params: [value('data', 'bytes')],
    returns: [value('text', 'string')],
    example: 'print(mix.base64_encode("hello"))',
    run: (_, data: Uint8Array) => {
      checkSize(Math.ceil(data.length / 3) * 4);
      return Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
    },
  },
  {
    name: 'mix.base64_decode',
    doc: 'Reads padded base64; line breaks are passed over. Returns nil and an error for anything else.',
    params: [value('text', 'string')],
    returns: [value('data', 'bytes')],
    example: 'print(mix.base64_decode("aGVsbG8="))',
    run: (_, text: string) => {
      const digits = text.replace(/[\r\n]+/g, '');
      if (digits.length % 4 !== 0 || !BASE64.test(digits))
        return new Failure('decode_error: illegal base64 data');
      return Buffer.from(digits, 'base64');
    },
  },
  {
    name: 'mix.hex',
    doc: 'Bytes as lower-case hexadecimal digits, two a byte.',
    params: [value('data', 'bytes')],
    returns: [value('digits', 'string')],
    example: 'print(mix.hex("\\x78\\x78\\x0d"))',
    run: (_, data: Uint8Array) => {
      checkSize(2 * data.length);
      return Buffer.from(data.buffer, data.byteOffset, data.length).toString('hex');
    },
  },
  {
    name: 'mix.unhex',
    doc:
      'The bytes that hexadecimal digits stand for, in either case. Returns nil and an error when their number is ' +
      'odd or another character is among them.',
    params: [value('digits', 'string')],
    returns: [value('data', 'bytes')],
    example: 'local frame = mix.unhex("78780d0a")\nprint(#frame)',
    run: (_, digits: string) => {
      if (digits.length % 2 !== 0) return new Failure('decode_error: an odd number of hexadecimal digits');
      const other = digits.search(/[^0-9a-fA-F]/);
      if (other >= 0) return new Failure(`decode_error: no hexadecimal digit at position ${other + 1}`);
      return Buffer.from(digits, 'hex');
    },
  },
  {
    name: 'mix.bcd',
    doc:
      'The decimal digits of packed BCD, two a byte, the high half first; leading zeros stay. Returns nil and an ' +
      'error when a half byte is no digit. `mix.unhex(digits)` is the way back.',
    params: [value('data', 'bytes')],
    returns: [value('digits', 'string')],
    example: 'print(mix.bcd("\\x01\\x23\\x45"))',
    run: (_, data: Uint8Array) => {
      checkSize(2 * data.length);
      const digits = Buffer.from(data.buffer, data.byteOffset, data.length).toString('hex');
      const other = digits.search(/[a-f]/);
      if (other < 0) return digits;
      return new Failure(`decode_error: no decimal digit in the byte at position ${(other >> 1) + 1}`);
    },
  },
  {
    name: 'mix.xor',
    doc: 'Bytes XORed with a key that repeats, as WebSocket masks them. Raises for an empty key.',
    params: [value('data', 'bytes'), value('key', 'bytes')],
    returns: [value('data', 'bytes')],
    example: 'print(mix.xor(mix.xor("hello", "key"), "key"))',
    run: (_, data: Uint8Array, key: Uint8Array) => {
      if (key.length === 0) throw new LuaError('mix.xor: the key is empty');
      const size = key.length;
      return data.map((byte, i) => byte ^ key[i % size]!);
    },
  },
  {
    name: 'mix.str_split',
    doc:
      'The parts of a string between separators, as a list; a string without the separator is its only part. An ' +
      'empty separator splits into UTF-8 characters (bytes that are none stand alone).',
    params: [value('text', 'string'), value('separator', 'string')],
    returns: [value('parts', 'value')],
    example: 'for i, part in ipairs(mix.str_split("a,b,c", ",")) do print(i, part) end',
    run: (_, text: string, separator: string) => {
      const parts = separator === '' ? (text.match(CHARACTER) ?? []) : text.split(separator);
      return parts.map((part) => Buffer.from(part, 'latin1'));
    },
  },
  {
    name: 'mix.bytes_tostring',
    doc: 'A string of the bytes (0 to 255) that a list holds. Raises for anything else.',
    params: [value('bytes', 'value', 'a list of numbers')],
    returns: [value('text', 'bytes')],
    example: 'print(mix.bytes_tostring({ 72, 105 }))',
    run: (_, bytes: unknown) => {
      if (!Array.isArray(bytes)) throw new LuaError('mix.bytes_tostring: a list of numbers expected');
      checkSize(bytes.length);
      const other = bytes.findIndex((byte) => !(Number.isInteger(byte) && byte >= 0 && byte <= 255));
      if (other >= 0)
        throw new LuaError(`mix.bytes_tostring: element ${other + 1} is not a number from 0 to 255`);
      return Uint8Array.from(bytes);
    },
  },
];
