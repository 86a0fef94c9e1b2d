import type { CrcRow } from '../../src/bytes/crc_catalogue.js';

/** A CRC one bit at a time, straight from the parameters' definitions: slow and obvious. */
export function slowCrc([, width, poly, init, refin, refout, xorout]: CrcRow, bytes: Uint8Array): bigint {
  const top = 1n << BigInt(width - 1);
  const mask = (1n << BigInt(width)) - 1n;
  const reverse = (value: bigint, bits: number) =>
    BigInt(`0b${value.toString(2).padStart(bits, '0').split('').reverse().join('')}`);
  let register = BigInt(`0x${init}`);
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const input = BigInt((byte >> (refin ? bit : 7 - bit)) & 1);
      const out = register & top ? 1n : 0n;
      register = (register << 1n) & mask;
      if (out !== input) register ^= BigInt(`0x${poly}`);
    }
  }
  return (refout ? reverse(register, width) : register) ^ BigInt(`0x${xorout}`);
}
