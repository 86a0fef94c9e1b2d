import { type ErrorCode, MoonwireError } from '../errors.js';

/**
 * A script failed: a syntax error, a runtime error, or a spent budget (`budget_exceeded`). The message begins with
 * the script's file and line; `traceback` holds the Lua stack at the moment of the error.
 */
export class ScriptError extends MoonwireError {
  constructor(
    message: string,
    readonly traceback = '',
    code: ErrorCode = 'internal',
  ) {
    super(code, message, /^(.*?:\d+): /.exec(message)?.[1]);
  }
}
