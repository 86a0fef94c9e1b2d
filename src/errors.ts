/**
 * Every error Moonwire reports on purpose, under a stable code.
 *
 * The same strings appear in the HTTP API, in Lua errors, in logs and as metric labels, so a code is a promise:
 * it may be added, never renamed.
 */

/** Each code with the HTTP status the API answers it with (0: never the answer to a request). */
export const ERROR_CODES = {
  /** A value is missing, of the wrong type or out of its range. */
  invalid_argument: 400,
  /** No or wrong credentials. */
  unauthorized: 401,
  /** The credentials do not allow this. */
  forbidden: 403,
  /** No such client, device, script or file. */
  not_found: 404,
  /** Taken: a name, a port, a key in use. */
  conflict: 409,
  /** The client was here but its connection is gone. */
  not_connected: 410,
  /** Larger than its limit. */
  too_large: 413,
  /** More often than its limit. */
  rate_limited: 429,
  /** A defect of Moonwire itself. */
  internal: 500,
  /** A bounded queue is full. */
  queue_full: 503,
  /** The engine sheds load. */
  overloaded: 503,
  /** No answer in time. */
  timeout: 504,
  /** The object was closed by its owner. */
  closed: 0,
  /** Bytes that do not decode. */
  decode_error: 0,
  /** A script used more work, memory or depth than its callback may. */
  budget_exceeded: 0,
} as const;

/** One of the stable error codes. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected failure with a stable code; `where` names the place (a file and line, a configuration key). */
export class MoonwireError extends Error {
  override readonly name = 'MoonwireError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly where?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The text of anything that was thrown: an error's message, or the thing itself as a string. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * A failure at run time that is handed on as a value and never thrown: scripts get its message, which begins with
 * one of the codes ("queue_full: …") where it has one.
 */
export class Failure {
  constructor(readonly message: string) {}

  /** The code its message begins with; `internal` when there is none. */
  get code(): ErrorCode {
    const code = this.message.split(':', 1)[0]!;
    return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'internal';
  }
}
