/** `mix.php_pack`, `mix.php_unpack`, as CONNMIX has them. */

import { type ApiFunction, rest, value } from '../api.js';
import type { LuaValue } from '../executor.js';
import { orFailure } from './failure.js';
import { phpPack, phpUnpack } from './php-pack.js';

export const phpFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.php_pack',
    doc:
      "Packs values as PHP's pack does: a A Z (text), h H (hexadecimal digits), c C s S n v i I l L N V q Q J P " +
      '(integers of 1, 2, 4, 8 bytes), f g G d e E (floats), x X @ (position); each with a count or "*". Machine ' +
      'order is little endian. Integers wrap to their size; 64-bit ones may be decimal strings. Returns nil and an ' +
      'error for an unknown letter, missing values or values that do not fit.',
    params: [value('format', 'string'), rest('values', 'raw')],
    returns: [value('data', 'string')],
    example: 'print(mix.hex(mix.php_pack("nCa4", 258, 7, "ab")))',
    run: (_, format: string, ...values: LuaValue[]) => orFailure(() => phpPack(format, values)),
  },
  {
    name: 'mix.php_unpack',
    doc:
      "Unpacks data as PHP's unpack does: elements of letter, count and name, with slashes between. The result holds " +
      'each value under its name; several of one letter have 1, 2, … behind the name, and are a list (from 1) when ' +
      'there is no name. 64-bit integers beyond 2^53 are decimal strings. Returns nil and an error when data is ' +
      'missing or a letter unknown.',
    params: [value('format', 'string'), value('data', 'string')],
    returns: [value('values', 'value')],
    example: 'local t = mix.php_unpack("nlength/Ctype", "\\x00\\x05\\x01")\nprint(t.length, t.type)',
    run: (_, format: string, data: string) =>
      orFailure(() => {
        const table = new Map<string | number, unknown>();
        for (const [key, item] of phpUnpack(format, data)) {
          table.set(key, typeof item === 'string' ? Buffer.from(item, 'latin1') : item);
        }
        return table;
      }),
  },
];
