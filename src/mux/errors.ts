/**
 * The error codes of the wire (README §7) in one table, and the one error class of this part.
 */

import { MAX_32 } from './frame.js';
import { checkedNumber } from './range.js';

/** Each code's name and its number in RST and GOAWAY frames. */
export const MUX_CODES = {
  none: 0,
  protocol: 1,
  internal: 2,
  flow_control: 3,
  stream_closed: 4,
  stream_refused: 5,
  stream_cancelled: 6,
  stream_reset: 7,
  frame_size: 8,
  accept_queue_full: 9,
  enhance_your_calm: 10,
  remote_gone_away: 11,
  streams_exhausted: 12,
  write_timeout: 13,
  session_closed: 14,
  peer_eof: 15,
  unknown: 255,
} as const;

/** The name of an error code. */
export type MuxCode = keyof typeof MUX_CODES;

const NAMES = new Map<number, MuxCode>(
  Object.entries(MUX_CODES).map(([name, number]) => [number, name as MuxCode]),
);

/** What may be told of an error beyond its code and message. */
export interface MuxErrorOptions extends ErrorOptions {
  /** The peer sent this; else it was found here. */
  remote?: boolean;
  /** The number on the wire, for codes received that the table has no name for. */
  wireCode?: number;
}

/** A stream or a session ended by something other than both sides' FIN. */
export class MuxError extends Error {
  override readonly name = 'MuxError';
  /** True when the peer sent this, false when it was found here. */
  readonly remote: boolean;
  /** The number on the wire, 0 … 2^32-1. */
  readonly wireCode: number;

  constructor(
    readonly code: MuxCode,
    message: string,
    { remote = false, wireCode = MUX_CODES[code], ...options }: MuxErrorOptions = {},
  ) {
    super(message, options);
    this.remote = remote;
    this.wireCode = wireCode;
  }

  /** The error that a number received from the peer stands for; `what` begins its message. */
  static received(wireCode: number, what: string): MuxError {
    const code = NAMES.get(wireCode) ?? 'unknown';
    return new MuxError(code, `${what} (${code}, ${wireCode})`, { remote: true, wireCode });
  }
}

/**
 * The number to send for a code.
 * @throws MoonwireError `invalid_argument` for a number outside 0 … 2^32-1
 */
export function wireCodeOf(code: MuxCode | number): number {
  return typeof code === 'number' ? checkedNumber('code', code, 0, MAX_32) : MUX_CODES[code];
}
