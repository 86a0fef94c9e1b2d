/** Errors as `application/problem+json` (RFC 9457) with the codes of errors.ts. */

import * as v from 'valibot';
import { ERROR_CODES, type ErrorCode, type Failure, MoonwireError } from '../errors.js';

/** Type of such an answer. */
export const PROBLEM_TYPE = 'application/problem+json';

/** What such an answer holds. */
export const problem = v.object({
  status: v.number(),
  code: v.picklist(Object.keys(ERROR_CODES) as ErrorCode[]),
  detail: v.string(),
  where: v.optional(v.string()),
});
/** What such an answer holds. */
export type Problem = v.InferOutput<typeof problem>;

/** A failure or an expected error as a problem; anything else is `internal` and says nothing of itself. */
export function problemOf(cause: unknown): Problem {
  if (cause instanceof MoonwireError)
    return {
      ...statusOf(cause.code),
      detail: cause.message,
      ...(cause.where !== undefined && { where: cause.where }),
    };
  return { ...statusOf('internal'), detail: 'an unexpected error; the log tells more' };
}

/** A failure as an error. */
export function errorOf({ code, message }: Failure): MoonwireError {
  const prefix = `${code}: `;
  return new MoonwireError(code, message.startsWith(prefix) ? message.slice(prefix.length) : message);
}

function statusOf(code: ErrorCode): { status: number; code: ErrorCode } {
  return { status: ERROR_CODES[code] || 500, code };
}
