/**
 * Integers of up to 64 bits as scripts meet them: numbers where those are exact (to 2^53), decimal strings
 * beyond. They are split in two numbers, so that the common sizes never touch a BigInt.
 */

import { fromBigInt } from '../../codecs/integers.js';

const TWO_48 = 2 ** 48;
const TWO_53 = 2 ** 53;
const TWO_63 = 2 ** 63;
const DECIMAL = /^\s*([+-]?)(\d{1,20})\s*$/;

/** A whole number as `high`·2^48 + `low`; `low` is never negative, the sign is that of `high`. */
export interface WideInteger {
  readonly high: number;
  readonly low: number;
}

/** Splits a whole number within -2^63 … 2^64-1; undefined when it lies outside. */
export function fromNumber(n: number): WideInteger | undefined {
  if (n < -TWO_63 || n >= 2 * TWO_63) return undefined;
  const high = Math.floor(n / TWO_48);
  return { high, low: n - high * TWO_48 };
}

/** Reads a decimal numeral; null when the text is none, undefined when it lies outside -2^63 … 2^64-1. */
export function fromDecimal(text: string): WideInteger | null | undefined {
  const parts = DECIMAL.exec(text);
  if (!parts) return null;
  const value = parts[1] === '-' ? -BigInt(parts[2] as string) : BigInt(parts[2] as string);
  if (value < -(1n << 63n) || value >= 1n << 64n) return undefined;
  return { high: Number(value >> 48n), low: Number(value & 0xffffffffffffn) };
}

/** The number, or the decimal string where a number would not be exact. */
export function toScript({ high, low }: WideInteger): number | string {
  const n = high * TWO_48 + low;
  // The sum rounds only above 2^53.
  if (Math.abs(n) < TWO_53) return n;
  return fromBigInt(BigInt(high) * BigInt(TWO_48) + BigInt(low));
}
