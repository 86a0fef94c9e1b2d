/** The simple checksums of field protocols, beside the CRCs of `crc.ts`. */
import { MoonwireError } from '../errors.js';
import type { Check } from './check.js';
import { crc } from './crc.js';

/** Longitudinal redundancy check: the negated sum, as in Modbus ASCII (Modbus over Serial Line V1.02, 2.5.2.2). */
export function lrc(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return -sum8(bytes, from, to) & 0xff;
}

/** All bytes XORed together (BCC), as in JT/T 808 and NMEA 0183. */
export function xor(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let value = 0;
  for (let i = from; i < to; i++) value ^= bytes[i]!;
  return value;
}

/** The sum modulo 256, as in M-Bus (EN 13757-2) and DL/T 645. */
export function sum8(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum = (sum + bytes[i]!) & 0xff;
  return sum;
}

/** Fletcher's checksum modulo 255: second sum in the high byte, first in the low. */
export function fletcher16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return pairSum(bytes, from, to, 0, 255, 8);
}

/** Adler-32 (RFC 1950, 8.2). */
export function adler32(bytes: Uint8Array, from = 0, to = bytes.length): number {
  return pairSum(bytes, from, to, 1, 65521, 16);
}

/** The running sum and the sum of running sums, which Fletcher and Adler share. */
function pairSum(
  bytes: Uint8Array,
  from: number,
  to: number,
  seed: number,
  modulus: number,
  shift: number,
): number {
  let a = seed;
  let b = 0;
  for (let i = from; i < to; ) {
    // 3800 steps cannot pass 2^32 before the remainder is taken.
    const end = Math.min(to, i + 3800);
    for (; i < end; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= modulus;
    b %= modulus;
  }
  return ((b << shift) | a) >>> 0;
}

/** The checksums by name; `mix.checksum` offers the same. */
export const CHECKSUMS: readonly Check[] = [
  { name: 'lrc', size: 1, compute: lrc },
  { name: 'xor', size: 1, compute: xor },
  { name: 'sum8', size: 1, compute: sum8 },
  { name: 'fletcher16', size: 2, compute: fletcher16 },
  { name: 'adler32', size: 4, compute: adler32 },
];

/**
 * A checksum by name, or a CRC of the catalogue.
 * @throws MoonwireError `invalid_argument` for an unknown name.
 */
export function findCheck(name: string): Check {
  const simple = CHECKSUMS.find((check) => check.name === name);
  if (simple) return simple;
  try {
    return crc(name);
  } catch (error) {
    const names = CHECKSUMS.map((check) => check.name).join(', ');
    throw new MoonwireError(
      'invalid_argument',
      `no check named "${name}": use ${names} or a name of the CRC RevEng catalogue such as CRC-16/MODBUS`,
      undefined,
      { cause: error },
    );
  }
}
