/**
 * The error codes of the wire (README §7) in one table, and the one error class of this part.
 */

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

/** A stream or a session ended by something other than both sides' FIN. */
export class MuxError extends Error {
  override readonly name = 'MuxError';

  /**
   * @param code the name of the error code
   * @param message what happened, for people
   * @param remote true when the peer sent this, false when it was found here
   * @param wireCode the number on the wire, 0 … 2^32-1; differs from the table only for codes we have no name for
   */
  constructor(
    readonly code: MuxCode,
    message: string,
    readonly remote = false,
    readonly wireCode: number = MUX_CODES[code],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The error that a number received from the peer stands for; `what` begins its message. */
  static received(wireCode: number, what: string): MuxError {
    const code = NAMES.get(wireCode) ?? 'unknown';
    return new MuxError(code, `${what} (${code}, ${wireCode})`, true, wireCode);
  }
}

/** Turns whatever was thrown or given into the number to send: a MuxError's own, otherwise that of `fallback`. */
export function wireCodeOf(error: unknown, fallback: MuxCode): number {
  return error instanceof MuxError ? error.wireCode : MUX_CODES[fallback];
}
