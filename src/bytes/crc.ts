/**
 * Cyclic redundancy checks by the names of the CRC RevEng catalogue (`crc_catalogue.ts`), driven by tables made
 * once per name. The parameters mean what Ross Williams' "painless guide" calls them.
 */
import { MoonwireError } from '../errors.js';
import type { Check } from './check.js';
import { CRC_CATALOGUE, type CrcRow } from './crc_catalogue.js';

/** A CRC ready to compute. */
export interface Crc extends Check {
  /** Width of the result in bits, 3 to 82; above 32 `compute` gives a bigint. */
  readonly width: number;
}

/** Rows by name and by alias. */
const ROWS = new Map(
  CRC_CATALOGUE.flatMap((row) => [row[0], ...row.slice(8)].map((name) => [name as string, row] as const)),
);

/** What `crc` has made so far: constants derived from constants, at most one for each row. */
const compiled = new Map<CrcRow, Crc>();

/**
 * The CRC of this name or alias, in any letter case: `CRC-16/MODBUS`, `CRC-16/X-25`.
 * @throws MoonwireError `invalid_argument` when the catalogue has no such name.
 */
export function crc(name: string): Crc {
  const row = ROWS.get(name.toUpperCase());
  if (!row) {
    throw new MoonwireError('invalid_argument', `no CRC named "${name}" in the CRC RevEng catalogue`);
  }
  let result = compiled.get(row);
  if (!result) {
    const width = row[1];
    const compute = width > 32 ? wide(row) : row[4] ? reflected(row) : straight(row);
    result = { name: row[0], width, size: Math.ceil(width / 8), compute };
    compiled.set(row, result);
  }
  return result;
}

/** The lowest `width` bits of `value` in reverse order. */
function reflect(value: bigint, width: number): bigint {
  let result = 0n;
  for (let i = 0; i < width; i++) result = (result << 1n) | ((value >> BigInt(i)) & 1n);
  return result;
}

const hex = (digits: string) => BigInt(`0x${digits}`);

/**
 * Four tables of 256 entries in one: table k advances a byte by k further bytes of zeros, so that four bytes are
 * taken a step ("slicing by 4", twice as fast from 16 bytes up; by 8 adds a fifth and doubles the tables).
 */
function slices(
  first: (byte: number) => number,
  next: (entry: number, table: Int32Array) => number,
): Int32Array {
  const table = new Int32Array(1024);
  for (let i = 0; i < 256; i++) table[i] = first(i);
  for (let i = 256; i < 1024; i++) table[i] = next(table[i - 256]!, table);
  return table;
}

/** Least significant bit first: the register is kept right-aligned. */
function reflected([, width, poly, init, , refout, xorout]: CrcRow): Check['compute'] {
  const p = Number(reflect(hex(poly), width));
  const table = slices(
    (byte) => {
      let c = byte;
      for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ p : c >>> 1;
      return c;
    },
    (entry, t) => (entry >>> 8) ^ t[entry & 0xff]!,
  );
  const seed = Number(reflect(hex(init), width)) | 0;
  const final = Number(hex(xorout));
  return (bytes, from = 0, to = bytes.length) => {
    let c = seed;
    let i = from;
    for (const end = to - 3; i < end; i += 4) {
      c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      c =
        table[768 + (c & 0xff)]! ^
        table[512 + ((c >>> 8) & 0xff)]! ^
        table[256 + ((c >>> 16) & 0xff)]! ^
        table[c >>> 24]!;
    }
    for (; i < to; i++) c = table[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
    const value = refout ? c : Number(reflect(BigInt(c >>> 0), width));
    return (value ^ final) >>> 0;
  };
}

/** Most significant bit first: the register is kept left-aligned in 32 bits, whatever its width. */
function straight([, width, poly, init, , refout, xorout]: CrcRow): Check['compute'] {
  const shift = 32 - width;
  const p = Number(hex(poly)) << shift;
  const table = slices(
    (byte) => {
      let c = byte << 24;
      for (let bit = 0; bit < 8; bit++) c = c < 0 ? (c << 1) ^ p : c << 1;
      return c;
    },
    (entry, t) => (entry << 8) ^ t[entry >>> 24]!,
  );
  const seed = Number(hex(init)) << shift;
  const final = Number(hex(xorout));
  return (bytes, from = 0, to = bytes.length) => {
    let c = seed;
    let i = from;
    for (const end = to - 3; i < end; i += 4) {
      c ^= (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!;
      c =
        table[768 + (c >>> 24)]! ^
        table[512 + ((c >>> 16) & 0xff)]! ^
        table[256 + ((c >>> 8) & 0xff)]! ^
        table[c & 0xff]!;
    }
    for (; i < to; i++) c = (c << 8) ^ table[(c >>> 24) ^ bytes[i]!]!;
    const value = c >>> shift;
    return ((refout ? Number(reflect(BigInt(value), width)) : value) ^ final) >>> 0;
  };
}

/** Wider than 32 bits, in bigints: about 10 MB/s, for names that field protocols hardly use. */
function wide([, width, poly, init, refin, refout, xorout]: CrcRow): Check['compute'] {
  const p = reflect(hex(poly), width);
  const table = Array.from({ length: 256 }, (_, byte) => {
    let c = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) c = c & 1n ? (c >> 1n) ^ p : c >> 1n;
    return c;
  });
  const seed = reflect(hex(init), width);
  const final = hex(xorout);
  const reversed = Array.from({ length: 256 }, (_, byte) => Number(reflect(BigInt(byte), 8)));
  return (bytes, from = 0, to = bytes.length) => {
    let c = seed;
    for (let i = from; i < to; i++) {
      const byte = refin ? bytes[i]! : reversed[bytes[i]!]!;
      c = table[Number(c & 0xffn) ^ byte]! ^ (c >> 8n);
    }
    return (refout ? c : reflect(c, width)) ^ final;
  };
}
