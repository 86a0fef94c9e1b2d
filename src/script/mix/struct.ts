/** `mix.struct`: binary structures declared in Lua and compiled to JavaScript once. */

import { Struct } from '../../codecs/struct.js';
import { MoonwireError } from '../../errors.js';
import { type ApiFunction, HostObject, optional, value } from '../api.js';
import { LuaError } from '../executor.js';
import { fromStart } from '../stdlib/strings.js';
import { failureOf, orRaise } from './failure.js';

/** The kind of structures in Lua. */
export const STRUCT_KIND = 'struct';

export const structFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.struct',
    doc:
      'Compiles the description of a binary structure: a list of fields {type, name, options…} in wire order, with ' +
      '`endian` ("big" by default) beside them. Types: u8 i8 u16 i16 … u64 i64 f32 f64 (with scale, offset, bits), bcd ' +
      'bytes string (size: a number, or the name of an earlier field; trim), array (of, count), if (a field, then a ' +
      'list of fields), pad, check (from, to). Integers beyond 2^53 are decimal strings. Call it once, when the ' +
      'script loads. Raises when the description is wrong.',
    params: [value('fields', 'options')],
    returns: [value('struct', 'raw')],
    example:
      'local header = mix.struct{ endian = "big", {"u16", "length"}, {"bcd", "imei", size = 8} }\n' +
      'local t, next = header:decode("\\x00\\x0a\\x03\\x58\\x89\\x90\\x51\\x02\\x13\\x16")\nprint(t.imei, next)',
    run: (_, fields: unknown) =>
      new HostObject(
        STRUCT_KIND,
        orRaise(() => new Struct(fields)),
      ),
  },
];

export const structMethods: ApiFunction<Struct>[] = [
  {
    name: 'struct:decode',
    doc:
      'The fields of the structure that begins at a position, and the position behind it. Returns nil and an error ' +
      'naming the field when bytes are missing, a BCD digit is none or a checksum differs.',
    params: [value('bytes', 'bytes'), optional('pos', 'integer', '1 by default')],
    returns: [value('fields', 'value'), value('next', 'integer')],
    example: 'local point = mix.struct{ {"i16", "x"}, {"i16", "y"} }\nprint(point:decode("\\0\\1\\0\\2"))',
    run: (struct, bytes: Uint8Array, pos = 1) => {
      const start = fromStart(pos, bytes.length);
      if (start < 1 || start > bytes.length + 1) throw new LuaError('struct:decode: position out of string');
      const decoded = struct.decode(bytes, start - 1);
      return decoded instanceof MoonwireError ? failureOf(decoded) : [decoded.value, decoded.next + 1];
    },
  },
  {
    name: 'struct:encode',
    doc: 'The bytes of a table of fields. Returns nil and an error naming the field that is missing or out of range.',
    params: [value('fields', 'value')],
    returns: [value('bytes', 'bytes')],
    example:
      'local point = mix.struct{ {"i16", "x"}, {"i16", "y"} }\nprint(mix.hex(point:encode{ x = 1, y = -1 }))',
    run: (struct, fields: unknown) => {
      const encoded = struct.encode(fields);
      return encoded instanceof MoonwireError ? failureOf(encoded) : encoded;
    },
  },
];
