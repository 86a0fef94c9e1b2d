/** `mix.crc` and `mix.checksum.*` over parts of a string. */

import { CHECKSUMS } from '../../bytes/checksum.js';
import { crc } from '../../bytes/crc.js';
import { fromBigInt } from '../../codecs/integers.js';
import { type ApiFunction, optional, value } from '../api.js';
import { fromStart } from '../stdlib/strings.js';
import { orRaise } from './failure.js';

const RANGE = [
  value('bytes', 'bytes'),
  optional('i', 'integer', 'first position, 1 by default; negative ones count from the end'),
  optional('j', 'integer', 'last position, -1 by default'),
];

/** 0-based offsets of the positions i…j, as `string.sub` takes them. */
function range(bytes: Uint8Array, i = 1, j = -1): [from: number, to: number] {
  const from = Math.max(fromStart(i, bytes.length), 1) - 1;
  const to = Math.min(fromStart(j, bytes.length), bytes.length);
  return [Math.min(from, bytes.length), Math.max(from, to)];
}

const MEANINGS: Record<string, string> = {
  lrc: 'The longitudinal redundancy check of Modbus ASCII: the sum of the bytes, negated, modulo 256.',
  xor: 'All bytes XORed together, as NMEA 0183 and JT/T 808 do (BCC).',
  sum8: 'The sum of the bytes modulo 256, as in M-Bus and DL/T 645.',
  fletcher16: "Fletcher's checksum: the second sum modulo 255 in the high byte, the first in the low one.",
  adler32: 'Adler-32 (RFC 1950).',
};

export const checkFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.crc',
    doc:
      'A cyclic redundancy check by its name in the CRC RevEng catalogue (or an alias), in any letter case, over ' +
      'the positions i…j. A number; wider than 53 bits a decimal string when it does not fit. Raises for an ' +
      'unknown name.',
    params: [value('name', 'string', 'as "CRC-16/MODBUS", "CRC-16/X-25"'), ...RANGE],
    returns: [value('crc', 'raw')],
    example: 'print(mix.crc("CRC-16/MODBUS", "\\x01\\x03\\x00\\x00\\x00\\x0a"))',
    run: (_, name: string, bytes: Uint8Array, i?: number, j?: number) => {
      const result = orRaise(() => crc(name)).compute(bytes, ...range(bytes, i, j));
      return typeof result === 'bigint' ? fromBigInt(result) : result;
    },
  },
  ...CHECKSUMS.map(
    ({ name, compute }): ApiFunction<unknown> => ({
      name: `mix.checksum.${name}`,
      doc: `${MEANINGS[name]} Over the positions i…j.`,
      params: RANGE,
      returns: [value('checksum', 'integer')],
      example: `print(mix.checksum.${name}("123456789"))`,
      run: (_, bytes: Uint8Array, i?: number, j?: number) => compute(bytes, ...range(bytes, i, j)),
    }),
  ),
];
