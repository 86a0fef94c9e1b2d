/** 64-bit integers as every codec hands them out: exact numbers up to 2^53, decimal strings beyond. */

const LIMIT = 2n ** 53n;

/** A number where it is exact, that is within ±2^53; otherwise a decimal string. */
export function fromBigInt(value: bigint): number | string {
  return value >= -LIMIT && value <= LIMIT ? Number(value) : value.toString();
}

/** The integer that a whole number, a bigint or a decimal string stands for; undefined for anything else. */
export function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) <= 2 ** 53 ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,40}$/.test(value) ? BigInt(value) : undefined;
}
