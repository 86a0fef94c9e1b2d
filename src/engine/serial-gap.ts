/** The time in which a serial port is closed since another process takes it over: what comes then is lost. */

import type { LinkConfig } from '../config/schema.js';

/** The most bytes that a line carries in so many milliseconds, in one direction: a start bit begins each character. */
export function bytesIn(
  { baudRate, dataBits, parity, stopBits }: Extract<LinkConfig, { kind: 'serial' }>['serial'],
  milliseconds: number,
): number {
  const bits = 1 + dataBits + (parity === 'none' ? 0 : 1) + stopBits;
  return Math.ceil(((milliseconds / 1000) * baudRate) / bits);
}
